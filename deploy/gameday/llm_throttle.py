"""The platform's own throttle: so many requests a minute to the models, by organization."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

import redis.asyncio
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

KEY = "llm:throttled"
TOKEN = "throttle-stand-in"  # noqa: S105 (it opens nothing outside of the game day)
_WINDOW_SECONDS = 10


class Throttle:
    """Rates that all instances share, kept in Redis; without Redis nobody is slowed down."""

    def __init__(self, url: str, *, broken: Callable[[], bool] = lambda: False) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, decode_responses=True, socket_timeout=1)
        self._broken = broken

    async def close(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    async def serve(self, request: Request) -> Response:
        """Show the rates, or change those that are named; null lifts one."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": "unauthorized"}, status_code=401)
        try:
            if request.method == "POST":
                await self._change(json.loads(await request.body())["organizations"])
            return JSONResponse({"organizations": await self.rates()})
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"error": "organizations: wanted by name"}, status_code=400)
        except (RedisError, OSError):
            return JSONResponse({"error": "the rates cannot be read"}, status_code=503)

    async def rates(self) -> dict[str, int]:
        """Give the rates of those that have one."""
        found = await self._redis.hgetall(KEY)
        return {str(name): int(rate) for name, rate in found.items()}

    async def lets(self, organization: str) -> bool:
        """Tell whether one more request of *organization* may go on."""
        if self._broken():
            return True
        with contextlib.suppress(RedisError, OSError):
            rate = await self._redis.hget(KEY, organization)
            if rate is not None:
                window = f"{KEY}:{organization}:{int(time.time() / _WINDOW_SECONDS)}"
                used = await self._redis.incr(window)
                await self._redis.expire(window, 2 * _WINDOW_SECONDS)
                return bool(used <= int(rate) * _WINDOW_SECONDS / 60)
        return True

    async def _change(self, wanted: dict[str, int | None]) -> None:
        lifted = [name for name, rate in wanted.items() if rate is None]
        rates = {name: int(rate) for name, rate in wanted.items() if rate is not None}
        if any(rate < 0 for rate in rates.values()):
            raise ValueError
        if lifted:
            await self._redis.hdel(KEY, *lifted)
        if rates:
            await self._redis.hset(KEY, mapping={name: str(rate) for name, rate in rates.items()})
