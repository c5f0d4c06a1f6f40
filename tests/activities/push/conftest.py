"""The platform's push queue in a real PostgreSQL, and an Expo that takes what is sent."""

from importlib.resources import files

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from activities.changes import Targets
from activities.expo_api import ExpoApi
from activities.postgres_connection import Database
from activities.push_drain import PushDrain
from deploy.gameday.standins.expo import ExpoStandIn
from tests.activities.databases import PASSWORD
from tests.activities.pushes import QUICK, TABLES, Platform


@pytest.fixture(scope="session")
async def tables(postgres):
    """The tables as the platform has them, in a database of their own."""
    await postgres.admin("CREATE DATABASE pushes")
    schema = files("deploy.gameday").joinpath("schema.sql").read_text()
    url = f"postgresql://postgres@127.0.0.1:{postgres.server.port}/pushes"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        await admin.execute(schema.encode())
        await admin.execute("GRANT SELECT ON users TO responder")
        for table in TABLES:
            await admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO responder")
    return url


@pytest.fixture
async def platform(tables):
    async with await psycopg.AsyncConnection.connect(tables, autocommit=True) as connection:
        side = Platform(connection)
        yield side
        await side.ask("TRUNCATE push_queue, push_receipts")
        await side.ask(
            "INSERT INTO push_tokens (id, user_id, token, registered_at) OVERRIDING SYSTEM VALUE"
            " SELECT n, n, 'ExponentPushToken[phone-' || n || ']', now() - interval '90 days'"
            " FROM generate_series(1, 10) AS n ON CONFLICT DO NOTHING"
        )


@pytest.fixture
async def database(postgres, tables):
    url = f"postgresql://responder:{PASSWORD}@127.0.0.1:{postgres.server.port}/pushes"
    async with Database(SecretStr(url)) as database:
        yield database


@pytest.fixture
async def service():
    async with ExpoStandIn() as standing:
        yield standing


@pytest.fixture
async def drain(database, service):
    async with httpx.AsyncClient() as http:
        api = ExpoApi(http, SecretStr(""), url=service.url, timeout=httpx.Timeout(0.5))
        yield PushDrain(database, api, Targets(), ramp=QUICK)
