"""The same orders against a real pm2, where one is on PATH."""

import asyncio
import os
import shlex
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from activities.changes import Targets
from activities.errors import Ambiguous
from activities.health import Health
from activities.host import Host, HostNames
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.processes import App, ProcessManager, RollingRestart, Scale
from activities.switches import SetSwitches, Switch, Switches
from activities.words import Nothing
from deploy.local.processes import free_port
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, ScriptedHost, scripted_host

pytestmark = pytest.mark.skipif(not shutil.which("pm2"), reason="no pm2 on PATH (npm i -g pm2)")

SERVER = """
const server = require('http').createServer((q, r) => r.end(process.env.DB_POOL_MAX || 'not set'));
const said = () => console.log('token=abcdefgh listening');
setTimeout(() => server.listen(PORT, '127.0.0.1', said), Number(process.env.LLM_TIMEOUT_MS || 0));
"""
PACE = Pace(poll_seconds=0.2, ready_seconds=20, settle_seconds=0.5, ramp_seconds=0.1)
VARIABLES = ["DB_POOL_MAX", "LLM_TIMEOUT_MS"]


class RealHost(ScriptedHost):
    """Hands every command to the machine itself."""

    environment: dict[str, str]

    async def carry_out(self, words: list[str]) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *words, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await process.communicate()
        return process.returncode or 0, out.decode(), error.decode()

    async def answer(self, process) -> None:
        line = process.command or ""
        self.ran.append(line)
        code, out, error = await self.carry_out(shlex.split(line))
        process.stdout.write(out)
        process.stderr.write(error)
        process.exit(code)


@pytest.fixture
async def api(tmp_path) -> AsyncIterator[tuple[RealHost, str]]:
    port = free_port()
    (tmp_path / "app.js").write_text(SERVER.replace("PORT", str(port)))
    async with scripted_host(tmp_path, RealHost) as host:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        host.environment = {**kept, "PM2_HOME": str(tmp_path / "pm2"), "LANG": "C"}
        started = await host.carry_out(
            ["pm2", "start", str(tmp_path / "app.js"), "-n", APP, "-i", "2"]
        )
        assert started[0] == 0, started
        yield host, f"http://127.0.0.1:{port}/"
        await host.carry_out(["pm2", "kill"])


@asynccontextmanager
async def asked_all_the_time(http: httpx.AsyncClient, url: str) -> AsyncIterator[list[float]]:
    """Ask over and over, each time on a connection of its own; collects when it was answered."""
    answered: list[float] = []

    async def ask() -> None:
        while True:
            with suppress(httpx.HTTPError):
                await http.get(url, headers={"Connection": "close"}, timeout=0.2)
                answered.append(time.monotonic())
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask())
    yield answered
    asking.cancel()
    answered.append(time.monotonic())


async def test_somebody_answers_all_the_time_while_switches_are_set(api):
    host, url = api
    async with httpx.AsyncClient(trust_env=False) as http:
        pm2 = Pm2(host.ssh, APP, variables=VARIABLES)
        switches = Switches(pm2, targets=Targets(), health=Health(http, url), pace=PACE)
        # The platform of this test takes so long to start; pm2 waits for 3 s.
        slow = SetSwitches(values={Switch.LLM_TIMEOUT_MS: "2000"})
        before = await run(switches.set_read, slow)

        async with asked_all_the_time(http, url) as answered:
            assert (await run(switches.set, slow, before)).changed

        assert max(later - at for at, later in pairwise(answered)) < 1.2


async def test_a_pm2_that_was_killed_over_a_reload_is_waited_for_and_not_taken_for_a_refusal(api):
    host, _ = api
    lock = Path(host.environment["PM2_HOME"]) / "reload.lock"
    lock.write_text(str(time.time_ns() // 1_000_000))

    with pytest.raises(Ambiguous, match="being reloaded already"):
        await Pm2(host.ssh, APP).restart_with({"DB_POOL_MAX": "50"})


async def test_a_real_pm2_is_listed_scaled_switched_restarted_and_put_back(api):
    host, url = api
    async with httpx.AsyncClient(trust_env=False) as http:
        pm2, health, targets = (
            Pm2(host.ssh, APP, variables=VARIABLES), Health(http, url), Targets())  # fmt: skip
        manager = ProcessManager(pm2, targets=targets, health=health, pace=PACE)
        switches = Switches(pm2, targets=targets, health=health, pace=PACE)

        order = Scale(replicas=3, most=4)
        before = await run(manager.scale_read, order)
        assert (before.count, (await run(manager.scale, order, before)).changed) == (2, True)
        # Asked again for the number that there is, a real pm2 exits with 1.
        await pm2.scale(3)

        pool = SetSwitches(values={Switch.DATABASE_POOL_MAX: "50"})
        was = await run(switches.set_read, pool)
        assert was.values == {Switch.DATABASE_POOL_MAX: None}
        assert (await run(switches.set, pool, was)).changed
        assert (await http.get(url)).text == "50"
        await run(switches.set_undo, pool, was)
        assert (await http.get(url)).text == "20"

        restart = RollingRestart(requested_at=datetime.now(UTC))
        running = await run(manager.rolling_restart_read, restart)
        done = await run(manager.rolling_restart, restart, running)
        listed = await run(manager.processes, App())
        assert not {i.pid for i in running.instances} & {i.pid for i in listed.instances}
        assert done.at > running.instances[-1].started_at
        assert listed.environment == {"DB_POOL_MAX": "20"}

        logs = await run(Host(host.ssh, HostNames()).logs, Nothing())
        assert "listening" in logs.text
        assert "abcdefgh" not in logs.text

        await run(manager.scale_undo, order, before)
        assert len((await run(manager.processes, App())).instances) == 2
