"""A watch's samples as a small chart of characters, with the threshold that they must get under."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from activities.documents import clean
from activities.prometheus import spoken
from activities.verification import Sample

ROWS = 4
MOST_SAMPLES = 60
_BARS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_THRESHOLD = "┄"
_STYLES = {True: "green", False: "red", None: "dim"}


def chart(taken: Sequence[Sample], threshold: float, unit: str, *, rows: int = ROWS) -> Text:
    """Draw samples a column each, newest right; the line across is *threshold*."""
    shown = taken[-MOST_SAMPLES:]
    values = [each.value for each in shown if each.value is not None]
    low, high = min([0.0, threshold, *values]), max([threshold, *values])
    span = (high - low) or 1.0
    steps = rows * len(_BARS)
    heights = [
        None if each.value is None else max(1, round((each.value - low) / span * steps))
        for each in shown
    ]
    line = min(rows - 1, int((threshold - low) / span * rows))
    labels = {line: spoken(threshold, unit)}
    if high > threshold and line != rows - 1:
        labels[rows - 1] = spoken(high, unit)
    width = max(len(label) for label in labels.values())
    drawn = Text()
    for row in reversed(range(rows)):
        drawn.append(f"  {labels.get(row, ''):>{width}} ", "dim")
        drawn.append("┤" if row in labels else "│", "dim")
        for each, height in zip(shown, heights, strict=True):
            drawn.append(*_cell(each, height, row, on_line=row == line))
        drawn.append("\n" if row else "")
    last = shown[-1] if shown else None
    if last is not None and last.note:
        drawn.append(f"\n  {clean(last.note)[:400]}", "dim")
    return drawn


def _cell(sample: Sample, height: int | None, row: int, *, on_line: bool) -> tuple[str, str]:
    """Give the character of one sample in one row, and its style."""
    if height is None:
        return (_UNKNOWN, "dim") if row == 0 else (_THRESHOLD if on_line else " ", "yellow")
    filled = height - row * len(_BARS)
    if filled > 0:
        return _BARS[min(filled, len(_BARS)) - 1], _STYLES[sample.good]
    return (_THRESHOLD if on_line else " ", "yellow")
