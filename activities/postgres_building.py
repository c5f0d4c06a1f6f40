"""One index being built: watched from a second connection, and cleaned up after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql
from temporalio import activity

from activities.changes import heartbeats
from activities.errors import Ambiguous, Failed, Refused, Unavailable, Unwell
from activities.postgres_connection import APPLICATION, Connection, Database
from activities.postgres_indexes import DEFINITIONS, SCHEMA, Index, State, state_of

_POLL_SECONDS = 2.0
_CLEAN_SECONDS = 10.0
"""How long the cleaning waits for a transaction: people may be waiting for the stop."""
_PROGRESS = """
SELECT phase, coalesce(100 * blocks_done / nullif(blocks_total, 0),
                       100 * tuples_done / nullif(tuples_total, 0)) AS percent,
       pg_blocking_pids(pid) AS waits_for
FROM pg_stat_progress_create_index WHERE pid = %(pid)s
"""
_CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE pid = %(pid)s AND application_name = %(application)s
"""


class Building:
    """Builds and drops indexes without locking out writes, and leaves no half of one behind."""

    def __init__(self, database: Database, *, lock_seconds: float, longest_seconds: float) -> None:
        self._database = database
        self._lock_seconds = lock_seconds
        self._longest_seconds = longest_seconds

    async def build(self, name: Index) -> None:
        """Build an index; when that fails or is cancelled, end it on the server and clean up."""
        try:
            await self._build(name)
        except asyncio.CancelledError:
            if left := await self._clean(name):
                activity.logger.warning("an index was left half built: %s", left)
            raise
        except Ambiguous:
            raise  # it may be building still: the next attempt waits for that one
        except Failed as error:
            if left := await self._clean(name):
                kind = Unwell if isinstance(error, Refused) else type(error)
                raise kind(f"{error.message}; {left}") from None
            raise

    async def drop(self, name: Index, *, lock_seconds: float | None = None) -> None:
        """Drop what a build that failed left behind."""
        limit = self._lock_seconds if lock_seconds is None else lock_seconds
        drop = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}")
        async with heartbeats(f"dropping the invalid {name}"), self._altering(limit) as session:
            await session.execute(drop.format(sql.Identifier(SCHEMA, name.value)))

    async def wait(self, name: Index) -> bool:
        """Wait while anybody builds it, as PostgreSQL does on when a worker is killed."""
        waited = False
        try:
            async with self._database.session(seconds=self._longest_seconds) as session:
                while (now := await state_of(session, name)).state is State.BUILDING:
                    waited = True
                    activity.heartbeat(f"{name} is being built by pid {now.builder} already")
                    await asyncio.sleep(_POLL_SECONDS)
        except asyncio.CancelledError:
            await self._clean(name)
            raise
        return waited

    async def _build(self, name: Index) -> None:
        table, columns, descending = DEFINITIONS[name]
        create = sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} ({})").format(
            sql.Identifier(name.value),
            sql.Identifier(SCHEMA, table),
            sql.SQL(", ").join(
                sql.SQL("{} DESC" if column in descending else "{}").format(sql.Identifier(column))
                for column in columns
            ),
        )
        async with self._altering(self._lock_seconds) as session:
            try:
                async with self._progress(name, session.info.backend_pid) as notes:
                    await session.execute(create)
            except psycopg.errors.LockNotAvailable:
                waited = f"{name} waited {self._lock_seconds:g} s for other transactions"
                raise Unavailable(f"{waited} ({notes[-1]})") from None
            except psycopg.errors.QueryCanceled:
                raise Refused(f"somebody cancelled the building of {name}") from None
            except psycopg.errors.DiskFull:
                raise Refused(f"the disk was full while {name} was built") from None

    @asynccontextmanager
    async def _altering(self, lock_seconds: float) -> AsyncIterator[Connection]:
        async with self._database.session(
            seconds=self._longest_seconds, writes=True, keep=False
        ) as session:
            if session.pooled:
                raise Refused("an index cannot be made through a pooler: name the database itself")
            # No end for the statement: one that is cut off leaves an invalid index behind.
            await session.execute(
                "SET default_transaction_read_only TO off; SET statement_timeout TO 0;"
                f"SET lock_timeout TO {int(lock_seconds * 1000)}"
            )
            yield session

    @asynccontextmanager
    async def _progress(self, name: Index, pid: int) -> AsyncIterator[list[str]]:
        """Heartbeat what the server says of the build; the last note is the last one given."""
        notes = [f"{name} begins"]

        async def tell() -> None:
            while True:
                try:
                    async with self._database.session(seconds=self._longest_seconds) as session:
                        while True:
                            notes[:] = [f"{name}: {await _phase(session, pid)}"]
                            activity.heartbeat(notes[-1])
                            await asyncio.sleep(_POLL_SECONDS)
                except Failed as error:
                    activity.heartbeat(f"{name}: progress not known: {error.message}")
                    await asyncio.sleep(_POLL_SECONDS)

        teller = asyncio.create_task(tell())
        try:
            yield notes
        finally:
            teller.cancel()
            await asyncio.gather(teller, return_exceptions=True)

    async def _clean(self, name: Index) -> str:
        """End what we still build and drop what it left; say what could not be cleaned."""
        by_hand = f"look for an invalid {name}, and DROP INDEX CONCURRENTLY {SCHEMA}.{name}"
        try:
            async with self._database.session(seconds=30.0) as session:
                while (now := await state_of(session, name)).builder:
                    about = {"pid": now.builder, "application": APPLICATION}
                    if not await (await session.execute(_CANCEL, about)).fetchone():
                        return ""  # somebody else builds it, and that is theirs
                    activity.heartbeat(f"{name}: ending pid {now.builder}")
                    await asyncio.sleep(0.2)
            if now.state is State.INVALID:
                await self.drop(name, lock_seconds=min(self._lock_seconds, _CLEAN_SECONDS))
        except Failed as error:
            return f"{by_hand} ({error.message})"
        return ""


async def _phase(session: Connection, pid: int) -> str:
    row = await (await session.execute(_PROGRESS, {"pid": pid})).fetchone()
    if row is None:
        return "between two phases"
    percent = "" if row["percent"] is None else f", {row['percent']} %"
    waits = ", ".join(str(blocker) for blocker in row["waits_for"])
    return f"{row['phase']}{percent}" + (f", waits for pid {waits}" if waits else "")
