"""One instance of the Pravado API: a process, as pm2 starts it.

An instance works on `SLOTS` requests at a time and each takes `WORK_SECONDS` of waiting, which
stands for the work that a real one spends its processor on. So it carries about 20 requests a
second whatever the machine; what comes beyond that queues, and another instance truly helps.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.behaving import Behaving
from deploy.gameday.cache import Cache, CacheDown, InMemory, InRedis
from deploy.gameday.faults import CRASH, Faults
from deploy.gameday.meters import Meters
from deploy.gameday.part import Endpoint
from deploy.gameday.parts import PARTS
from deploy.gameday.switches import Settings

SLOTS = 2
WORK_SECONDS = 0.095
LOOK_SECONDS = 0.5
LOOK_TIMEOUT_SECONDS = 1.0


class Api:
    """The routes of an instance, and what they stand on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.meters = Meters()
        self.redis = InRedis(settings.redis_url)
        self.cache: Cache = InMemory() if settings.in_memory_cache else self.redis
        self.pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            settings.database_url,
            # Held from the start, so that the server's count of sessions moves only with a cause.
            min_size=settings.pool_max,
            max_size=settings.pool_max,
            timeout=settings.connect_timeout_seconds,
            kwargs={"autocommit": True, "application_name": "pravado-api", "connect_timeout": 2},
            open=False,
        )
        self.slots = asyncio.Semaphore(SLOTS)
        self.work_seconds = WORK_SECONDS
        self.faults = Faults.of_environment()
        self.behaving = Behaving(os.environ, self.faults)
        self.parts = [kind(self, os.environ) for kind in PARTS]

    def app(self) -> Starlette:
        """Make the application."""
        of_parts = [
            Route(path, self._measured(path, serve), methods=[method])
            for part in self.parts
            for (method, path), serve in part.routes().items()
        ]
        return Starlette(
            routes=[
                *of_parts,
                Route("/healthz", self.health),
                Route("/metrics", self.metrics),
            ],
            lifespan=self._lifespan,
        )

    async def health(self, _request: Request) -> Response:
        """Say that the process is there; what it stands on has metrics of its own."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        """Give the series in Prometheus's format."""
        found = self.pool.get_stats()
        self.meters.pool_size.set(found.get("pool_size", 0))
        self.meters.pool_max.set(self.settings.pool_max)
        self.meters.pool_free.set(found.get("pool_available", 0))
        self.meters.pool_waiting.set(found.get("requests_waiting", 0))
        return Response(generate_latest(self.meters.registry), media_type=CONTENT_TYPE_LATEST)

    async def query(self, kind: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database, counted and timed."""
        with self.meters.query_seconds.labels(kind).time():
            async with self.pool.connection() as connection:
                cursor = await connection.execute(statement.encode(), values)
                return await cursor.fetchall()

    def _measured(self, route: str, serve: Endpoint) -> Endpoint:
        """Count and time an endpoint, and turn what it stands on being away into a status."""

        async def measured(request: Request) -> Response:
            began = time.perf_counter()
            try:
                answer = await self.behaving.meet() or await serve(request)
            except (CacheDown, psycopg.OperationalError, PoolTimeout) as error:
                answer = self._failed(route, 503, error)
            except TimeoutError as error:
                answer = self._failed(route, 504, error)
            except Exception as error:  # noqa: BLE001 (an API answers 500, whatever it was)
                answer = self._failed(route, 500, error)
            self.meters.answered(route, answer.status_code, time.perf_counter() - began)
            return answer

        return measured

    def _failed(self, route: str, status: int, error: Exception) -> Response:
        say("error", f"{route} answered {status}: {type(error).__name__}: {error}")
        return JSONResponse({"error": type(error).__name__}, status_code=status)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await self.pool.open(wait=False)
        watches = [
            asyncio.create_task(self._every(LOOK_SECONDS, self._look_at_redis)),
            asyncio.create_task(self._every(2 * LOOK_SECONDS, self._look_at_sessions)),
            *(
                asyncio.create_task(self._every(seconds, look))
                for part in self.parts
                for look, seconds in part.looks().items()
            ),
        ]
        cache = "memory" if self.settings.in_memory_cache else "Redis"
        say("info", f"listening on {self.settings.port}, cache in {cache}")
        try:
            yield
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            for part in self.parts:
                await part.close()
            await self.pool.close()
            await self.redis.close()

    async def _look_at_redis(self) -> None:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
                up = await self.redis.answers()
        except TimeoutError:
            up = False
        self.meters.redis_up.set(up)

    async def _look_at_sessions(self) -> None:
        statement = (
            "SELECT sum(numbackends)::int, current_setting('max_connections')::int"
            " FROM pg_stat_database"
        )
        used = most = float("nan")  # unread is unknown, not the last value for ever
        with contextlib.suppress(psycopg.Error, PoolTimeout, TimeoutError):
            async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
                [(used, most)] = await self.query("monitor", statement)
        self.meters.sessions.set(used)
        self.meters.most_sessions.set(most)

    @staticmethod
    async def _every(seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await look()
            except Exception as error:  # noqa: BLE001 (a look that fails must not be the last)
                say("error", f"{type(error).__name__}: {error}")
            await asyncio.sleep(seconds)


def say(level: str, text: str) -> None:
    """Write one line of the instance's log."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "msg": text}
    stream = sys.stderr if level == "error" else sys.stdout
    stream.write(json.dumps(line) + "\n")
    stream.flush()


def main() -> None:
    """Serve until asked to end."""
    settings = Settings.read(os.environ)
    if Faults.of_environment().text(CRASH):
        say("error", "Error: Cannot find module './billing'")
        sys.exit(1)
    # pm2 asks with SIGINT, which uvicorn would answer with a KeyboardInterrupt at the end.
    server = uvicorn.Server(
        uvicorn.Config(
            Api(settings).app(),
            host="127.0.0.1",
            port=settings.port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have ignored it
    main()
