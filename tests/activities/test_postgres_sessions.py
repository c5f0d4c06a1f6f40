import pytest

from activities.postgres_sessions import LongRunning, PostgresSessions, shown
from tests.activities.at_work import CHANGE, NOW, find, pid
from tests.activities.databases import Server, run


@pytest.fixture
async def database(postgres: Server):
    async with postgres.database() as database:
        yield database


async def test_long_statements_and_open_transactions_are_listed_longest_first(
    database, sessions, busy
):
    lazy = await sessions(application_name="lazy")
    await lazy.execute("SELECT 'left open'")
    runs, _ = await busy("SELECT pg_sleep(60) -- slow")
    active = await find(database, pid(runs), state="active")
    idle = await find(database, pid(lazy), state="idle in transaction")

    seen = await run(PostgresSessions(database).long_running, NOW)

    assert [one.pid for one in seen.sessions if one.pid in {active.pid, idle.pid}] == [
        idle.pid,
        active.pid,
    ]
    assert active.query == "SELECT pg_sleep(60) -- slow"
    assert active.query_seconds is not None
    assert active.idle_in_transaction_seconds is None
    assert idle.idle_in_transaction_seconds is not None
    assert (idle.application, idle.user, idle.client) == ("lazy", "app", "127.0.0.1")
    assert not active.protected
    assert not idle.protected


async def test_short_ones_are_left_out_unless_they_block_others(database, sessions, busy, table):
    holder = await sessions(application_name="holder")
    await holder.execute(CHANGE)
    waiter, _ = await busy(CHANGE)
    await find(database, pid(holder), blocks=1)

    seen = await run(PostgresSessions(database).long_running, LongRunning(over_seconds=3600))

    assert [one.pid for one in seen.sessions] == [pid(holder)]
    assert pid(waiter) not in {one.pid for one in seen.sessions}


async def test_a_chain_names_its_root(database, sessions, busy, table):
    root = await sessions()
    await root.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
    middle, _ = await busy(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    await find(database, pid(middle), blocked_by=(pid(root),))
    last, _ = await busy(f"SELECT * FROM {table}")  # noqa: S608 (its own table)
    await find(database, pid(last), blocked_by=(pid(middle),))

    chain = {p: await find(database, p) for p in (pid(root), pid(middle), pid(last))}

    assert [one.root_blocker for one in chain.values()] == [True, False, False]
    assert [one.blocks for one in chain.values()] == [2, 1, 0]
    assert chain[pid(last)].waits_for == "Lock relation"

    root_only = await run(
        PostgresSessions(database).long_running, LongRunning(over_seconds=0, most=1)
    )
    assert [one.pid for one in root_only.sessions] == [pid(root)], "the root survives a cut"
    assert root_only.left_out >= 2


async def test_a_pooled_session_is_marked(database, sessions):
    pooled = await sessions(application_name="Supavisor")
    await pooled.execute("SELECT 1")

    assert (await find(database, pid(pooled), state="idle in transaction")).pooled


def test_a_statement_is_shown_short_and_without_passwords():
    secret = "hunter2hunter2"
    text = shown(f"ALTER ROLE app\n  PASSWORD '{secret}'; SELECT dblink('password={secret}')")

    assert secret not in text
    assert text.startswith("ALTER ROLE app PASSWORD '…'")
    assert len(shown("SELECT " + "x" * 1000)) == 300
