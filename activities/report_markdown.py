"""Renders a report as Markdown (GitHub's), for wikis and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    Table,
    Tone,
    Verbatim,
    clean,
)

_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")
_LEADING = re.compile(r"^(#|[+\-=](?=\W|$)|\d+(?=[.)](?:\s|$)))")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def markdown(document: Document, picture: str = "") -> str:
    """Render *document*; *picture* is the address of its chart, empty where there is none."""
    lines = [f"# {inline(document.title)}", ""]
    lines += [" · ".join(f"**{inline(tag.text)}**" for tag in document.tags), ""]
    for section in document.sections:
        lines += [f"## {inline(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block(block, picture), ""]
    return "\n".join(lines).rstrip() + "\n"


def inline(part: Inline, *, cell: bool = False) -> str:
    """Write *part* on one line, so that nothing in it counts as markup."""
    if isinstance(part, Code):
        return _code(part.text, cell=cell)
    if isinstance(part, Link):
        shown = inline(part.text)
        return f"[{shown}](<{_address(part.address)}>)" if part.safe else shown
    text = _SPECIAL.sub(r"\\\g<0>", " ".join(clean(part).split()).translate(_ENTITIES))
    return _LEADING.sub(_harmless, text)


def _harmless(lead: re.Match[str]) -> str:
    # "1." at the start would begin a list; a digit cannot be escaped, its full stop can.
    return lead[0] + "\\" if lead[0].isdigit() else "\\" + lead[0]


def _address(address: str) -> str:
    for letter, code in (("<", "%3C"), (">", "%3E"), ("|", "%7C"), ("\\", "%5C")):
        address = address.replace(letter, code)
    return "".join(clean(address).split())


def _code(text: str, *, cell: bool) -> str:
    text = " ".join(clean(text).split())
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    # Within a table GitHub splits at a pipe even in code, unless it is escaped.
    return f"{fence}{pad}{text.replace('|', chr(92) + '|') if cell else text}{pad}{fence}"


def _block(block: Block, picture: str) -> Iterator[str]:  # noqa: C901 - a case for each kind of block
    match block:
        case Paragraph(parts, tone):
            text = "".join(_spaced(part) for part in parts).strip()
            yield f"*{text}*" if tone is Tone.MUTED else text
        case Pairs(rows):
            yield from (f"- **{inline(name)}:** {inline(value)}" for name, value in rows)
        case Table(head, body):
            yield _row([inline(name, cell=True) for name in head])
            yield _row(["---"] * len(head))
            yield from (_row([inline(part, cell=True) for part in row]) for row in body)
        case Measures(items):
            yield _row(["Measure", "Took", "When"])
            yield _row(["---"] * 3)
            yield from (_row([inline(m.name), inline(m.value), inline(m.note)]) for m in items)
        case Bullets(things, tasks):
            yield from (f"- {'[ ] ' if tasks else ''}{inline(thing)}" for thing in things)
        case Verbatim(text):
            text = clean(text).rstrip("\n")
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
            yield from (fence + "text", *text.split("\n"), fence)
        case Picture(_, words):
            yield f"![{inline(words)}](<{_address(picture)}>)" if picture else inline(words)
        case Card(title, tags, blocks):
            marks = " · ".join(inline(tag.text) for tag in tags)
            yield f"### {inline(title)}" + (f" ({marks})" if marks else "")
            for part in blocks:
                yield ""
                yield from _block(part, picture)
        case Notice(title, items):
            yield f"> **{inline(title)}**"
            yield ">"
            yield from (f"> - {inline(item)}" for item in items)


def _spaced(part: Inline) -> str:
    if not isinstance(part, str):
        return inline(part)
    # Only the text between parts may begin or end with a space that matters.
    return (" " if part[:1] == " " else "") + inline(part) + (" " if part[-1:] == " " else "")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
