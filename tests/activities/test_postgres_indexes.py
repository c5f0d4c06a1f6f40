import asyncio

import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unavailable
from activities.postgres_indexes import DEFINITIONS, CreateIndex, Index, PostgresIndexes, State
from activities.postgres_indexing import PostgresIndexing
from activities.words import Nothing
from tests.activities.databases import Server, run, until

NAME = Index.ORGANIZATIONS_CREATED_AT
ORDER = CreateIndex(name=NAME, disk_free_ratio=0.5)
INVALID = f"""
UPDATE pg_index SET indisvalid = false, indisready = false
WHERE indexrelid = 'public.{NAME}'::regclass
"""  # noqa: S608 (ours)


@pytest.fixture
async def organizations(postgres: Server):
    """The runbook's first table, as the application made it."""
    await postgres.admin(
        "CREATE TABLE organizations (id bigserial PRIMARY KEY, created_at timestamptz, name text);"
        "INSERT INTO organizations (created_at, name)"
        " SELECT now() - n * interval '1 minute', 'n' || n FROM generate_series(1, 5000) AS n;"
        "ANALYZE organizations; ALTER TABLE organizations OWNER TO app"
    )
    yield "organizations"
    await postgres.admin("DROP TABLE organizations")


@pytest.fixture
async def database(postgres: Server, organizations):
    async with postgres.database() as database:
        yield database


@pytest.fixture
async def holder(organizations, sessions):
    """A session that an index on the table has to wait for."""
    session = await sessions(application_name="report")
    await session.execute("UPDATE organizations SET name = 'held' WHERE id = 1")
    return session


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


async def test_each_of_the_five_is_looked_at(database):
    found = await run(PostgresIndexes(database).missing_indexes, Nothing())

    assert [index.name for index in found.indexes] == list(Index)
    assert [index.name for index in found.missing] == [NAME]
    first = found.indexes[0]
    assert first.state is State.MISSING
    assert first.can_be_made
    assert first.rows == 5000
    assert first.table_bytes > 100_000
    assert not any(index.table_exists for index in found.indexes[1:])


@pytest.mark.parametrize(
    ("done", "found", "covered"),
    [
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (created_at)",
            State.VALID,
            "",
            id="one that is there is valid",
        ),
        pytest.param(
            "CREATE INDEX by_age ON organizations (created_at, name)",
            State.MISSING,
            "by_age",
            id="one by another name serves as well",
        ),
        pytest.param(
            "CREATE INDEX recent ON organizations (created_at) WHERE id > 100",
            State.MISSING,
            "",
            id="one with a condition does not",
        ),
        pytest.param(
            "CREATE INDEX by_name ON organizations (name, created_at)",
            State.MISSING,
            "",
            id="one that begins with another column does not",
        ),
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (name)",
            State.TAKEN,
            "",
            id="its name can be taken by another index",
        ),
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (created_at); {INVALID}",
            State.INVALID,
            "",
            id="what a failed build left is not an index",
        ),
        pytest.param(
            "ALTER TABLE organizations DROP created_at", State.MISSING, "", id="its column is gone"
        ),
    ],
)
async def test_what_there_is_is_told_apart(
    postgres: Server, database, done: str, found: State, covered: str
):
    await postgres.admin(done)

    seen = await state(database)

    assert seen.state is found
    assert seen.covered_by == covered
    assert seen.missing_columns == (("created_at",) if "DROP" in done else ())


async def test_an_index_is_looked_at_without_waiting_for_a_lock(database, sessions):
    holder = await sessions()
    await holder.execute("LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE")

    assert (await state(database)).state is State.MISSING
    await holder.rollback()


async def test_a_missing_index_is_made(postgres: Server, database):
    done = await make(database)

    assert done.said == f"{NAME} made on organizations"
    assert done.changed
    assert done.at is not None
    assert (await state(database)).state is State.VALID
    assert await definition(postgres) == (
        f"CREATE INDEX {NAME} ON public.organizations USING btree (created_at)"
    )


async def test_the_last_of_the_five_is_descending_as_in_the_runbook(postgres: Server, database):
    name = Index.LLM_LOGS_ORG_CREATED
    await postgres.admin(
        "CREATE TABLE llm_request_logs (organization_id int, created_at timestamptz);"
        "ALTER TABLE llm_request_logs OWNER TO app"
    )
    try:
        await make(database, CreateIndex(name=name, disk_free_ratio=0.2))
        assert (await definition(postgres, name)).endswith("(organization_id, created_at DESC)")
    finally:
        await postgres.admin("DROP TABLE llm_request_logs")


async def test_one_that_is_there_is_left_alone(database):
    await make(database)
    again = await make(database)

    assert again.said == f"{NAME} is there, and was before"
    assert not again.changed


async def test_a_second_attempt_finds_the_first_ones_index(database):
    before = await run(indexing(database).create_index_read, ORDER)
    await make(database, before=before)

    again = await make(database, before=before, attempt=2)

    assert again.said == f"{NAME} is there, built before this attempt"
    assert again.changed


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        pytest.param(None, "it is not known", id="free space that is not known refuses"),
        pytest.param(0.19, "it is 19%", id="a disk that is nearly full refuses"),
    ],
)
async def test_the_disk_must_have_room(database, ratio: float | None, said: str):
    with pytest.raises(Refused, match=said):
        await make(database, CreateIndex(name=NAME, disk_free_ratio=ratio))

    assert (await state(database)).state is State.MISSING


@pytest.mark.parametrize(
    ("done", "said"),
    [
        pytest.param(
            f"CREATE VIEW {NAME} AS SELECT 1", "something else is called", id="its name is taken"
        ),
        pytest.param(
            "CREATE INDEX by_age ON organizations (created_at)",
            "by_age does the same",
            id="another one serves",
        ),
        pytest.param(
            "ALTER TABLE organizations RENAME created_at TO made_at",
            "no column created_at",
            id="there is no such column",
        ),
        pytest.param(
            "ALTER TABLE organizations OWNER TO postgres", "must be owner", id="it is not ours"
        ),
    ],
)
async def test_what_cannot_be_made_is_refused(postgres: Server, database, done: str, said: str):
    await postgres.admin(done)
    try:
        with pytest.raises(Refused, match=said):
            await make(database)
    finally:
        await postgres.admin(f"DROP VIEW IF EXISTS {NAME}" if "VIEW" in done else "SELECT 1")


async def test_a_table_that_is_not_there_is_refused(database):
    order = CreateIndex(name=Index.USERS_ORGANIZATION_ID, disk_free_ratio=0.5)

    with pytest.raises(Refused, match=r"no table in public\.users"):
        await make(database, order)


async def test_a_partitioned_table_is_left_to_a_person(postgres: Server, database):
    await postgres.admin(
        "CREATE TABLE users (organization_id int) PARTITION BY HASH (organization_id)"
    )
    try:
        with pytest.raises(Refused, match="partitioned"):
            await make(database, CreateIndex(name=Index.USERS_ORGANIZATION_ID, disk_free_ratio=0.5))
    finally:
        await postgres.admin("DROP TABLE users")


async def test_an_old_transaction_must_end_first(database, holder):
    before = await run(indexing(database, old=0.0).create_index_read, ORDER)

    with pytest.raises(Refused, match=rf"pid {holder.info.backend_pid} \(report\).*end that first"):
        await make(database, old=0.0)

    assert holder.info.backend_pid in {old.pid for old in before.old_transactions}
    assert (await state(database)).state is State.MISSING


async def test_a_blind_role_is_refused(postgres: Server, organizations):
    async with postgres.database("blind") as database:
        with pytest.raises(Refused, match="pg_read_all_stats"):
            await run(indexing(database).create_index_read, ORDER)


async def test_an_invalid_leftover_is_replaced(postgres: Server, database):
    await postgres.admin(f"CREATE INDEX {NAME} ON organizations (created_at); {INVALID}")

    done = await make(database)

    assert done.changed
    assert (await state(database)).state is State.VALID


async def test_waiting_too_long_gives_up_and_names_what_is_left(database, holder):
    waited = rf"waited 2\.5 s.*waits for pid {holder.info.backend_pid}"

    # Whoever holds up the building holds up the dropping too.
    with pytest.raises(Unavailable, match=rf"{waited}.*DROP INDEX CONCURRENTLY public\.{NAME}"):
        await make(database, lock=2.5)

    assert (await state(database)).state is State.INVALID
    await holder.rollback()
    assert (await make(database, attempt=2)).changed
    assert (await state(database)).state is State.VALID


async def test_progress_is_told_as_heartbeats(postgres: Server, database, holder):
    env = ActivityEnvironment()
    told: list[str] = []
    env.on_heartbeat = told.append
    indexes = indexing(database)
    before = await run(indexes.create_index_read, ORDER)
    making = asyncio.create_task(env.run(indexes.create_index, ORDER, before))
    await builder_waits(postgres)

    async def said():
        return any(f"waits for pid {holder.info.backend_pid}" in note for note in told)

    await until(said)
    await holder.rollback()
    assert (await making).changed


async def test_a_cancelled_activity_ends_the_build_and_leaves_nothing(
    postgres: Server, database, holder
):
    env = ActivityEnvironment()
    indexes = indexing(database)
    before = await run(indexes.create_index_read, ORDER)
    making = asyncio.create_task(env.run(indexes.create_index, ORDER, before))
    await builder_waits(postgres)
    # The cleaning has to wait for the same transaction.
    freed = asyncio.get_running_loop().call_later(0.3, asyncio.ensure_future, holder.rollback())

    env.cancel()

    with pytest.raises(asyncio.CancelledError):
        await making
    freed.cancel()
    assert (await state(database)).state is State.MISSING
    assert not await postgres.admin("SELECT 1 FROM pg_stat_progress_create_index")


async def test_a_build_that_outlived_its_worker_is_waited_for(postgres: Server, database, holder):
    before = await run(indexing(database).create_index_read, ORDER)
    orphan = await postgres.session(user="responder", application_name="incident-responder")
    await orphan.set_autocommit(True)
    building = asyncio.create_task(
        orphan.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON organizations (created_at)")
    )
    await builder_waits(postgres)
    assert (await state(database)).state is State.BUILDING
    making = asyncio.create_task(make(database, before=before, attempt=2))
    await asyncio.sleep(0.05)
    await holder.rollback()
    await building

    done = await making

    assert done.said == f"{NAME} is there, built before this attempt"
    assert done.changed
    await orphan.close()


async def test_a_build_that_outlived_its_worker_is_ended_when_people_say_stop(
    postgres: Server, database, holder
):
    orphan = await postgres.session(user="responder", application_name="incident-responder")
    await orphan.set_autocommit(True)
    building = asyncio.create_task(
        orphan.execute(f"CREATE INDEX CONCURRENTLY {NAME} ON organizations (created_at)")
    )
    await builder_waits(postgres)
    env = ActivityEnvironment()
    waits = asyncio.Event()
    env.on_heartbeat = lambda note: "already" in note and waits.set()
    indexes = indexing(database)
    before = await run(indexes.create_index_read, ORDER)
    making = asyncio.create_task(env.run(indexes.create_index, ORDER, before))
    await asyncio.wait_for(waits.wait(), 5)
    freed = asyncio.get_running_loop().call_later(0.5, asyncio.ensure_future, holder.rollback())

    env.cancel()

    with pytest.raises(asyncio.CancelledError):
        await making
    with pytest.raises(psycopg.errors.QueryCanceled):
        await building
    freed.cancel()
    await orphan.close()
    assert (await state(database)).state is State.MISSING


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param("cancel", Refused, id="a person's cancel is a no"),
        pytest.param("terminate", Ambiguous, id="a lost connection leaves it open"),
    ],
)
async def test_a_build_ended_from_outside(
    postgres: Server, database, holder, verb: str, error: type[Exception]
):
    making = asyncio.create_task(make(database))
    builder = await builder_waits(postgres)
    await postgres.admin(f"SELECT pg_{verb}_backend({builder})")
    await holder.rollback()

    with pytest.raises(error):
        await making

    assert (await make(database, attempt=2)).changed
    assert (await state(database)).state is State.VALID


def test_every_index_has_its_definition():
    assert set(DEFINITIONS) == set(Index)
