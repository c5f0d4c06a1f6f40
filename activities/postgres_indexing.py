"""The change that makes an index of the runbook, when nothing speaks against it."""

from __future__ import annotations

from temporalio import activity

from activities.changes import Attempt, Targets, attempt
from activities.errors import Refused, Unavailable
from activities.postgres_building import Building
from activities.postgres_connection import WHY_BLIND, Connection, Database, sees
from activities.postgres_indexes import SCHEMA, CreateIndex, Index, IndexState, State, state_of
from activities.words import Answer, Done

DISK_FLOOR = 0.2
"""Under this free share of the disk no index is made."""
_TARGET = "postgres indexes"


class OldTransaction(Answer):
    """A transaction that has been open for long, which an index would have to wait for."""

    pid: int
    """0: a prepared transaction, which has no session."""
    age_seconds: float
    application: str = ""


class IndexBefore(Answer):
    """The index, its table and what stands in its way, before anything is done."""

    index: IndexState
    old_transactions: tuple[OldTransaction, ...] = ()


# Other databases' transactions and autovacuum's do not hold up an index of this one.
_OLD = """
SELECT pid, extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_seconds,
       coalesce(application_name, '') AS application
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND backend_type <> 'autovacuum worker'
  AND xact_start < clock_timestamp() - make_interval(secs => %(seconds)s)
UNION ALL
SELECT 0, extract(epoch FROM clock_timestamp() - prepared)::float8, 'prepared transaction ' || gid
FROM pg_prepared_xacts
WHERE database = current_database()
  AND prepared < clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY 2 DESC
"""


class PostgresIndexing:
    """Makes the indexes that the runbook names, one at a time."""

    def __init__(
        self,
        database: Database,
        targets: Targets,
        *,
        lock_seconds: float = 60.0,
        old_seconds: float = 300.0,
        longest_seconds: float = 6 * 3600.0,
    ) -> None:
        self._database = database
        self._targets = targets
        self._building = Building(
            database, lock_seconds=lock_seconds, longest_seconds=longest_seconds
        )
        self._old_seconds = old_seconds

    @activity.defn(name="postgres.create_index.read")
    async def create_index_read(self, order: CreateIndex) -> IndexBefore:
        """Look at the index, its table, and the transactions that it would have to wait for."""
        async with self._database.session() as session:
            return await self._before(session, order.name)

    @activity.defn(name="postgres.create_index")
    async def create_index(self, order: CreateIndex, before: IndexBefore) -> Done:
        """Make the index without locking out writes; done only when it is valid and ready."""
        if order.disk_free_ratio is None or order.disk_free_ratio < DISK_FLOOR:
            ratio = order.disk_free_ratio
            free = "not known" if ratio is None else f"{ratio:.0%}"
            raise Refused(f"{order.name} needs {DISK_FLOOR:.0%} of the disk free; it is {free}")
        with attempt() as this:
            async with self._targets.one_at_a_time(_TARGET):
                return await self._make(order.name, before.index, this)

    async def _make(self, name: Index, was: IndexState, this: Attempt) -> Done:
        waited = await self._building.wait(name)
        async with self._database.session() as session:
            now = await self._before(session, name)
        if now.index.state is State.VALID:
            ours = was.state is not State.VALID and (waited or not this.first)
            since = "built before this attempt" if ours else "and was before"
            return Done(said=f"{name} is there, {since}", changed=ours)
        _must_be_possible(now)
        if now.index.state is State.INVALID:
            await self._building.drop(name)
            this.acted()
        await self._building.build(name)
        async with self._database.session() as session:
            after = await state_of(session, name)
            row = await (await session.execute("SELECT clock_timestamp() AS at")).fetchone()
        if after.state is not State.VALID:
            raise Unavailable(f"{name} was built, but is {after.state}")
        at = row["at"] if row else None
        return Done(said=f"{name} made on {after.table}", at=at)

    async def _before(self, session: Connection, name: Index) -> IndexBefore:
        if not await sees(session):
            raise Refused(f"PostgreSQL: {WHY_BLIND}")
        cursor = await session.execute(_OLD, {"seconds": self._old_seconds})
        old = tuple(OldTransaction.model_validate(row) for row in await cursor.fetchall())
        return IndexBefore(index=await state_of(session, name), old_transactions=old)


def _must_be_possible(now: IndexBefore) -> None:
    index = now.index
    if index.state is State.TAKEN:
        raise Refused(f"something else is called {index.name} already")
    if not index.table_exists or index.missing_columns:
        lacks = (
            f"no column {', '.join(index.missing_columns)}" if index.table_exists else "no table"
        )
        raise Refused(f"{index.name}: there is {lacks} in {SCHEMA}.{index.table}")
    if index.covered_by:
        raise Refused(f"{index.name} is not needed: {index.covered_by} does the same")
    if index.partitioned:
        raise Refused(f"{SCHEMA}.{index.table} is partitioned: an index on it takes a person")
    if now.old_transactions:
        oldest = now.old_transactions[0]
        raise Refused(
            f"{index.name} would wait for pid {oldest.pid} ({oldest.application or 'no name'}),"
            f" in a transaction for {oldest.age_seconds:.0f} s: end that first"
        )
