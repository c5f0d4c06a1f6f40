from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from deploy.local.valkey import Valkey
from tests.activities.databases import Server, served


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
