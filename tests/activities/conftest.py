import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis.asyncio
from pydantic import SecretStr

from activities.slack import Slack
from activities.slack_api import SlackApi, slack_api
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.local.valkey import Valkey
from tests.activities.databases import Server, served
from tests.activities.slack_words import TOKEN


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A PostgreSQL for all tests that leave it as it was."""
    async with served(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def sessions(postgres: Server) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Open sessions of the application that end with the test, whatever became of them."""
    async with AsyncExitStack() as stack:

        async def open_(**options: Any) -> Any:
            session = await postgres.session(**options)
            stack.push_async_callback(session.close)
            return session

        yield open_


@pytest.fixture(scope="session")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Valkey]:
    """A Valkey for all tests that leave it as it was."""
    async with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def client(valkey: Valkey):
    async with redis.asyncio.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client
        await client.flushall()


@pytest.fixture(scope="session")
async def table(postgres: Server):
    await postgres.admin("CREATE TABLE held (id int PRIMARY KEY, n int)")
    await postgres.admin("INSERT INTO held VALUES (1, 0); ALTER TABLE held OWNER TO app")
    yield "held"
    await postgres.admin("DROP TABLE held")


@pytest.fixture
async def busy(sessions):
    """Start statements that run until they are ended, each in a session of its own."""
    tasks = []

    async def start(query="SELECT pg_sleep(60)", **options):
        session = await sessions(**options)
        task = asyncio.create_task(session.execute(query))
        tasks.append(task)
        return session, task

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
async def holder(organizations, sessions):
    """A session that an index on the table has to wait for."""
    session = await sessions(application_name="report")
    await session.execute("UPDATE organizations SET name = 'held' WHERE id = 1")
    return session


@pytest.fixture
async def workspace() -> AsyncIterator[SlackStandIn]:
    """A Slack workspace of the test's own."""
    async with SlackStandIn(TOKEN) as standing:
        yield standing


@pytest.fixture
async def api(workspace: SlackStandIn) -> AsyncIterator[SlackApi]:
    """A client of that workspace, impatient."""
    async with slack_api(SecretStr(TOKEN), url=workspace.api_url, timeout_seconds=1.0) as opened:
        yield opened


@pytest.fixture
def slack(api: SlackApi) -> Slack:
    """The activities on that workspace."""
    return Slack(api, CHANNELS)
