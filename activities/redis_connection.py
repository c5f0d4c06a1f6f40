"""A connection to Redis, new for each question, and what INFO and CONFIG say on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from pydantic import SecretStr
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from activities.errors import Ambiguous
from activities.redis_findings import failed, said


class RedisConnection:
    """The way to one Redis; nothing stays open between questions."""

    def __init__(self, url: SecretStr, *, seconds: float = 3.0) -> None:
        try:
            redis.asyncio.connection.parse_url(url.get_secret_value())
        except ValueError:
            # Its text quotes the string, and with it the password.
            raise ValueError("the URL of Redis cannot be read") from None
        self._url = url
        self._seconds = seconds

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Connect; what goes wrong is raised in our words."""
        try:
            async with self.client() as client:
                yield client
        except (RedisError, OSError, TimeoutError) as error:
            # "from None": the cause may quote the host as typed, password and all.
            raise failed(error) from None

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Connect to change something: once it answers, silence leaves open whether it was done."""
        async with self.asking() as client:
            await client.ping()
            try:
                yield client
            except (redis.exceptions.ConnectionError, OSError, TimeoutError) as error:
                raise Ambiguous(f"Redis gave no answer to a change: {said(error)}") from None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Connect; what goes wrong is raised in the driver's words."""
        client = redis.asyncio.Redis.from_url(
            self._url.get_secret_value(),
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            retry=Retry(NoBackoff(), 0),
            # The plain protocol without greetings: a server in trouble answers what was asked.
            protocol=2,
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            decode_responses=True,
            encoding_errors="surrogateescape",  # a key may be any bytes, and is asked for by them
        )
        try:
            yield client
        finally:
            await client.aclose()


async def read_info(client: redis.asyncio.Redis, *sections: str) -> dict[str, Any]:
    """Read sections of INFO; one that our user may not read is left out."""
    found: dict[str, Any] = {}
    for section in sections:
        try:
            found |= await client.info(section)
        except redis.exceptions.NoPermissionError:
            continue
    return found


async def read_setting(client: redis.asyncio.Redis, name: str) -> str | None:
    """Read a setting; None where the server does not tell."""
    try:
        return (await client.config_get(name)).get(name)
    except redis.exceptions.ResponseError:
        return None  # providers refuse CONFIG, or have renamed it


def number(info: Mapping[str, Any], name: str) -> int | None:
    """Give a number of INFO, None where it is not told."""
    return int(info[name]) if name in info else None
