import asyncio

import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.errors import Ambiguous, Refused, Unavailable
from activities.postgres_indexes import State
from tests.activities.databases import Server, run, until
from tests.activities.indexes import (
    NAME,
    ORDER,
    builder_waits,
    indexing,
    make,
    state,
)


@pytest.fixture
async def database(postgres: Server, organizations):
    async with postgres.database() as database:
        yield database


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
