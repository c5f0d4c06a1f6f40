"""Writes the golden histories anew: ``python -m tests.lifecycle.record [name ...]``.

Only when no incident that the old ones stand for can be open any more, or after the change has
been put behind `workflow.patched`; see `test_replay.py`.
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from deploy.local.programs import temporal
from tests.conftest import FAST
from tests.lifecycle.golden import GOLDEN
from tests.lifecycle.world import Town, World
from workflows.case import SEARCH_ATTRIBUTES

HISTORIES = Path(__file__).resolve().parents[1] / "histories"
_OF_THE_MACHINE = frozenset({"identity", "stackTrace", "binaryChecksum", "workerInstanceKey"})


def without_the_machine(value: Any) -> Any:
    """Leave out who ran it and where: names of hosts, paths in stack traces."""
    if isinstance(value, dict):
        if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
            value = value | {"name": "sticky"}
        return {
            key: without_the_machine(each)
            for key, each in value.items()
            if key not in _OF_THE_MACHINE
        }
    return [without_the_machine(each) for each in value] if isinstance(value, list) else value


async def main(names: list[str]) -> None:
    env = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    HISTORIES.mkdir(exist_ok=True)
    async with Town(env) as town:
        for name in names or GOLDEN:
            story = await GOLDEN[name](town, World(town))
            found = {name: story.handle}
            record = await story.record()
            if record.aftermaths:
                after = f"{story.id}/after/{record.run}-1"
                found[f"{name}-after"] = env.client.get_workflow_handle(after)
            for kept, handle in found.items():
                history = json.loads((await handle.fetch_history()).to_json())
                text = json.dumps(without_the_machine(history), separators=(",", ":"))
                (HISTORIES / f"{kept}.json").write_text(text + "\n")
                sys.stdout.write(f"{kept}: {len(history['events'])} events, {len(text)} bytes\n")
            await town.clear()
    await env.shutdown()
    await asyncio.sleep(0.3)  # sdk-python#300


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
