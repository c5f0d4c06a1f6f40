"""Redis and what speaks like it: whether it answers, its memory, and its largest keys."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime

from pydantic import SecretStr
from redis.exceptions import RedisError
from temporalio import activity

from activities.errors import Refused
from activities.redis_connection import RedisConnection, number, read_info, read_setting
from activities.redis_findings import Finding, failed, finding, said
from activities.redis_keys import Keys, ScanBudget, scan
from activities.redis_pings import Pinged, Pings, insisting
from activities.verification import Sample
from activities.words import Answer, Nothing


class Pong(Pinged):
    """Whether Redis answered a ping on a new connection."""

    milliseconds: float
    """From the first packet to the answer."""
    version: str = ""
    uptime_seconds: int | None = None
    """None: the server does not tell."""


class Memory(Answer):
    """What Redis says of its memory, and whether its data would survive a restart."""

    used_bytes: int
    max_bytes: int
    """The limit; of the whole host when none is set; 0: neither is known."""
    max_is_host: bool = False
    used_ratio: float | None = None
    """None: the limit is not known, which is not health."""
    policy: str = ""
    evicted_keys: int | None = None
    expired_keys: int | None = None
    refused_writes: int | None = None
    """Commands answered with OOM since the start or the last reset of the statistics."""
    fragmentation_bytes: int | None = None
    """Lost between the pieces; the usual ratio means nothing on little data."""
    keys: int | None = None
    expiring_keys: int | None = None
    """How many of them have an expiry."""
    resident_bytes: int | None = None
    """What the process takes of its host, which a snapshot may take once more."""
    host_bytes: int | None = None
    """The host's memory, used or not."""
    rdb: bool | None = None
    """Snapshots are switched on. None: the server does not tell."""
    aof: bool | None = None
    """The append-only file is switched on. None: the server does not tell."""
    last_save_failed: bool | None = None
    seconds_since_save: int | None = None

    @property
    def persists(self) -> bool | None:
        """Whether a restart keeps the data, but for the last moments; None: unknown."""
        if self.last_save_failed and not self.aof:
            return False
        if self.rdb or self.aof:
            return True
        return None if self.rdb is None or self.aof is None else False


class Redis:
    """Asks Redis how it is, on a new connection for each question."""

    def __init__(self, url: SecretStr, *, seconds: float = 3.0) -> None:
        self._redis = RedisConnection(url, seconds=seconds)
        self._seconds = seconds

    @activity.defn(name="redis.ping")
    async def ping(self, ask: Pings) -> Pong:
        """Open a new connection and ping; an unreachable Redis is an answer too."""
        return await insisting(ask, self._ping)

    async def _ping(self) -> Pong:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds * 2), self._redis.client() as client:
                await client.ping()
                milliseconds = _since(begun)
                info = await read_info(client, "server", "replication")
        except (RedisError, OSError, TimeoutError) as error:
            kind = finding(error)
            text = failed(error).message if kind is Finding.DNS else said(error)
            return Pong(answered=False, finding=kind, said=text, milliseconds=_since(begun))
        readonly = info.get("role") == "slave" and bool(info.get("slave_read_only", 1))
        return Pong(
            answered=True,
            finding=Finding.READONLY if readonly else Finding.NONE,
            said=f"a replica of {info.get('master_host', '?')}" if readonly else "",
            milliseconds=milliseconds,
            version=str(info.get("valkey_version") or info.get("redis_version", "")),
            uptime_seconds=number(info, "uptime_in_seconds"),
        )

    async def ping_sample(self) -> Sample:
        """Look once whether Redis answers; unknown when it is we who cannot ask."""
        pong = await self._ping()
        note = f"Redis: {pong.finding}: {pong.said}" if pong.finding else ""
        return Sample(
            at=datetime.now(UTC),
            good=None if pong.finding.blind else pong.answered,
            value=pong.milliseconds / 1000 if pong.answered else None,
            note=note,
        )

    @activity.defn(name="redis.memory")
    async def memory(self, ask: Nothing) -> Memory:  # noqa: ARG002
        """Read the memory in use, its limit and policy, and what is kept on disk."""
        async with self._redis.asking() as client:
            sections = ("memory", "stats", "persistence", "keyspace", "errorstats")
            info = await read_info(client, *sections)
            save = await read_setting(client, "save")
        if "used_memory" not in info:
            raise Refused("Redis does not tell its memory: our user may not use INFO")
        limit = number(info, "maxmemory") or 0
        host = number(info, "total_system_memory") or 0
        # Replicas' buffers are in "used" but not in what Redis holds against the limit.
        used = int(info["used_memory"]) - (number(info, "mem_not_counted_for_evict") or 0)
        most = limit or host
        saved = number(info, "rdb_last_save_time")
        databases = [part for name, part in info.items() if re.fullmatch(r"db\d+", name)]
        return Memory(
            used_bytes=used,
            max_bytes=most,
            max_is_host=not limit and bool(host),
            used_ratio=round(used / most, 4) if most else None,
            policy=info.get("maxmemory_policy", ""),
            evicted_keys=number(info, "evicted_keys"),
            expired_keys=number(info, "expired_keys"),
            refused_writes=info.get("errorstat_OOM", {}).get("count", 0),
            fragmentation_bytes=number(info, "allocator_frag_bytes"),
            keys=sum(part["keys"] for part in databases),
            expiring_keys=sum(part.get("expires", 0) for part in databases),
            resident_bytes=number(info, "used_memory_rss"),
            host_bytes=host or None,
            rdb=None if save is None else bool(save.strip()),
            aof=None if "aof_enabled" not in info else bool(info["aof_enabled"]),
            last_save_failed=None
            if "rdb_last_bgsave_status" not in info
            else info["rdb_last_bgsave_status"] != "ok",
            seconds_since_save=None if saved is None else max(0, int(time.time()) - saved),
        )

    @activity.defn(name="redis.biggest_keys")
    async def biggest_keys(self, ask: ScanBudget) -> Keys:
        """Measure keys page by page until the budget ends, and name the largest."""
        async with self._redis.asking() as client:
            return await scan(client, ask)


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
