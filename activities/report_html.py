"""Renders a report as one self-contained page: no script, nothing loaded, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from activities.documents import (
    Block,
    Bullets,
    Card,
    Code,
    Document,
    Inline,
    Link,
    Measures,
    Notice,
    Pairs,
    Paragraph,
    Picture,
    Section,
    Table,
    Tag,
    Verbatim,
    clean,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Were anything ever to slip through the escaping, the browser still would not run it."""

_CHART_EXTRAS = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL
)


def page(document: Document, svg: str = "") -> str:
    """Render *document* with its chart *svg* in place, empty where there is none."""
    sections = [*document.sections]
    body = "\n".join(_section(section, svg) for section in sections)
    links = "".join(f'<a href="#{_anchor(s.title)}">{_text(s.title)}</a> ' for s in sections)
    style = files("activities").joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(document.title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<h1>{_text(document.title)}</h1>
{_tags(document.tags)}
<nav aria-label="Sections">{links}</nav>
</header>
{body}
</main>
</body>
</html>
"""


def inlined(svg: str, words: str, colours: dict[str, str]) -> str:
    """Make a chart part of a page: with *words* for who cannot see it, in the page's colours."""
    svg = _CHART_EXTRAS.sub("", svg[svg.index("<svg") :])
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    for name, colour in colours.items():
        svg = svg.replace(colour, f"var(--chart-{name})")
    label = f'role="img" aria-label="{_text(words)}" stroke-linejoin="round" '
    return svg.replace("<svg ", f"<svg {label}", 1)


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _inline(part: Inline) -> str:
    match part:
        case Code(text):
            return f"<code>{_text(text)}</code>" if text else ""
        case Link(text, address):
            if not part.safe:
                return _text(text)
            return f'<a href="{_text(address)}" rel="noopener noreferrer">{_text(text)}</a>'
    return _text(part)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


def _section(section: Section, svg: str) -> str:
    anchor = _anchor(section.title)
    blocks = "\n".join(_blocks(section.blocks, svg))
    return f'<section id="{anchor}">\n<h2>{_text(section.title)}</h2>\n{blocks}\n</section>'


def _tags(tags: Iterable[Tag]) -> str:
    return "".join(f'<span class="tag {tag.tone}">{_text(tag.text)}</span>' for tag in tags)


def _blocks(blocks: Iterable[Block], svg: str) -> Iterator[str]:
    return (_block(block, svg) for block in blocks)


def _block(block: Block, svg: str) -> str:  # noqa: PLR0911 - a return for each kind of block
    match block:
        case Paragraph(parts, tone):
            return f'<p class="{tone}">{"".join(_inline(part) for part in parts)}</p>'
        case Pairs(pairs):
            body = "".join(f"<dt>{_text(k)}</dt><dd>{_inline(v)}</dd>" for k, v in pairs)
            return f'<dl class="pairs">{body}</dl>' if body else ""
        case Table():
            return _table(block)
        case Measures(items):
            body = "".join(
                f"<div><dt>{_text(m.name)}</dt><dd>{_text(m.value)}"
                f"<small>{_text(m.note)}</small></dd></div>"
                for m in items
            )
            return f'<dl class="measures">{body}</dl>'
        case Bullets(things, tasks):
            body = "".join(f"<li>{_inline(thing)}</li>" for thing in things)
            return f"<ul{' class=' + chr(34) + 'tasks' + chr(34) if tasks else ''}>{body}</ul>"
        case Verbatim(text):
            return f'<pre tabindex="0">{_text(text)}</pre>'
        case Picture(_, words):
            return f"<figure>{svg}</figure>" if svg else f"<p>{_text(words)}</p>"
        case Card(title, tags, inner):
            body = "\n".join(_blocks(inner, svg))
            head = f"<header><h3>{_text(title)}</h3>{_tags(tags)}</header>"
            return f"<article>{head}\n{body}\n</article>"
        case Notice(title, lines):
            body = "".join(f"<li>{_text(line)}</li>" for line in lines)
            return f"<aside><strong>{_text(title)}</strong><ul>{body}</ul></aside>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-head="{_text(name)}">{_inline(part)}</td>'
            for name, part in zip(table.head, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
