"""What a report is made of, whatever it is rendered as.

Markdown and HTML show the same parts, and so cannot disagree. All text in them is plain text from
anywhere; to escape it is the renderers' business, and theirs alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from activities.charts import Chart

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Tone(StrEnum):
    """How a part should strike the eye."""

    PLAIN = "plain"
    MUTED = "muted"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Code:
    """Text to be read letter by letter: a key, an expression."""

    text: str


@dataclass(frozen=True)
class Link:
    """Text that leads somewhere, if its address is one of the web."""

    text: str
    address: str

    @property
    def safe(self) -> bool:
        """Whether to follow it runs nothing: addresses come from outside."""
        try:
            parts = urlsplit(self.address)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(parts.netloc)


Inline = str | Code | Link


@dataclass(frozen=True)
class Tag:
    """A word or two on the state of what it stands beside."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    parts: tuple[Inline, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Pairs:
    """Names and what they stand for."""

    rows: tuple[tuple[str, Inline], ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True)
class Measure:
    """One figure to be seen first, with what it means."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Measures:
    """The figures that an incident is judged by."""

    items: tuple[Measure, ...]


@dataclass(frozen=True)
class Bullets:
    """A list; *tasks* are to be ticked off."""

    items: tuple[Inline, ...]
    tasks: bool = False


@dataclass(frozen=True)
class Verbatim:
    """Lines as they came, such as a log."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A chart, and the same in words."""

    chart: Chart
    words: str


@dataclass(frozen=True)
class Card:
    """Parts that belong to one thing, such as a step."""

    title: str
    tags: tuple[Tag, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Notice:
    """What a reader must not miss."""

    title: str
    items: tuple[str, ...]


Block = Paragraph | Pairs | Table | Measures | Bullets | Verbatim | Picture | Card | Notice


@dataclass(frozen=True)
class Section:
    """A part of the report with its own heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    tags: tuple[Tag, ...]
    sections: tuple[Section, ...]


def say(*parts: Inline, tone: Tone = Tone.PLAIN) -> Paragraph:
    """Make a paragraph."""
    return Paragraph(parts, tone)


def pairs(*rows: tuple[str, Inline | None]) -> Pairs:
    """Make pairs of those *rows* that have something to say."""
    return Pairs(tuple((name, value) for name, value in rows if value not in (None, "")))


def table(head: Sequence[str], rows: Sequence[Sequence[Inline]]) -> Table:
    """Make a table."""
    return Table(tuple(head), tuple(tuple(row) for row in rows))


def clean(text: str) -> str:
    """Show what would be unseen or would turn the text around: outsiders may mean to mislead."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
