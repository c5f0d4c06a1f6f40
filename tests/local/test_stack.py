import asyncio
import json
import os
import signal
import stat
import time
from pathlib import Path

import httpx
import pytest

from activities.record import Phase
from deploy.local.data import InUse, kept_token, taken
from deploy.local.processes import NotReady
from deploy.local.stack import Stack
from workflows.efforts import Queue

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "alertmanager"
FIRING = json.loads((FIXTURES / "firing_single.json").read_text())


def environment(**settings: str) -> dict[str, str]:
    foreign = ("RESPONDER_", "TEMPORAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **settings}


def left(stack: Stack) -> list[str]:
    parts = (stack.temporal, stack.door, *stack.workers)
    return [part.name for part in parts if part.running]


async def deliver(stack: Stack) -> int:
    shown = {"Authorization": f"Bearer {stack.token.get_secret_value()}"}
    async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
        return (await client.post(stack.webhook_url, json=FIRING, headers=shown)).status_code


async def incident(stack: Stack) -> str:
    client = await stack.client()
    async with asyncio.timeout(60):  # visibility is written a moment later
        while True:
            async for found in client.list_workflows("WorkflowType = 'Incident'"):
                return found.id
            await asyncio.sleep(0.05)


async def quiet(stack: Stack, of: str) -> None:
    """Wait until the incident waits for people; only a worker can tell.

    A worker or a server that is killed in the middle of a workflow task costs Temporal's ten
    seconds until the task is given out again.
    """
    handle = (await stack.client()).get_workflow_handle(of)
    async with asyncio.timeout(60):
        while (await handle.query("record"))["phase"] != Phase.WATCHING:
            await asyncio.sleep(0.1)


@pytest.mark.crash
async def test_each_part_is_killed_and_comes_back_with_the_incident(tmp_path):
    said = []
    # A key for another Temporal, as somebody's shell may have it, goes to nobody.
    env = environment(
        TEMPORAL_API_KEY="of-the-cloud",
        TEMPORAL_TLS="true",
        RESPONDER_DOOR__DEADLINE_SECONDS="1",
        RESPONDER_POLICY__SYMPTOM_HOLD_SECONDS="0",
    )
    workers = ([Queue.CHANGES], [queue for queue in Queue if queue is not Queue.CHANGES])
    async with Stack(tmp_path, environment=env, workers=workers, tell=said.append) as stack:
        assert await deliver(stack) == 200
        opened = await incident(stack)
        await quiet(stack, opened)

        await stack.kill_worker()
        assert await deliver(stack) == 200
        await stack.start_worker()
        await quiet(stack, opened)

        await stack.kill_door()
        with pytest.raises(httpx.ConnectError):
            await deliver(stack)
        await stack.start_door()
        assert await deliver(stack) == 200
        await quiet(stack, opened)

        await stack.kill_temporal()
        assert await deliver(stack) == 503
        await stack.start_temporal()
        async with asyncio.timeout(60):
            while await deliver(stack) != 200:
                await asyncio.sleep(0.1)
        assert await incident(stack) == opened
        await quiet(stack, opened)
        assert said == []

        os.kill(stack.door.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while "The door is back." not in said:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert await deliver(stack) == 200

    assert left(stack) == []
    assert {path.name for path in stack.logs.iterdir()} == {
        "temporal.log",
        "worker-changes.log",
        "worker-incidents-probes-messages-pages.log",
        "door.log",
    }
    assert stack.token.get_secret_value() not in (stack.logs / "door.log").read_text()


async def test_a_part_that_does_not_start_leaves_none_behind_and_says_why(tmp_path):
    wrong = environment(RESPONDER_POLICY="what the door and the worker cannot read")
    stack = Stack(tmp_path, environment=wrong)

    with pytest.raises(NotReady, match="the settings cannot be used"):
        await stack.__aenter__()

    assert left(stack) == []
    with taken(tmp_path):
        pass


def test_a_folder_is_had_by_one_and_given_back(tmp_path):
    with taken(tmp_path), pytest.raises(InUse, match=f"process {os.getpid()}"), taken(tmp_path):
        pass
    with taken(tmp_path):
        pass


def test_a_token_is_made_once_for_its_owner_alone(tmp_path):
    token = kept_token(tmp_path / "data")

    assert len(token.get_secret_value()) >= 32
    assert kept_token(tmp_path / "data") == token
    assert stat.S_IMODE((tmp_path / "data" / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert kept_token(tmp_path / "other") != token


def test_a_token_whose_making_was_cut_short_is_made(tmp_path):
    (tmp_path / "token.part").write_text("half")

    assert kept_token(tmp_path).get_secret_value() != "half"
