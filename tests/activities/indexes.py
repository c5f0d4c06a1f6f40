"""How a test makes an index of the runbook, and looks at it."""

from activities.changes import Targets
from activities.postgres_indexes import CreateIndex, Index, PostgresIndexes
from activities.postgres_indexing import PostgresIndexing
from activities.words import Nothing
from tests.activities.databases import Server, run, until

NAME = Index.ORGANIZATIONS_CREATED_AT
ORDER = CreateIndex(name=NAME, disk_free_ratio=0.5)
INVALID = f"""
UPDATE pg_index SET indisvalid = false, indisready = false
WHERE indexrelid = 'public.{NAME}'::regclass
"""  # noqa: S608 (ours)


def indexing(database, *, lock=20.0, old=300.0) -> PostgresIndexing:
    return PostgresIndexing(database, Targets(), lock_seconds=lock, old_seconds=old)


async def make(database, order=ORDER, *, attempt=1, before=None, **limits):
    indexes = indexing(database, **limits)
    before = before or await run(indexes.create_index_read, order)
    return await run(indexes.create_index, order, before, attempt=attempt)


async def state(database, name=NAME):
    found = await run(PostgresIndexes(database).missing_indexes, Nothing())
    return next(index for index in found.indexes if index.name is name)


async def builder_waits(postgres: Server) -> int:
    """Wait until an index is being built and waits for somebody, and give the builder's pid."""

    async def waiting():
        rows = await postgres.admin(
            "SELECT pid FROM pg_stat_progress_create_index"
            " WHERE cardinality(pg_blocking_pids(pid)) > 0"
        )
        return rows and rows[0]["pid"]

    return await until(waiting)


async def definition(postgres: Server, name=NAME) -> str:
    rows = await postgres.admin(
        f"SELECT indexdef FROM pg_indexes WHERE indexname = '{name}'"  # noqa: S608 (ours)
    )
    return rows[0]["indexdef"] if rows else ""
