from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.lifecycle.world import Town, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def town(env: WorkflowEnvironment, world: World) -> AsyncIterator[Town]:
    async with Town(env, world) as opened:
        yield opened
