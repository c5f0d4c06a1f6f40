"""The coordinator lives for ever: its history does not, and no request is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WithStartWorkflowOperation, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.coordination import Done, Noted, Turn, Wanted
from deploy.local.programs import temporal
from tests.conftest import FAST
from workflows.coordinator import Coordinator
from workflows.efforts import Queue
from workflows.sandbox import runner
from workflows.turns import Turns

SUGGESTED_AFTER = 60
CALLERS, TURNS_EACH = 8, 15
ID = "coordinator-busy"


@pytest.fixture
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal that wants short histories."""
    suggest = f"limit.historyCount.suggestContinueAsNew={SUGGESTED_AFTER}"
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=[*FAST, "--dynamic-config-value", suggest],
        data_converter=pydantic_data_converter,
    ) as environment:
        yield environment


async def ask(server: WorkflowEnvironment, name: str, order: Any, result: type) -> Any:
    """As `Coordination` does, outside an activity."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "Coordinator",
        args=[None],
        id=ID,
        task_queue=Queue.INCIDENTS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    return await server.client.execute_update_with_start_workflow(
        name, order, start_workflow_operation=start, result_type=result,
        rpc_timeout=timedelta(seconds=10),
    )  # fmt: skip


async def change(server: WorkflowEnvironment, incident: str, number: int) -> None:
    """Take a turn that is counted, and give it back."""
    key = f"{incident}/{number}"
    wanted = Wanted(
        key=key, incident=incident, target=incident, restarts=True, restarts_most=1000,
        restarts_within_seconds=86400, lasts_seconds=600,
    )  # fmt: skip
    assert (await ask(server, "take_turn", wanted, Turn)).granted
    await ask(server, "give_back", Done(key=key, incident=incident, happened=True), Noted)


async def test_its_history_stays_short_and_every_request_is_answered_and_kept(server) -> None:
    async def caller(incident: str) -> None:
        for number in range(TURNS_EACH):
            await change(server, incident, number)

    async with Worker(
        server.client,
        task_queue=Queue.INCIDENTS,
        workflows=[Coordinator],
        workflow_runner=runner(),
    ):
        async with asyncio.timeout(60):
            await asyncio.gather(*(caller(f"incident-{n}") for n in range(CALLERS)))
        handle = server.client.get_workflow_handle(ID)
        known = await handle.query("turns", result_type=Turns)
        lengths = [
            run.history_length
            async for run in server.client.list_workflows(f'WorkflowId = "{ID}"')
            if run.history_length
        ]

    made = {restart.key for restart in known.restarts}
    assert made == {f"incident-{c}/{n}" for c in range(CALLERS) for n in range(TURNS_EACH)}
    assert known.leases == []
    assert len(lengths) >= 2, "it never went on in a new run"
    assert max(lengths) < 2 * SUGGESTED_AFTER


async def test_one_of_an_earlier_release_goes_on_as_it_was_frozen_and_unfrozen() -> None:
    """By updates, and by signals: that of a stranger has lifted a freeze then."""
    kept = Path(__file__).resolve().parents[1] / "fixtures" / "coordinators" / "first.json"
    replayer = Replayer(
        workflows=[Coordinator],
        data_converter=pydantic_data_converter,
        workflow_runner=runner(),
    )
    history = WorkflowHistory.from_json("coordinator-first", kept.read_text())

    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)

    assert result.replay_failure is None, result.replay_failure
