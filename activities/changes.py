"""How a change is made: what stood there is read and recorded, then the change is applied.

A change called ``system.verb`` is two or three activities:

``system.verb.read``   (order) -> before            looks, touches nothing
``system.verb``        (order, before) -> Done      makes the world as ordered
``system.verb.undo``   (order, before) -> Done      makes it as it was *before*

The answer of ``read`` stands in the history before ``apply`` starts, so an attempt that follows
a crash still knows
what was there. Every attempt of ``apply`` looks first: as ordered already (an earlier attempt
got through) is done;
neither as ordered nor as *before* is `Refused`, for then somebody else changed it meanwhile.
``undo`` restores only
what is still as we set it.

`Refused` means that nothing was changed. Once an attempt has acted, and in every attempt after
the first, that cannot be said any more: `attempt` makes `Unwell` of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic import AwareDatetime
from temporalio import activity

from activities.errors import NotConfigured, Refused, Unwell
from activities.evidence import plainly
from activities.words import Answer, cut

READ = ".read"
UNDO = ".undo"
RENEW = ".renew"
"""(order, before) -> Renewed: moves the expiry of a change that ends by itself."""
STAGE = ".stage"
"""(order, before, share) -> Staged: gives a share of it back; 0 takes all of it again."""


_PASSING = frozenset({
    # The clock, and what is kept of logs and counters for people to read.
    "clock", "requested_at", "logs", "last_lines", "app_files", "age_seconds", "message_id",
    # How busy and how full it is.
    "memory_bytes", "cpu_percent", "free_bytes", "used_bytes", "keys", "expired_keys",
    "rows", "table_bytes", "sequential_scans", "rows_read_sequentially",
    # Queues move on all the time; other incidents' holds come and go.
    "waiting", "urgent", "expired", "unknown", "oldest_minutes", "holders", "eta",
})  # fmt: skip
"""Fields that change by themselves while nothing has happened that a person would decide by."""
_PASSING_OF = {
    # A release that crashes has new processes all the time, and is what is rolled back from.
    "deployments.rollback": frozenset({"instances"}),
}


def lasting(value: Any, activity: str = "") -> Any:
    """Leave what a decision rests on, of an order or of what *activity* was read to change."""
    return _left(value, _PASSING | _PASSING_OF.get(activity, frozenset()))


def differences(before: Any, now: Any, activity: str = "") -> list[str]:
    """Say what lasts and differs between two readings: ``pid: 7, now 9``."""
    return _different("it", lasting(before, activity), lasting(now, activity))


def _left(value: Any, passing: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _left(each, passing) for name, each in value.items() if name not in passing}
    if isinstance(value, list | tuple):
        return [_left(each, passing) for each in value]
    return value


def _different(name: str, was: Any, present: Any) -> list[str]:
    if was == present or _gone(present):
        return []
    if isinstance(was, dict) and isinstance(present, dict):
        return [
            said
            for key in dict.fromkeys((*was, *present))
            for said in _different(key, was.get(key), present.get(key))
        ]
    if isinstance(was, list) and isinstance(present, list) and len(was) == len(present):
        return [
            said
            for old, new in zip(was, present, strict=True)
            for said in _different(name, old, new)
        ]
    return [f"{name}: {_brief(was)}, now {_brief(present)}"]


def _gone(item: Any) -> bool:
    """Whether something that was to be touched has ended by itself: that costs nobody anything."""
    return isinstance(item, dict) and item.get("found") == "gone"


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return cut("nothing" if value is None else plainly(value), 120)


class Renewed(Answer):
    """Until when a change that ends by itself now lasts."""

    until: AwareDatetime


class Staged(Answer):
    """How much of a change is given back."""

    said: str
    share: float
    """In effect; somebody else may hold back more than was ordered."""


class Targets:
    """Lets one change at a time touch a target, within the one process that makes changes."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def one_at_a_time(self, target: str) -> AsyncIterator[None]:
        """Wait for *target*, heartbeating meanwhile."""
        lock = self._locks[target]
        async with heartbeats(f"waiting for {target}"):
            await lock.acquire()
        try:
            yield
        finally:
            lock.release()


class Attempt:
    """What one attempt at a change knows of what was done."""

    def __init__(self) -> None:
        self.first = activity.info().attempt == 1
        self.has_acted = False

    @property
    def untouched(self) -> bool:
        """Whether surely nothing was changed, by this attempt or by one before it."""
        return self.first and not self.has_acted

    def acted(self) -> None:
        """Note that something was changed."""
        self.has_acted = True


@contextmanager
def attempt() -> Iterator[Attempt]:
    """Make an attempt at a change, which is `Refused` only as long as nothing was touched."""
    this = Attempt()
    try:
        yield this
    except (Refused, NotConfigured) as no:
        if this.untouched:
            raise
        earlier = "" if this.has_acted else "an earlier attempt may have changed it; now: "
        raise Unwell(f"{earlier}{no.message}") from no


_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Let nothing within heartbeat: a verification keeps its samples in what it heartbeats."""
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


@asynccontextmanager
async def heartbeats(note: str, every_seconds: float = 2.0) -> AsyncIterator[None]:
    """Heartbeat while the body runs: a lost worker is noticed, and a cancellation arrives."""
    if _silent.get():
        yield
        return

    async def beat() -> None:
        while True:
            activity.heartbeat(note)
            await asyncio.sleep(every_seconds)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
