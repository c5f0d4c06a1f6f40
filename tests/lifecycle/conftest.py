from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.lifecycle.world import Town, World
from workflows.efforts import Queue


@pytest.fixture(scope="session")
async def workers(env: WorkflowEnvironment) -> AsyncIterator[Town]:
    """One set of workers for all tests: every incident has a world and a service of its own."""
    async with Town(env) as town:
        yield town


@pytest.fixture
async def town(workers: Town, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    running = [task for task in workers.running.values() if not task.done()]
    # One that has failed, or was stopped by a test that timed out, is missed by all that follow.
    if getattr(request.node, "execution_count", 1) > 1 or len(running) < len(Queue):
        await workers.anew()
    workers.library = workers.usual
    yield workers
    await workers.clear()


@pytest.fixture
def world(town: Town) -> World:
    return World(town)


@pytest.fixture
def outside(world: World) -> World:
    """A world where phones ring, letters arrive, and PagerDuty knows who is on call."""

    def page(order):
        tickets = [{"phone": name, "id": f"{name}-{order['key']}"} for name in order["phones"]]
        return {"said": "rings", "tickets": tickets}

    world.answers |= {
        "expo.page": page,
        "expo.receipts": lambda ask: {"said": "received"},
        "email.send": lambda order: {"message_id": order["key"], "said": f"wrote to {order['to']}"},
        "pagerduty.on_call": lambda ask: {"names": {"on-call": ["Priya"], "cto": []}},
    }
    return world
