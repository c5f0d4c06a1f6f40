"""What a probe answered, in a line that a person understands; the whole of it is in the report."""

from __future__ import annotations

import math
from typing import Any

from activities.record import Reading
from activities.values import name_of, scalar
from activities.words import cut

_LONGEST = 160
_SHOWN = 3
_NOT_TOLD = frozenset({"at", "query_id", "app", "newest_minutes_ago", "plan"})
"""What says nothing to somebody who looks on, or is said among what is for people."""
_NAMELESS = frozenset({"value", "said", "finding", "note", "state"})
"""Fields whose value says it all."""
_LISTS = {"last": "deployments", "by": "groups"}


def gist(reading: Reading) -> str:
    """Word what was found, or why nothing was."""
    if reading.failed:
        return cut(f"could not be read: {reading.failed}", _LONGEST)
    return cut(_said("", reading.answer), _LONGEST) or "nothing was found"


def _said(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list):
        return _many(key, value)
    return scalar(key, _rounded(value))


def _fields(answer: dict[str, Any]) -> str:
    if isinstance(answer.get("labels"), dict):
        named = " ".join(str(label) for label in answer["labels"].values()) or "all"
        return f"{named} {_said('value', answer.get('value'))}"
    parts = []
    for key, value in answer.items():
        # Of a fact and its opposite the one is told that is so; 0 left out is nothing to tell.
        if key in _NOT_TOLD or value in (None, "", False, [], {}) or (value == 0 and _left(key)):
            continue
        if isinstance(value, dict):
            continue  # deeper than a line goes
        said = _said(key, value)
        nameless = key in _NAMELESS or isinstance(value, list)
        parts.append(said.rstrip(".") if nameless else f"{name_of(key)} {said}")
    return ", ".join(parts)


def _many(key: str, values: list[Any]) -> str:
    things = _LISTS.get(key, name_of(key))
    counted = f"{len(values)} {things.removesuffix('s') if len(values) == 1 else things}"
    if not all(isinstance(value, dict) and "labels" in value for value in values):
        return counted
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(_fields(value) for value in values[:_SHOWN]) + more


def _left(key: str) -> bool:
    return any(word in key for word in ("left_out", "truncated", "unread"))


def _rounded(value: Any) -> Any:
    """Keep three figures: more of them say no more."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short
