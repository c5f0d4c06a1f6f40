"""The command line, as it is typed, and an incident to try it on."""

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from typer.testing import CliRunner

from deploy.console import console
from starters.session import Exit
from workers.composition import compose
from workers.settings import Settings
from workers.worker import THREADS, workers
from workflows.efforts import Queue

WHY = "users say that nothing loads"


@asynccontextmanager
async def working(client, tmp_path):
    """The whole worker, with nothing configured but a folder for reports."""
    async with AsyncExitStack() as stack:
        settings = Settings(reports={"folder": tmp_path})
        composition = await stack.enter_async_context(compose(settings))
        threads = stack.enter_context(ThreadPoolExecutor(THREADS))
        for worker in workers(
            client, composition, queues=tuple(Queue), threads=threads, policy=settings.policy
        ):
            await stack.enter_async_context(worker)
        yield


@pytest.fixture
def run(live, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", live.client.service_client.config.target_host)
    monkeypatch.setenv("COLUMNS", "160")

    async def invoke(*words, expect=Exit.DONE):
        result = await asyncio.to_thread(CliRunner().invoke, console(), list(words))
        if expect is not None:
            assert result.exit_code == expect, f"{result.output}\n{result.exception!r}"
        return result.output

    return invoke


@pytest.fixture
async def incident(run, live):
    service = f"svc-{uuid.uuid4().hex[:8]}"
    said = await run("start", "SomethingOdd", "--service", service, "--why", WHY, "--json")
    name = json.loads(said)["incident"]
    yield name
    handle = live.client.get_workflow_handle(name)
    if (await handle.describe()).close_time is None:
        await handle.terminate()
