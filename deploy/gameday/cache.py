"""Where an instance keeps what it would have to ask the database again."""

import asyncio
import contextlib
import time
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from deploy.gameday.faults import Faults

KEPT_SECONDS = 20
"""What an hour of a real platform is here."""
SHORT_LIVED = "cache.short_lived"
"""The fault that shortens the life of stable data; its text says how many times."""
STABLE = ("orgs", "dashboard")
"""What changes rarely: its life is a setting."""
MOST_ENTRIES = 5000

_TRIES = 2
_BETWEEN_TRIES_SECONDS = 0.1


class CacheDown(RuntimeError):
    """The cache gives no answer."""


class Cache(Protocol):
    """Keeps texts for a while."""

    async def get(self, key: str) -> str | None:
        """Give what is kept under the key, if anything is."""

    async def put(self, key: str, text: str, seconds: float = KEPT_SECONDS) -> None:
        """Keep a text for so long."""


def lifetime(key: str, hours: float, faults: Faults) -> float:
    """Say for how many seconds a key lives; stable ones live for so many *hours*."""
    if key not in STABLE:
        return KEPT_SECONDS
    return KEPT_SECONDS * hours / float(faults.text(SHORT_LIVED) or 1)


class InRedis:
    """Keeps texts in Redis; while that is down, every look-up waits and then fails."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=1.0,
            socket_connect_timeout=1.0,
            retry=Retry(NoBackoff(), 0),
        )

    async def get(self, key: str) -> str | None:
        """Give what is kept under the key, if anything is."""
        for left in reversed(range(_TRIES)):
            try:
                found = await self._redis.get(key)
            except (RedisError, OSError) as error:
                if not left:
                    raise CacheDown(type(error).__name__) from error
                await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
            else:
                return found.decode() if isinstance(found, bytes) else found
        return None

    async def put(self, key: str, text: str, seconds: float = KEPT_SECONDS) -> None:
        """Keep a text; that Redis went away meanwhile is for the next look-up to find."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.set(key, text, px=max(1, round(seconds * 1000)))

    async def answers(self) -> bool:
        """Say whether Redis answers a ping."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Drop the connections."""
        await self._redis.aclose()


class InMemory:
    """Keeps texts in this process: each instance asks the database for itself."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, str]] = {}

    async def get(self, key: str) -> str | None:
        """Give what is kept under the key, if anything is."""
        until, text = self._kept.get(key, (0.0, ""))
        return text if time.monotonic() < until else None

    async def put(self, key: str, text: str, seconds: float = KEPT_SECONDS) -> None:
        """Keep a text for so long."""
        if len(self._kept) >= MOST_ENTRIES:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + seconds, text)
