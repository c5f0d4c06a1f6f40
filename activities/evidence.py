"""What a system answered, in words on lines: for whoever decides by it, and never as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activities.values import name_of, scalar
from activities.words import cut

MOST_LINES = 6
"""Of one answer; the rest is counted."""
MOST_LINE = 400
_MOST_ITEMS = 10
_MOST_TEXT = 120
_DEEPEST = 3
NAMING = frozenset({"environment", "holders", "organizations", "values"})
"""Fields whose keys are names of the outside world: they stand as they are."""


def lines(label: str, answer: Any) -> list[str]:
    """Word *answer* in lines that begin with *label*: what is plain in one, a line for the rest."""
    said = [cut(" ".join(line.split()), MOST_LINE) for line in _lines(label, answer)]
    more = len(said) - MOST_LINES
    return said if more <= 0 else [*said[:MOST_LINES], f"{label}: and {more} more"]


def plainly(value: Any) -> str:
    """Word *value* on one line."""
    return _field("", value)


def _lines(label: str, answer: Any) -> Iterator[str]:
    if not isinstance(answer, dict):
        yield f"{label}: {plainly(answer)}"
        return
    plain = {key: value for key, value in answer.items() if not isinstance(value, dict | list)}
    if plain:
        yield f"{label}: {plainly(plain)}"
    for key, value in answer.items():
        if key in plain:
            continue
        name = f"{label}, {name_of(key)}"
        if isinstance(value, list) and any(isinstance(each, dict) for each in value):
            for number, each in enumerate(value, 1):
                yield f"{name} {number} of {len(value)}: {_field(key, each)}"
        else:
            yield f"{name}: {_field(key, value)}"


def _field(key: str, value: Any, depth: int = 0) -> str:
    if isinstance(value, dict | list) and value and depth > _DEEPEST:
        return f"{len(value)} of them"
    if isinstance(value, dict):
        return _joined(", ", [_pair(key, name, each, depth) for name, each in value.items()])
    if isinstance(value, list):
        flat = not any(isinstance(each, dict | list) for each in value)
        return _joined(", " if flat else "; ", [_field(key, each, depth + 1) for each in value])
    text = "none" if value is None or value == "" else scalar(key, value)
    text = " ".join(text.split())
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _pair(parent: str, name: str, value: Any, depth: int) -> str:
    said = _field(name, value, depth + 1)
    if isinstance(value, dict | list) and value:
        said = f"({said})"
    return f"{name if parent in NAMING else name_of(name)} {said}"


def _joined(between: str, parts: list[str]) -> str:
    more = [f"and {len(parts) - _MOST_ITEMS} more"] if len(parts) > _MOST_ITEMS else []
    return between.join([*parts[:_MOST_ITEMS], *more]) or "none"
