"""Why an activity failed, and whether trying again can help.

    Failed
    ├── Refused      the far side said no and will say no again; never retried
    ├── Unwell       it was made, or may have been, and is not as wanted; never retried
    ├── Gone         what was to be changed is not there any more; never retried
    ├── Throttled    too many requests; retried after what the far side said
    ├── Unavailable  down or unreachable, and nothing was done; retried
    └── Ambiguous    sent, but the answer was lost; read back before sending again

Texts of these errors stand in the history and in front of people: they name the system and what
to do, never a
credential and never a whole answer of the far side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

LONGEST_WAIT = timedelta(minutes=15)
"""The longest that a far side may make us wait: above it, trying again is cheaper than
believing it."""
_SHORTEST_WAIT = timedelta(seconds=1)
_REQUEST_TIMEOUT = 408
_EXCERPT = 300


class Failed(ApplicationError):
    """An activity that did not do what it was asked."""


class Refused(Failed):
    """The far side said no and will say no again; nothing was changed, by any attempt."""

    def __init__(self, said: str) -> None:
        super().__init__(said, type="Refused", non_retryable=True)


class Unwell(Failed):
    """It was made, or may have been, and is not as wanted: a person should look."""

    def __init__(self, said: str) -> None:
        super().__init__(said, type="Unwell", non_retryable=True)


class Gone(Failed):
    """What was to be changed is not there any more: make it anew, or let it be."""

    def __init__(self, said: str) -> None:
        super().__init__(said, type="Gone", non_retryable=True)


class NotConfigured(Failed):
    """The system is not set up in the settings, so nothing was tried."""

    def __init__(self, system: str, setting: str) -> None:
        super().__init__(
            f"{system} is not configured: set {setting}", type="NotConfigured", non_retryable=True
        )


class Throttled(Failed):
    """Too many requests: the far side wants us to wait."""

    def __init__(self, said: str, *, wait: timedelta | None = None) -> None:
        super().__init__(said, type="Throttled", next_retry_delay=wait and clamp(wait))


class Unavailable(Failed):
    """The far side is down or unreachable, and nothing was done."""

    def __init__(self, said: str, *, wait: timedelta | None = None) -> None:
        super().__init__(said, type="Unavailable", next_retry_delay=wait and clamp(wait))


class Ambiguous(Failed):
    """The order was sent and the answer lost: it may or may not have been carried out."""

    def __init__(self, said: str, *, wait: timedelta | None = None) -> None:
        super().__init__(said, type="Ambiguous", next_retry_delay=wait)


class NotYet(Failed):
    """Nothing is wrong: the awaited state is not there yet, so look again after *wait*."""

    def __init__(self, said: str, *, wait: timedelta) -> None:
        super().__init__(
            said, type="NotYet", next_retry_delay=wait, category=ApplicationErrorCategory.BENIGN
        )


def clamp(wait: timedelta) -> timedelta:
    """Bring a far side's waiting time between a second and `LONGEST_WAIT`."""
    return min(max(wait, _SHORTEST_WAIT), LONGEST_WAIT)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> timedelta | None:
    """Read Retry-After as seconds or as an HTTP date (RFC 9110, section 10.2.3)."""
    raw = headers.get("retry-after") or headers.get("Retry-After")
    if raw is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", raw.strip()):
        return timedelta(seconds=float(raw))
    try:
        then = parsedate_to_datetime(raw)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(then - (now or datetime.now(UTC)), timedelta(0))


def from_status(
    system: str,
    status: int,
    said: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    writes: bool,
) -> Failed:
    """Classify an HTTP answer that is no success.

    A 5xx to a write that the far side cannot recognise a second time (*writes*) is ambiguous,
    to anything else
    merely unavailable.
    """
    text = f"{system} answered {status}" + (f": {said[:_EXCERPT]}" if said else "")
    wait = retry_after(headers or {})
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(text, wait=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Ambiguous(text) if writes else Unavailable(text, wait=wait)
    if status == _REQUEST_TIMEOUT:
        return Unavailable(text, wait=wait)
    return Refused(text)
