import pytest

from activities.errors import Refused
from activities.postgres_indexes import CreateIndex, Index, State
from tests.activities.databases import Server, run
from tests.activities.indexes import (
    INVALID,
    NAME,
    ORDER,
    definition,
    indexing,
    make,
    state,
)


@pytest.fixture
async def database(postgres: Server, organizations):
    async with postgres.database() as database:
        yield database


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
