"""The platform's database truly goes away, and its pools truly run out."""

import psycopg

from tests.gameday.watching import alerts, fires, rests, until, well


async def ready(platform, status):
    """Compare what the API server says of the database."""
    line = f"pg_isready -h 127.0.0.1 -p {platform.database_port} -t 3"
    done = await platform.ssh.run(line)
    return [] if done.exit_status == status else [f"{done.exit_status}: {done.stdout}"]


async def test_a_database_that_is_gone_is_seen_from_everywhere_until_it_is_back(platform):
    assert not await ready(platform, 0)
    await platform.stop_database()

    await until(fires, platform, "SupabaseDown")
    await until(fires, platform, "DatabaseConnectionErrors")
    assert not await ready(platform, 2)
    assert await platform.healthy(), "users see it too"

    await platform.start_database()
    await until(rests, platform, "SupabaseDown")
    await until(rests, platform, "DatabaseConnectionErrors")
    assert not await ready(platform, 0)


async def test_forgotten_transactions_exhaust_the_pools_and_no_more_is_down(platform):
    # A pool comes back to a database that was away only after a pause, and fails until then.
    await until(well, platform)
    await until(rests, platform, "DatabaseConnectionErrors")
    await platform.forget_transactions()

    await until(fires, platform, "DatabaseConnectionErrors")
    await until(held, platform, 8)
    assert "SupabaseDown" not in await alerts(platform), "a full pool is no database that is down"
    async with await psycopg.AsyncConnection.connect(platform.postgres_dsn) as responder:
        found = await responder.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'pravado-api' AND state = 'idle in transaction'"
        )
        assert await found.fetchone() == (8,), "both instances hold all four"

    await until(rests, platform, "DatabaseConnectionErrors")


async def held(platform, count):
    """Compare how many connections the API keeps in transactions."""
    async with await psycopg.AsyncConnection.connect(platform.postgres_dsn) as responder:
        found = await responder.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'pravado-api' AND state = 'idle in transaction'"
        )
        [seen] = await found.fetchone()
    return [] if seen == count else [f"{seen} sessions in a transaction, not {count}"]


async def test_hogged_pools_stay_exhausted_whatever_is_ended(platform):
    platform.hog_pools()
    await until(fires, platform, "DatabaseConnectionErrors")
    for _ in range(3):
        async with await psycopg.AsyncConnection.connect(platform.postgres_dsn) as responder:
            await responder.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'pravado-api' AND state = 'idle in transaction'"
            )
    assert "DatabaseConnectionErrors" in await alerts(platform)

    platform.give_back_pools()

    await until(rests, platform, "DatabaseConnectionErrors")


async def test_a_report_that_begins_again_takes_its_sessions_back_whatever_is_ended(platform):
    await platform.leak_connections(again=True)
    await until(fires, platform, "HighDatabaseConnections")
    async with await psycopg.AsyncConnection.connect(platform.postgres_dsn) as responder:
        ended = await responder.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'nightly-report'"
        )
        assert (await ended.fetchone())[0] > 30

    async def back(_):
        async with await psycopg.AsyncConnection.connect(platform.postgres_dsn) as responder:
            held = await responder.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightly-report'"
            )
            [count] = await held.fetchone()
        return [] if count > 30 else [f"{count} sessions"]

    await until(back, platform)

    await platform.plug_leak()
    await until(rests, platform, "HighDatabaseConnections")
