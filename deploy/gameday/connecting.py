"""What an instance of the API measures of its way to the database, and how that goes wrong."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import psycopg
from prometheus_client import Counter, Gauge
from psycopg_pool import PoolTimeout

from deploy.gameday.part import Part

if TYPE_CHECKING:
    from deploy.gameday.api import Api

FORGOTTEN = "forgotten transactions"
"""A fault: the processes, by pid, that keep their pool's connections in transactions.

They do it once: what is ended stays ended. As `ALL` every process does, again and again.
"""
ALL = "all"
_PAUSE_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_TIMEOUT_SECONDS = 1.0


class DatabaseConnections(Part):
    """Measures whether the database answers, and how full the pool is."""

    def __init__(self, api: "Api", environment: Mapping[str, str]) -> None:
        super().__init__(api, environment)
        registry = api.meters.registry
        about = "1 while this instance gets an answer to a SELECT."
        self._up = Gauge("db_up", about, registry=registry)
        self._up.set(float("nan"))  # not measured yet is neither 0 nor healthy
        about = "Connections this instance asked for and did not get."
        self._errors = Counter("db_connection_errors", about, registry=registry)
        self._counted = 0
        about = "Connections of the pool that are in use."
        Gauge("db_pool_in_use", about, registry=registry).set_function(self._in_use)
        self._holding: set[asyncio.Task[None]] = set()
        self._held_once = False

    def looks(self) -> Mapping[Callable[[], Awaitable[None]], float]:
        """Look at the database, at the pool, and at what is forgotten."""
        return {self._look: _LOOK_SECONDS, self._count: _LOOK_SECONDS / 2, self._forget: 0.3}

    async def close(self) -> None:
        """Let go of what is held."""
        for task in self._holding:
            task.cancel()
        await asyncio.gather(*self._holding, return_exceptions=True)

    def _in_use(self) -> float:
        found = self.api.pool.get_stats()
        return float(found.get("pool_size", 0) - found.get("pool_available", 0))

    async def _look(self) -> None:
        """Ask on a connection of its own: a full pool is not a database that is down."""
        up = False
        with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                connection = await psycopg.AsyncConnection.connect(
                    self.api.settings.database_url, application_name="pravado-api"
                )
                async with connection:
                    await connection.execute("SELECT 1")
                up = True
        self._up.set(up)
        if not up:
            self._errors.inc()

    async def _count(self) -> None:
        found = self.api.pool.get_stats()
        failed = found.get("requests_errors", 0) + found.get("connections_errors", 0)
        self._errors.inc(max(0, failed - self._counted))
        self._counted = failed

    async def _forget(self) -> None:
        """Keep connections of the pool in transactions, as far as the fault says so."""
        fault = self.api.faults.text(FORGOTTEN)
        if not fault:
            for task in self._holding:
                task.cancel()
            return
        if fault == ALL:
            while len(self._holding) < self.api.settings.pool_max:
                self._hold()
        elif str(os.getpid()) in fault.split():
            if not self._held_once:
                self._held_once = True
                for _ in range(self.api.settings.pool_max):
                    self._hold()
            elif not self._holding:
                self.api.faults.mend(FORGOTTEN)

    def _hold(self) -> None:
        task = asyncio.create_task(self._keep())
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)

    async def _keep(self) -> None:
        """Begin a transaction, and never end it; a pool may still have to come back for that."""
        begun = False
        while not begun:
            with contextlib.suppress(psycopg.Error, PoolTimeout, ConnectionError):
                async with self.api.pool.connection() as connection:
                    await connection.execute("BEGIN")
                    await connection.execute("SELECT count(*) FROM users")
                    begun = True
                    await _until_closed(connection)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _until_closed(connection: psycopg.AsyncConnection[Any]) -> None:
    """Wait until somebody ends the session; an idle one only learns it by its socket."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(connection.fileno(), closed.set)
    try:
        await closed.wait()
    finally:
        loop.remove_reader(connection.fileno())
    raise psycopg.OperationalError
