"""How values are worded: moments, durations, and numbers by the unit in a field's name."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_SIGNED = {
    "seconds": "{} s",
    "percent": "{} %",
    "ms": "{} ms",
    "minutes": "{} min",
    "hours": "{} h",
    "usd": "${}",
}
_UNITS = (*_SIGNED, "bytes", "ratio")
_NAMES = ("pid", "port", "id", "year", "xid")
"""Numbers that name something: no thousands are set apart in them."""


def moment(at: datetime) -> str:
    """Word a moment in full, such as ``23 November 2026, 06:00:05 UTC``."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Word a duration, such as ``12 min 26 s``; what lies before has a minus."""
    sign, whole = ("-" if seconds <= -1 else ""), int(abs(seconds))
    if 0 < abs(seconds) < 1:
        return "under 1 s"
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    said = [f"{amount} {unit}" for amount, unit in parts if amount][:2]
    return sign + (" ".join(said) or "0 s")


def name_of(key: str) -> str:
    """Word a field's name; its unit goes to the value."""
    words = str(key).split("_")
    if len(words) > 1 and words[-1] in _UNITS:
        words = words[:-1]
    return " ".join(words) or str(key)


def scalar(key: str, value: Any) -> str:
    """Word one value by the unit that its field's name ends with."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(str(key).rsplit("_", 1)[-1], value)
    text = str(value)
    if _STAMP.fullmatch(text):
        return moment(datetime.fromisoformat(text))
    return text or "empty"


def _number(unit: str, value: float) -> str:
    if unit in _NAMES:
        return str(value)
    if unit == "bytes":
        return _bytes(value)
    plain = f"{value:,}" if isinstance(value, int) else _rounded(value)
    if unit == "seconds" and abs(value) >= 120 and math.isfinite(value):
        return f"{duration(value)} ({plain} s)"
    if unit == "ratio" and abs(value) <= 1:
        return f"{plain} ({value:.1%})"
    return _SIGNED.get(unit, "{}").format(plain)


def _rounded(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _bytes(value: float) -> str:
    for size, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f} bytes"
