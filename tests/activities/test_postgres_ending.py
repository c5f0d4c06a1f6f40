import asyncio
import contextlib
from datetime import timedelta

import psycopg
import pytest

from activities.changes import Targets
from activities.errors import Refused, Unwell
from activities.postgres_ending import EndSessions, Found, PostgresEnding
from activities.postgres_sessions import PostgresSessions
from tests.activities.at_work import CHANGE, NOW, end, find, order, pid
from tests.activities.databases import Server, run, until


@pytest.fixture
async def database(postgres: Server):
    async with postgres.database() as database:
        yield database


async def test_a_role_that_may_not_see_says_so_and_ends_nothing(postgres, database, busy):
    runs, task = await busy()
    found = await find(database, pid(runs))

    async with postgres.database("blind") as blind:
        seen = await run(PostgresSessions(blind).long_running, NOW)
        with pytest.raises(Refused, match="pg_read_all_stats"):
            await end(blind, "terminate", order(found))

    assert seen.blind
    assert "pg_read_all_stats" in seen.why_blind
    assert not seen.sessions
    assert not task.done()


async def test_a_role_that_may_see_but_not_signal_is_refused(postgres, database, busy):
    runs, task = await busy()
    found = await find(database, pid(runs))

    async with postgres.database("onlooker") as onlooker:
        with pytest.raises(Refused, match="grant pg_signal_backend"):
            await end(onlooker, "cancel", order(found))
        with pytest.raises(Unwell, match="grant pg_signal_backend"):
            await end(onlooker, "cancel", order(found), attempt=2)

    assert not task.done()


async def test_a_later_attempt_tells_of_each_session_though_it_may_end_none(
    postgres, database, busy
):
    (first, ended), (second, task) = await busy(), await busy()
    both = [await find(database, pid(each)) for each in (first, second)]
    what = order(*both)

    async with postgres.database("onlooker") as onlooker:
        before = await run(PostgresEnding(onlooker, Targets()).terminate_read, what)
        await end(database, "terminate", order(both[0]))
        done = await end(onlooker, "terminate", what, before=before, attempt=2)

    assert done.changed
    assert f"pid {both[0].pid} is gone, ended since it was read" in done.said
    assert f"pid {both[1].pid} not ours to end" in done.said
    assert not task.done()
    with contextlib.suppress(psycopg.Error):
        await ended


async def test_a_cancel_ends_the_statement_and_spares_the_session(database, busy):
    runs, task = await busy()
    found = await find(database, pid(runs), state="active")

    done = await end(database, "cancel", order(found))

    assert done.said == f"pid {found.pid} cancelled"
    assert done.changed
    assert done.at is not None
    with pytest.raises(psycopg.errors.QueryCanceled):
        await task
    await runs.rollback()
    await runs.execute("SELECT 1")


async def test_a_cancel_of_an_idle_transaction_is_useless_and_says_so(database, sessions):
    lazy = await sessions()
    await lazy.execute("SELECT 1")
    found = await find(database, pid(lazy), state="idle in transaction")

    done = await end(database, "cancel", order(found))

    assert "idle in transaction, where a cancel does nothing: left alone" in done.said
    assert not done.changed
    await lazy.execute("SELECT 1")


async def test_a_terminate_ends_the_root_and_lets_the_others_go_on(database, sessions, busy, table):
    root = await sessions()
    await root.execute(CHANGE)
    _, waiter = await busy(CHANGE)
    found = await find(database, pid(root), blocks=1)

    done = await end(database, "terminate", order(found))

    assert done.said == f"pid {found.pid} terminated"
    await asyncio.wait_for(waiter, 5)
    with pytest.raises(psycopg.OperationalError):
        await root.execute("SELECT 1")


async def test_several_are_ended_and_each_is_accounted_for(database, sessions, busy):
    gone = await sessions()
    await gone.execute("SELECT 1")
    missing = await find(database, pid(gone), state="idle in transaction")
    moved = await sessions()
    await moved.execute("SELECT 1")
    changed = await find(database, pid(moved), state="idle in transaction")
    runs, _ = await busy()
    stuck = await find(database, pid(runs), state="active")
    await gone.close()
    await moved.execute("SELECT 2")
    what = order(missing, changed, stuck)

    before = await until(lambda: settled(database, what))
    done = await end(database, "terminate", what, before=before)

    assert [one.found for one in before.backends] == [Found.GONE, Found.OTHER, Found.SAME]
    assert done.said == (
        f"pid {missing.pid} had already gone; "
        f"pid {changed.pid} now runs something else: left alone; "
        f"pid {stuck.pid} terminated"
    )
    await moved.execute("SELECT 3")


async def settled(database, what):
    before = await run(PostgresEnding(database, Targets()).terminate_read, what)
    return before if before.backends[0].found is Found.GONE else None


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        pytest.param("backend_start", "had already gone", id="a pid that was handed on is spared"),
        pytest.param("query_start", "something else", id="a later statement is spared"),
        pytest.param("xact_start", "something else", id="a later transaction is spared"),
        pytest.param("query_id", "something else", id="another kind of statement is spared"),
        pytest.param("no query_id", "something else", id="a missing id is not any id"),
    ],
)
async def test_only_what_was_approved_is_ended(database, busy, altered: str, said: str):
    runs, task = await busy()
    found = await find(database, pid(runs), state="active")
    assert found.query_id is not None
    if altered.endswith("query_id"):
        change = {"query_id": found.query_id + 1 if altered == "query_id" else None}
    else:
        change = {altered: getattr(found, altered) - timedelta(microseconds=1)}

    done = await end(database, "terminate", order(found, **change))

    assert said in done.said
    assert not done.changed
    assert not task.done()


async def test_a_statement_without_an_id_matches_none(postgres, database, busy):
    runs, _ = await busy(user="postgres", options="-c compute_query_id=off")
    found = await find(database, pid(runs), state="active")
    assert found.query_id is None

    before = await run(PostgresEnding(database, Targets()).cancel_read, order(found))

    assert before.backends[0].found is Found.SAME


async def test_a_second_attempt_finds_the_first_ones_work_done(database, busy):
    runs, task = await busy()
    found = await find(database, pid(runs), state="active")
    what = order(found)
    before = await run(PostgresEnding(database, Targets()).terminate_read, what)
    await end(database, "terminate", what, before=before)
    with contextlib.suppress(psycopg.Error):
        await task

    again = await end(database, "terminate", what, before=before, attempt=2)
    fresh = await end(database, "terminate", what)

    assert again.said == f"pid {found.pid} is gone, ended since it was read"
    assert again.changed
    assert fresh.said == f"pid {found.pid} had already gone"
    assert not fresh.changed


async def test_a_second_attempt_does_not_cancel_the_next_statement(database, busy):
    runs, task = await busy()
    found = await find(database, pid(runs), state="active")
    what = order(found)
    before = await run(PostgresEnding(database, Targets()).cancel_read, what)
    await end(database, "cancel", what, before=before)
    with contextlib.suppress(psycopg.Error):
        await task
    await runs.rollback()
    following = asyncio.create_task(runs.execute("SELECT pg_sleep(30)"))
    await find(database, pid(runs), state="active")

    again = await end(database, "cancel", what, before=before, attempt=2)

    assert again.said == f"pid {found.pid} no longer runs it, ended since it was read"
    assert not following.done()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


PROTECTED = [
    pytest.param({"application_name": "incident-responder"}, "", "ours", id="ours"),
    pytest.param({"application_name": "pg_dump"}, "", "dump", id="a dump"),
    pytest.param({}, "/* nightly */ COPY (SELECT pg_sleep(60)) TO STDOUT", "dump", id="an export"),
    pytest.param({"application_name": "flyway"}, "", "migration", id="a migration by its name"),
    pytest.param(
        {},
        "CREATE TABLE x AS SELECT 1 AS n FROM pg_sleep(60)",
        "migration",
        id="a migration by its statement",
    ),
    pytest.param({"user": "postgres"}, "", "superuser", id="a superuser"),
]


@pytest.mark.parametrize(("options", "query", "why"), PROTECTED)
async def test_the_protected_are_never_ended(database, busy, options, query: str, why: str):
    runs, task = await busy(query or "SELECT pg_sleep(60)", **options)
    found = await find(database, pid(runs), state="active")

    cancelled = await end(database, "cancel", order(found))
    terminated = await end(database, "terminate", order(found))

    assert found.protected == why
    assert cancelled.said == f"pid {found.pid} is protected ({why}): left alone"
    assert terminated.said == cancelled.said
    assert not terminated.changed
    assert not task.done()


async def test_an_index_being_built_is_protected(database, sessions, busy, table):
    holder = await sessions()
    await holder.execute(CHANGE)
    builder = await sessions()
    await builder.set_autocommit(True)
    task = asyncio.create_task(
        builder.execute(f"/* by hand */ CREATE INDEX CONCURRENTLY held_n ON {table} (n)")
    )

    found = await find(database, pid(builder), protected="index build")
    done = await end(database, "terminate", order(found))

    assert "protected (index build)" in done.said
    await holder.rollback()
    await task


async def test_a_sender_of_the_write_ahead_log_is_protected(postgres: Server, database):
    walsender = await postgres.session(user="postgres", replication="database", autocommit=True)
    [row] = await postgres.admin(
        "SELECT pid, backend_start, query_start, xact_start, query_id FROM pg_stat_activity"
        " WHERE backend_type = 'walsender'"
    )

    done = await end(database, "terminate", EndSessions(sessions=(row,), why="a test"))

    await walsender.close()
    assert done.said == f"pid {row['pid']} is protected (replication): left alone"
