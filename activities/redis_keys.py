"""The largest keys of a Redis, found without ever blocking it."""

from __future__ import annotations

import asyncio
import heapq
import re
import time
from collections import defaultdict
from statistics import median_low

import redis.asyncio
from pydantic import Field
from temporalio import activity

from activities.words import Answer, Order


class ScanBudget(Order):
    """How much of the key space to look at."""

    seconds: float = Field(default=5.0, gt=0, le=60)
    keys: int = Field(default=20_000, gt=0, le=1_000_000)
    per_page: int = Field(default=100, gt=0, le=1000)
    pause_seconds: float = Field(default=0.01, ge=0, le=1)
    """Between pages, in which Redis serves the others."""
    most: int = Field(default=20, gt=0, le=50)


class Key(Answer):
    """One key and what it takes."""

    name: str
    size_bytes: int
    kind: str = ""
    """string, list, hash and so on."""
    expires_in_seconds: int | None = None
    """None: never."""


class Prefix(Answer):
    """Keys whose names begin alike, up to the first colon."""

    name: str
    keys: int
    size_bytes: int
    without_expiry: int
    """How many of them never expire."""
    expires_in_seconds: int | None = None
    """Half of the others expire sooner than this; None: none of them does."""


class Keys(Answer):
    """The largest keys among those looked at."""

    biggest: tuple[Key, ...]
    prefixes: tuple[Prefix, ...]
    scanned: int
    total: int
    complete: bool
    """False: the budget ended first, so that a larger one may be elsewhere."""


async def scan(client: redis.asyncio.Redis, ask: ScanBudget) -> Keys:
    """Measure keys page by page until the budget ends."""
    begun = time.monotonic()
    sizes: dict[str, Key] = {}
    total = int(await client.dbsize())
    cursor = -1
    while cursor and len(sizes) < ask.keys and time.monotonic() - begun < ask.seconds:
        activity.heartbeat(f"{len(sizes)} of {total} keys")
        cursor, page = await client.scan(max(cursor, 0), count=ask.per_page)
        # A key that moves while Redis rehashes comes twice.
        fresh = [str(name) for name in page if name not in sizes]
        sizes.update(await _measure(client, fresh))
        await asyncio.sleep(ask.pause_seconds)
    measured = [key for key in sizes.values() if key.size_bytes]
    return Keys(
        biggest=tuple(
            key.model_copy(update={"name": shown(key.name)})
            for key in heapq.nlargest(ask.most, measured, key=lambda key: key.size_bytes)
        ),
        prefixes=_prefixes(measured, ask.most),
        scanned=len(sizes),
        total=total,
        complete=cursor == 0,
    )


def shown(name: str) -> str:
    """Give a key's name for people: what looks like a token or an id is shortened."""
    text = name.encode(errors="surrogateescape").decode(errors="replace")
    return re.sub(r"(?=[\w-]*\d)[\w-]{32,}", lambda token: f"{token[0][:6]}…", text)[:120]


async def _measure(client: redis.asyncio.Redis, names: list[str]) -> dict[str, Key]:
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.memory_usage(name)  # five samples; all of them would block Redis on a large key
        pipe.ttl(name)
        pipe.type(name)
    answers = await pipe.execute() if names else []
    return {
        name: Key(
            name=name,
            size_bytes=size or 0,
            kind=kind,
            expires_in_seconds=ttl if ttl >= 0 else None,
        )
        for name, size, ttl, kind in zip(
            names, answers[::3], answers[1::3], answers[2::3], strict=True
        )
    }


def _prefixes(keys: list[Key], most: int) -> tuple[Prefix, ...]:
    groups: defaultdict[str, list[Key]] = defaultdict(list)
    for key in keys:
        groups[shown(key.name.split(":", 1)[0])].append(key)
    found = [
        Prefix(
            name=name,
            keys=len(alike),
            size_bytes=sum(key.size_bytes for key in alike),
            without_expiry=sum(key.expires_in_seconds is None for key in alike),
            expires_in_seconds=median_low(lives) if lives else None,
        )
        for name, alike in groups.items()
        for lives in [[k.expires_in_seconds for k in alike if k.expires_in_seconds is not None]]
    ]
    return tuple(heapq.nlargest(most, found, key=lambda prefix: prefix.size_bytes))
