"""Making room in a Redis: expired keys are dropped, and disposable ones where a person says so.

Both walk the keys page by page within a budget, as `redis_keys` does, and never block Redis. The
cursor stands in the heartbeats: an attempt that follows a crash goes on where the one before was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import redis.asyncio
from pydantic import Field
from temporalio import activity

from activities.changes import Targets, attempt
from activities.errors import NotConfigured, Refused
from activities.redis_config import TARGET
from activities.redis_connection import RedisConnection, number, read_info
from activities.words import Answer, Done, Name, Order

_MEBIBYTE = 2**20


class Walk(Order):
    """How much of the key space to walk."""

    seconds: float = Field(default=60.0, gt=0, le=600)
    keys: int = Field(default=500_000, gt=0, le=10_000_000)
    per_page: int = Field(default=500, gt=0, le=2000)
    pause_seconds: float = Field(default=0.01, ge=0, le=1)
    """Between pages, in which Redis serves the others."""


class DropExpired(Order):
    """An order to touch keys, so that Redis drops those that have expired."""

    walk: Walk = Walk()


class DeletePrefix(Order):
    """An order to delete the keys whose names begin with *prefix*, which the settings name."""

    prefix: Name
    walk: Walk = Walk()


class CleaningBefore(Answer):
    """What Redis held before."""

    keys: int
    used_bytes: int | None = None
    expired_keys: int | None = None
    """Dropped since the start or the last reset of the statistics."""


class _Progress(Answer):
    """How far a walk has come: what an attempt leaves to the next."""

    cursor: int = 0
    begun: bool = False
    seen: int = 0
    deleted: int = 0
    seconds: float = 0.0


Page = Callable[[redis.asyncio.Redis, list[str]], Awaitable[int]]
"""Does something to the keys of a page, and says how many are gone by it."""


class RedisCleaning:
    """Makes room in one Redis; *disposable* are the prefixes whose keys nobody misses."""

    def __init__(
        self, connection: RedisConnection, targets: Targets, *, disposable: Collection[str]
    ) -> None:
        self._redis = connection
        self._targets = targets
        self._disposable = frozenset(disposable)

    @activity.defn(name="redis.drop_expired.read")
    async def drop_expired_read(self, order: DropExpired) -> CleaningBefore:  # noqa: ARG002
        """Read what Redis holds."""
        return await self._read()

    @activity.defn(name="redis.drop_expired")
    async def drop_expired(self, order: DropExpired, before: CleaningBefore) -> Done:
        """Touch keys within the budget; only reads are sent."""
        with attempt():
            progress, complete = await self._walk(order.walk, _touch)
            after = await self._read()
        dropped = max(0, (after.expired_keys or 0) - (before.expired_keys or 0))
        return Done(
            said=f"looked at {_of(progress.seen, complete)}: Redis dropped {dropped} expired ones"
            f"{_freed(before, after)}",
            changed=dropped > 0,
        )

    @activity.defn(name="redis.delete_prefix.read")
    async def delete_prefix_read(self, order: DeletePrefix) -> CleaningBefore:
        """Read what Redis holds, if the prefix is one of the settings'."""
        self._allow(order.prefix)
        return await self._read()

    @activity.defn(name="redis.delete_prefix")
    async def delete_prefix(self, order: DeletePrefix, before: CleaningBefore) -> Done:
        """Delete the keys of the prefix within the budget, page by page, in the background."""
        prefix = order.prefix
        with attempt() as this:
            self._allow(prefix)

            async def unlink(client: redis.asyncio.Redis, names: list[str]) -> int:
                # The pattern has done it already; but what is deleted is looked at twice.
                ours = [name for name in names if name.startswith(prefix)]
                if not ours:
                    return 0
                gone = int(await client.unlink(*ours))
                this.acted()
                return gone

            progress, complete = await self._walk(order.walk, unlink, match=f"{_literal(prefix)}*")
            after = await self._read()
        return Done(
            # What an attempt that was lost had deleted is not counted.
            said=f"deleted {'' if this.first else 'at least '}{progress.deleted} keys"
            f" that begin with {prefix}"
            f"{'' if complete else ', and there may be more: the budget has ended'}"
            f"{_freed(before, after)}",
            changed=progress.deleted > 0 or not this.first,
        )

    async def _walk(
        self, walk: Walk, page: Page, *, match: str | None = None
    ) -> tuple[_Progress, bool]:
        """Do *page* to the keys, from where an earlier attempt was; say whether all were seen."""
        progress = _left()
        begun = time.monotonic() - progress.seconds
        async with (
            self._targets.one_at_a_time(TARGET),
            self._redis.changing() as client,
        ):
            complete = progress.begun and not progress.cursor
            while not complete and not _spent(walk, progress):
                cursor, names = await client.scan(progress.cursor, match=match, count=walk.per_page)
                gone = await page(client, [str(name) for name in names])
                progress = _Progress(
                    cursor=int(cursor),
                    begun=True,
                    # What the pattern leaves out is walked over too.
                    seen=progress.seen + (len(names) if match is None else walk.per_page),
                    deleted=progress.deleted + gone,
                    seconds=time.monotonic() - begun,
                )
                activity.heartbeat(progress.model_dump())
                complete = not cursor
                await asyncio.sleep(walk.pause_seconds)
        return progress, complete

    async def _read(self) -> CleaningBefore:
        async with self._redis.asking() as client:
            info = await read_info(client, "memory", "stats")
            keys = int(await client.dbsize())
        return CleaningBefore(
            keys=keys,
            used_bytes=number(info, "used_memory"),
            expired_keys=number(info, "expired_keys"),
        )

    def _allow(self, prefix: str) -> None:
        if not self._disposable:
            raise NotConfigured("deleting keys", "RESPONDER_GIVEN__REDIS_DISPOSABLE_PREFIXES")
        if prefix not in self._disposable:
            raise Refused(f"{prefix} is not among the disposable prefixes of the settings")


async def _touch(client: redis.asyncio.Redis, names: list[str]) -> int:
    """Look at keys without counting as a use of them: Redis drops what has expired."""
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.pttl(name)
    if names:
        await pipe.execute()
    return 0


def _left() -> _Progress:
    """Give how far the attempt before has come."""
    details = activity.info().heartbeat_details
    last = details[0] if details else None
    # A note of waiting for the target is no progress.
    return _Progress.model_validate(last) if isinstance(last, dict) else _Progress()


def _spent(walk: Walk, progress: _Progress) -> bool:
    return progress.seen >= walk.keys or progress.seconds >= walk.seconds


def _literal(prefix: str) -> str:
    """Escape what a pattern of Redis would take for more than itself."""
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in prefix)


def _of(seen: int, complete: bool) -> str:  # noqa: FBT001 (of a pair)
    return f"all {seen} keys" if complete else f"{seen} keys, not all: the budget has ended"


def _freed(before: CleaningBefore, after: CleaningBefore) -> str:
    if before.used_bytes is None or after.used_bytes is None:
        return ""
    was, now = before.used_bytes / _MEBIBYTE, after.used_bytes / _MEBIBYTE
    return f"; memory in use went from {was:.1f} to {now:.1f} MiB"
