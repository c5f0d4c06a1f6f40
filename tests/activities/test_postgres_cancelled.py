"""A session whose statement was cancelled is idle: the approved one still, until it goes on."""

import psycopg
import pytest

from activities.changes import Targets
from activities.postgres_ending import Found, PostgresEnding
from tests.activities.at_work import end, find, order, pid
from tests.activities.databases import Server, run


@pytest.fixture
async def database(postgres: Server):
    async with postgres.database() as database:
        yield database


async def test_what_was_cancelled_still_holds_its_connection_and_can_be_terminated(database, busy):
    runs, task = await busy(autocommit=True)
    found = await find(database, pid(runs), state="active")
    what = order(found)
    await end(database, "cancel", what)
    with pytest.raises(psycopg.errors.QueryCanceled):
        await task

    before = await run(PostgresEnding(database, Targets()).terminate_read, what)
    done = await end(database, "terminate", what, before=before)

    [idle] = before.backends
    assert (idle.found, idle.state) == (Found.SAME, "idle")
    assert done.said == f"pid {found.pid} terminated"
    with pytest.raises(psycopg.OperationalError):
        await runs.execute("SELECT 1")


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["SELECT 2"], id="another statement has run since"),
        pytest.param(["BEGIN", "SELECT 2"], id="another transaction has begun since"),
        pytest.param(["SELECT pg_sleep(0)"], id="one like it has run since"),
    ],
)
async def test_a_cancelled_session_that_went_on_is_not_terminated(database, busy, statements):
    runs, task = await busy(autocommit=True)
    found = await find(database, pid(runs), state="active")
    await end(database, "cancel", order(found))
    with pytest.raises(psycopg.errors.QueryCanceled):
        await task
    for statement in statements:
        await runs.execute(statement)

    done = await end(database, "terminate", order(found))

    assert done.said == f"pid {found.pid} now runs something else: left alone"
    await runs.execute("SELECT 3")


async def test_a_cancel_does_not_take_an_idle_session_for_the_approved_one(database, busy):
    runs, task = await busy(autocommit=True)
    found = await find(database, pid(runs), state="active")
    await end(database, "cancel", order(found))
    with pytest.raises(psycopg.errors.QueryCanceled):
        await task

    again = await end(database, "cancel", order(found))

    assert again.said == f"pid {found.pid} now runs something else: left alone"
    assert not again.changed
