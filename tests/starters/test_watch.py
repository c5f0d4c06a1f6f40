"""`responder watch` at a real terminal: what it shows, what its keys do, and how it leaves it."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
import uuid

import pytest
from typer.testing import CliRunner

from deploy.console import console
from deploy.local.responder import RESPONDER
from tests.starters.conftest import WHY, working

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal of 100 by 40, and what is written to it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.text = ""
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        try:
            self.text += os.read(self.master, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self.master)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)

    async def press(self, keys: str) -> None:
        """Type one key after the other, as a person does."""
        for key in keys:
            os.write(self.master, key.encode())
            await asyncio.sleep(0.03)

    async def shows(self, words: str, seconds: float = 60) -> None:
        """Wait for words that were not there before."""
        try:
            async with asyncio.timeout(seconds):
                while words not in " ".join(_CONTROL.sub("", self.text).split()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{words!r} is not in {self.text[-3000:]}") from None
        self.text = ""


@pytest.fixture
async def watched(live, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", live.client.service_client.config.target_host)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    words = ["start", "SomethingOdd", "--service", f"svc-{uuid.uuid4().hex[:8]}", "--why", WHY]
    started = await asyncio.to_thread(CliRunner().invoke, console(), [*words, "--json"])
    name = json.loads(started.output)["incident"]
    terminal = Terminal()
    before = termios.tcgetattr(terminal.slave)
    process = await asyncio.create_subprocess_exec(
        *RESPONDER,
        *("watch", name, "--as", "ana"),
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    )
    yield terminal, process, live.client.get_workflow_handle(name)
    if process.returncode is None:
        process.kill()
        await process.wait()
    # However it ended but by that.
    else:
        assert termios.tcgetattr(terminal.slave) == before
    terminal.close()
    handle = live.client.get_workflow_handle(name)
    if (await handle.describe()).close_time is None:
        await handle.terminate()


async def test_keys_act_once_they_are_agreed_to_and_the_terminal_is_left_as_it_was(
    watched, live, tmp_path
):
    terminal, process, handle = watched
    async with working(live.client, tmp_path):
        await terminal.shows("[a] acknowledge")
        await terminal.press("t")
        await terminal.shows("as ana? [y/N]")
        await terminal.press("n")
        await terminal.shows("left alone")

        await terminal.press("a")
        await terminal.shows("Acknowledge: nobody further up is called — as ana? [y/N]")
        await terminal.press("y")
        await terminal.shows("acknowledged")
        await terminal.press("mseen at night\r")
        await terminal.shows("ana: seen at night")
        record = await handle.query("record")
        assert record["people"]["acknowledged_by"] == "ana"
        assert record["people"]["taken_over_by"] == ""

        await terminal.press("q")
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_it_outlives_the_worker_and_ends_with_the_incident(watched, live, tmp_path):
    terminal, process, _ = watched
    await terminal.shows("no worker answers")
    async with working(live.client, tmp_path):
        await terminal.shows("[r] resolve")
        await terminal.press("rthe router was off\r")
        await terminal.shows("close the incident (the router was off) — as ana? [y/N]")
        await terminal.press("y")
        assert await asyncio.wait_for(process.wait(), 30) == 0
    await terminal.shows("responder show")


@pytest.mark.parametrize(
    ("signalled", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 0, id="an order to end"),
        pytest.param(signal.SIGHUP, 0, id="a terminal that is closed"),
    ],
)
async def test_a_signal_stops_watching_and_nothing_else(watched, live, tmp_path, signalled, status):
    terminal, process, handle = watched
    async with working(live.client, tmp_path):
        await terminal.shows("[a] acknowledge")
        process.send_signal(signalled)
        assert await asyncio.wait_for(process.wait(), 20) == status

        assert (await handle.query("record"))["people"]["took_part"] == []


async def test_an_act_without_a_worker_says_that_it_is_only_recorded(watched, live, tmp_path):
    terminal, process, _ = watched
    async with working(live.client, tmp_path):
        await terminal.shows("[a] acknowledge")
    await terminal.press("ay")
    await terminal.shows("acknowledge is recorded, not yet confirmed", 30)
    await terminal.press("q")

    assert await asyncio.wait_for(process.wait(), 20) == 0
