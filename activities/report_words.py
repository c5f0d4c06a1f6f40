"""How a report words times, numbers of things, and whatever a probe answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.documents import (
    Block,
    Bullets,
    Inline,
    Pairs,
    Paragraph,
    Tone,
    Verbatim,
    say,
    table,
)
from activities.values import name_of, scalar

MOST_ROWS = 200
"""Rows shown of one table of evidence; the rest is counted."""
_WIDEST = 8
_DEEPEST = 4
_LONG = 160


def clock(at: datetime, day: datetime) -> str:
    """Word a moment by the clock, with its date where that is not the *day* of the incident."""
    at, day = at.astimezone(UTC), day.astimezone(UTC)
    return f"{at:%H:%M:%S}" if at.date() == day.date() else f"{at.day} {at:%b %H:%M:%S}"


def count(number: int, thing: str) -> str:
    """Count *thing*."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def times(number: int) -> str:
    """Count how often."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def listed(things: list[str]) -> str:
    """Join *things* as in a sentence."""
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def sentence(text: str) -> str:
    """End *text* like a sentence."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def upper(text: str) -> str:
    """Begin *text* with a capital."""
    return text[:1].upper() + text[1:]


def readable(answer: Any) -> tuple[Block, ...]:
    """Lay out what a probe answered: pairs, tables and lines, never raw JSON."""
    if isinstance(answer, dict):
        return _mapping(answer)
    return _thing("", answer, 0)


def brief(answer: Any) -> str:
    """Word an answer in one line."""
    if isinstance(answer, dict):
        return ", ".join(f"{name_of(key)} {_in_line(key, value)}" for key, value in answer.items())
    return _in_line("", answer)


def _in_line(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"({brief(value)})" if value else "none"
    if isinstance(value, list):
        return "; ".join(_in_line(key, one) for one in value) or "none"
    return scalar(key, value)


def _mapping(answer: dict[str, Any], depth: int = 0) -> tuple[Block, ...]:
    flat: list[tuple[str, Inline]] = []
    blocks: list[Block] = []
    for key, value in answer.items():
        if isinstance(value, dict | list) and value:
            blocks += _thing(key, value, depth + 1)
        elif isinstance(value, str) and (len(value) > _LONG or "\n" in value.strip()):
            blocks += [_heading(key), Verbatim(value)]
        else:
            flat.append((name_of(key), _in_line(key, value)))
    return (*([Pairs(tuple(flat))] if flat else []), *blocks)


def _thing(key: str, value: Any, depth: int) -> tuple[Block, ...]:
    head = [_heading(key)] if key else []
    if depth > _DEEPEST:
        return (*head, say(_in_line(key, value)))
    if isinstance(value, dict):
        return (*head, *_mapping(value, depth))
    if isinstance(value, list) and value:
        return (*head, *_list(key, value, depth))
    if isinstance(value, str) and "\n" in value.strip():
        return (*head, Verbatim(value))
    return (*head, say(_in_line(key, value)))


def _list(key: str, values: list[Any], depth: int) -> tuple[Block, ...]:
    shown = values[:MOST_ROWS]
    rest = [_rest(len(values))] if len(values) > MOST_ROWS else []
    if all(isinstance(value, dict) for value in shown):
        columns = list(dict.fromkeys(column for value in shown for column in value))
        if 0 < len(columns) <= _WIDEST:
            rows = [
                [_in_line(column, row[column]) if column in row else "—" for column in columns]
                for row in shown
            ]
            return (table([name_of(column) for column in columns], rows), *rest)
        return (*(block for value in shown for block in _mapping(value, depth)), *rest)
    if all(not isinstance(value, dict | list) for value in shown):
        return (Bullets(tuple(scalar(key, value) for value in shown)), *rest)
    return (Bullets(tuple(_in_line(key, value) for value in shown)), *rest)


def _rest(total: int) -> Paragraph:
    return say(f"… and {total - MOST_ROWS:,} more, left out here.", tone=Tone.MUTED)


def _heading(key: str) -> Paragraph:
    return say(f"{upper(name_of(key))}:")
