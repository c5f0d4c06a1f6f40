import json

import pytest

from activities.postgres_statements import (
    NOT_INSTALLED,
    PostgresStatements,
    Scans,
    Top,
    pure_select,
)
from tests.activities.databases import Server, run


@pytest.fixture
async def database(postgres: Server):
    async with postgres.database() as database:
        yield database


@pytest.fixture(scope="module")
async def load(postgres: Server):
    """A large table without the index that it needs, and an application that feels it."""
    await postgres.admin(
        "CREATE TABLE events (id bigserial PRIMARY KEY, organization_id int, body text);"
        "INSERT INTO events (organization_id, body)"
        " SELECT n % 100, repeat('x', 50) FROM generate_series(1, 30000) AS n;"
        "ANALYZE events; ALTER TABLE events OWNER TO app; SELECT pg_stat_statements_reset()"
    )
    session = await postgres.session()
    await session.set_autocommit(True)
    for organization in range(20):
        await session.execute(
            "SELECT count(*) FROM events WHERE organization_id = %s AND body LIKE %s",
            (organization, "%x%"),
        )
    await session.execute("UPDATE events SET body = 'secret-name' WHERE id = 7")
    await session.execute("SELECT pg_stat_force_next_flush()")
    await session.close()
    yield
    await postgres.admin("DROP TABLE events")


async def test_the_worst_statements_are_told_without_their_values(database, load):
    found = await run(PostgresStatements(database).slow_statements, Top())

    worst = found.by_total[0]
    assert worst.query.startswith("SELECT count(*) FROM events WHERE organization_id = $1")
    assert worst.calls == 20
    assert worst.user == "app"
    assert 0 < worst.mean_milliseconds <= worst.max_milliseconds
    assert worst.total_seconds == pytest.approx(worst.mean_milliseconds * 20 / 1000)
    assert 0 < worst.share <= 1
    assert found.by_mean
    assert not found.finding
    assert "secret-name" not in found.model_dump_json()


async def test_a_large_table_read_from_end_to_end_is_named(database, load):
    found = await run(PostgresStatements(database).sequential_scans, Scans())

    assert [one.table for one in found.tables] == ["public.events"]
    [events] = found.tables
    assert events.rows == 30000
    assert events.size_bytes > 1_000_000
    assert events.sequential_scans >= 20
    assert events.rows_read_per_scan > 1000


async def test_sizes_are_told_of_a_table_that_somebody_has_locked(database, load, sessions):
    holder = await sessions()
    await holder.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")

    found = await run(PostgresStatements(database).sequential_scans, Scans())

    assert found.tables


async def test_the_worst_select_is_planned_and_not_carried_out(postgres, database, load):
    count = "SELECT sum(calls)::int AS calls FROM pg_stat_statements WHERE query LIKE '%events%'"
    before = await postgres.admin(count)

    found = await run(PostgresStatements(database).plan, Top())

    assert not found.finding
    assert found.query.startswith("SELECT count(*) FROM events")
    assert found.sequential == ("events",)
    assert found.total_cost > 100
    assert json.loads(found.plan)["Node Type"] == "Aggregate"
    calls = (await postgres.admin(count))[0]["calls"] - before[0]["calls"]
    assert calls <= 1, "only the EXPLAIN itself"


async def test_a_select_that_we_may_not_read_is_skipped_and_said(postgres, load):
    async with postgres.database("onlooker") as database:
        found = await run(PostgresStatements(database).plan, Top())

    assert "permission denied for table events" in found.skipped[0]
    assert "events" not in found.query


async def test_a_blind_role_says_that_it_is_blind(postgres, load):
    async with postgres.database("blind") as database:
        found = await run(PostgresStatements(database).slow_statements, Top())

    assert "pg_read_all_stats" in found.finding


async def test_statistics_in_another_schema_are_found(postgres, database, load):
    await postgres.admin(
        "CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC;"
        "ALTER EXTENSION pg_stat_statements SET SCHEMA extensions"
    )
    try:
        found = await run(PostgresStatements(database).slow_statements, Top())
    finally:
        await postgres.admin("ALTER EXTENSION pg_stat_statements SET SCHEMA public")
        await postgres.admin("DROP SCHEMA extensions")

    assert found.by_total


async def test_missing_statistics_are_a_finding(postgres, database, load):
    await postgres.admin("DROP EXTENSION pg_stat_statements")
    try:
        found = await run(PostgresStatements(database).slow_statements, Top())
        plan = await run(PostgresStatements(database).plan, Top())
    finally:
        await postgres.admin("CREATE EXTENSION pg_stat_statements")

    assert found.finding == plan.finding == NOT_INSTALLED


@pytest.mark.parametrize(
    ("query", "pure"),
    [
        pytest.param("SELECT 1", True, id="a SELECT"),
        pytest.param("-- from the api\nselect * from t where id = $1", True, id="one with a note"),
        pytest.param("/* x */ WITH a AS (SELECT 1) SELECT * FROM a", True, id="a WITH that reads"),
        pytest.param("SELECT updated_at FROM t", True, id="a column that sounds like a verb"),
        pytest.param("SELECT 1; DROP TABLE t", False, id="two statements"),
        pytest.param("SELECT 1;", False, id="a semicolon, whatever follows"),
        pytest.param("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", False, id="a DELETE"),
        pytest.param("SELECT * INTO u FROM t", False, id="a SELECT INTO"),
        pytest.param("SELECT * FROM t FOR UPDATE", False, id="a lock"),
        pytest.param("SELECT * FROM t FOR SHARE", False, id="a shared lock"),
        pytest.param("SELECT nextval($1)", False, id="a sequence"),
        pytest.param("SELECT pg_terminate_backend($1)", False, id="the end of a session"),
        pytest.param("UPDATE t SET a = 1", False, id="an UPDATE"),
        pytest.param("/* SELECT */ DELETE FROM t", False, id="a SELECT in a note only"),
        pytest.param("EXPLAIN ANALYZE SELECT 1", False, id="an EXPLAIN"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_only_a_pure_select_is_planned(query: str, *, pure: bool):
    assert pure_select(query) is pure
