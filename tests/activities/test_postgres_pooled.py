"""A database behind a pooler, which hands the session on to whoever asks next."""

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from activities.errors import Refused, Unavailable
from activities.postgres import Postgres
from activities.postgres_building import Building
from activities.postgres_connection import Database
from activities.postgres_indexes import Index
from activities.postgres_sessions import LongRunning, PostgresSessions
from activities.words import Nothing
from tests.activities.databases import run
from tests.activities.handing_on import handing_on

SETTINGS = """
SELECT name, setting FROM pg_settings
WHERE source = 'session' AND name NOT IN ('transaction_read_only', 'application_name')
"""


@pytest.fixture(params=[True, False], ids=["refuses options", "lets options fall"])
async def pooler(postgres, request):
    async with handing_on(postgres.server.port, says=request.param) as pooler:
        yield pooler


@pytest.fixture
async def database(pooler):
    conninfo = SecretStr(f"postgresql://postgres@127.0.0.1:{pooler.port}/postgres")
    async with Database(conninfo, statement_seconds=0.5) as database:
        yield database


async def test_what_is_handed_on_has_none_of_our_settings(pooler, database):
    answered = await run(Postgres(database).answers, Nothing())
    await run(PostgresSessions(database).long_running, LongRunning())
    await database.aclose()

    assert answered.reachable, answered.said
    assert not answered.read_only
    other = await psycopg.AsyncConnection.connect(
        f"postgresql://postgres@127.0.0.1:{pooler.port}/postgres",
        autocommit=True,
        row_factory=dict_row,
    )
    async with other:
        assert await (await other.execute(SETTINGS)).fetchall() == []
        await other.execute("CREATE TEMPORARY TABLE written (n int)")
        await other.execute("DROP TABLE written")
    assert pooler.clients > 2


async def test_every_statement_is_within_the_limits_all_the_same(database):
    async with database.session(keep=False) as session:
        assert session.pooled
    with pytest.raises(Unavailable, match="57014"):
        async with database.session(keep=False) as session:
            await session.execute("SELECT pg_sleep(5)")
    with pytest.raises(Refused, match="read-only"):
        async with database.session(keep=False) as session:
            await session.execute("CREATE TABLE written (n int)")


async def test_an_index_is_not_made_through_a_pooler(database):
    building = Building(database, lock_seconds=1, longest_seconds=5)

    with pytest.raises(Refused, match="through a pooler"):
        await run(building.build, Index.ORGANIZATIONS_CREATED_AT)


async def test_without_a_pooler_the_session_has_the_limits_itself(postgres):
    async with postgres.database() as database, database.session(keep=False) as session:
        assert not session.pooled
        left = await (await session.execute(SETTINGS)).fetchall()

    assert {"statement_timeout", "lock_timeout"} <= {each["name"] for each in left}
