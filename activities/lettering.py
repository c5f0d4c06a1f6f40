"""Text as it is set in a picture: measured, wrapped, and without what the font cannot show."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so that a picture is the same on every machine."""


@cache
def _face(*, bold: bool) -> FontProperties:
    return FontProperties(family=FAMILY, weight="bold" if bold else "normal")


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(_face(bold=False))).get_charmap())


def plain(text: str) -> str:
    """Put *text* on one line, with a box for what the font cannot show."""
    letters = _letters()
    return "".join(
        " " if letter.isspace() else letter if ord(letter) in letters else "□" for letter in text
    )


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure *text* in points."""
    face = _face(bold=bold).copy()
    face.set_size(size)
    return float(text_to_path.get_text_width_height_descent(plain(text), face, ismath=False)[0])


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Shorten *text* until it fits into *room* points, and show that it was."""
    if width(text, size, bold=bold) <= room:
        return text
    # Halving: a label from outside may have thousands of letters, and measuring is dear.
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "…", size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(text: str, size: float, room: float, *, lines: int, bold: bool = False) -> list[str]:
    """Set *text* in at most *lines* lines of *room* points; the last is shortened."""
    words = text[:1000].split(" ")
    out: list[str] = []
    while words and len(out) < lines - 1:
        taken = 1
        while taken < len(words) and width(" ".join(words[: taken + 1]), size, bold=bold) <= room:
            taken += 1
        out.append(fit(" ".join(words[:taken]), size, room, bold=bold))
        words = words[taken:]
    return [*out, fit(" ".join(words), size, room, bold=bold)] if words else out
