import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter

from deploy.local.processes import free_ports
from deploy.local.stack import WEBHOOK

ALERT = Path(__file__).resolve().parents[1] / "fixtures" / "alertmanager" / "firing_single.json"
UP = [sys.executable, "-m", "deploy.console", "up"]
STARTED_WITHIN = 60.0


def environment(**settings: str) -> dict[str, str]:
    """Ours, without what a developer's shell may say about another responder."""
    foreign = ("RESPONDER_", "TEMPORAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **settings}


class Up:
    """`responder up`, as a person runs it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.door_port, self.temporal_port, self.ui_port = free_ports(3)
        self.settings = settings
        self.said = ""
        self.process: asyncio.subprocess.Process

    async def __aenter__(self):
        await self.start()
        await self.until("The responder is up.")
        await self.until("nothing is lost.")
        return self

    async def __aexit__(self, *_) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *UP,
            *("--data", str(self.folder / "data")),
            *("--door-port", str(self.door_port)),
            *("--temporal-port", str(self.temporal_port)),
            *("--ui-port", str(self.ui_port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(**self.settings),
            cwd=self.folder,
        )

    async def until(self, words: str) -> None:
        async with asyncio.timeout(STARTED_WITHIN):
            while words not in self.said:
                line = await self.process.stdout.readline()
                assert line, f"it ended and said:\n{self.said}"
                self.said += line.decode()

    async def ended(self) -> int:
        async with asyncio.timeout(STARTED_WITHIN):
            self.said += (await self.process.stdout.read()).decode()
            return await self.process.wait()

    def family(self) -> list[psutil.Process]:
        """All processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def post(self, token: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.post(
                f"http://127.0.0.1:{self.door_port}{WEBHOOK}",
                json=json.loads(ALERT.read_text()),
                headers={"Authorization": f"Bearer {token}"},
            )

    async def client(self) -> Client:
        return await Client.connect(
            f"127.0.0.1:{self.temporal_port}", data_converter=pydantic_data_converter
        )


async def gone(processes: list[psutil.Process], within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while left := [each for each in processes if alive(each)]:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return not left


def alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def incidents(client: Client) -> dict[str, WorkflowExecutionStatus | None]:
    found = client.list_workflows("WorkflowType = 'Incident'")
    return {each.id: each.status async for each in found}


async def until_there(client: Client) -> dict[str, WorkflowExecutionStatus | None]:
    async with asyncio.timeout(60):  # visibility is written a moment later
        while not (found := await incidents(client)):
            await asyncio.sleep(0.05)
    return found


@pytest.mark.crash
async def test_an_incident_lives_on_when_up_is_ended_and_started_again(tmp_path):
    async with Up(tmp_path) as it:
        token_file = it.folder / "data" / "token"
        token = token_file.read_text()
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert token not in it.said
        assert f"http://127.0.0.1:{it.door_port}{WEBHOOK}" in it.said
        assert f"http://127.0.0.1:{it.ui_port}" in it.said
        assert re.search(r"PagerDuty +RESPONDER_PAGERDUTY__ROUTING_KEY", it.said)
        assert (await it.post("a guess")).status_code == 401
        assert (await it.post(token)).status_code == 200
        [incident] = await until_there(await it.client())
        family = it.family()

        second = Up(tmp_path)
        await second.start()
        assert await second.ended() == 1
        assert f"in use by another responder (process {it.process.pid})" in second.said

        it.process.send_signal(signal.SIGTERM)
        assert await it.ended() == 0, it.said
        assert it.said.rstrip().endswith("Stopped. Open incidents go on when it is started again.")
        assert await gone(family)

    async with Up(tmp_path) as again:
        assert token_file.read_text() == token
        client = await again.client()
        assert await until_there(client) == {incident: WorkflowExecutionStatus.RUNNING}
        record = await client.get_workflow_handle(incident).query("record")
        assert record
        family = again.family()

        again.process.kill()
        await again.process.wait()

        assert await gone(family)


async def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path):
    it = Up(tmp_path)
    with socket.create_server(("127.0.0.1", it.door_port)):
        await it.start()

        assert await it.ended() == 1

    assert it.said.strip() == (
        f"Port {it.door_port}, for the door, is in use by another program:"
        " choose another with --door-port."
    )


async def test_settings_that_are_wrong_are_told_before_anything_starts(tmp_path):
    it = Up(tmp_path, RESPONDER_SLACK__TOKN="xoxb-secret")
    await it.start()

    assert await it.ended() == 2
    assert "slack.tokn: there is no such setting" in it.said
    assert "xoxb-secret" not in it.said
    assert not (tmp_path / "data" / "temporal").exists()


async def test_an_end_while_it_starts_is_an_end(tmp_path):
    it = Up(tmp_path)
    await it.start()
    async with asyncio.timeout(STARTED_WITHIN):
        while not (tmp_path / "data" / "logs" / "worker.log").exists():
            await asyncio.sleep(0.02)
    family = it.family()

    it.process.send_signal(signal.SIGINT)

    assert await it.ended() == 0, it.said
    assert await gone(family)
