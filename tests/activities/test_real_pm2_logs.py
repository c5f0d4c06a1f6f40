"""Logs under a real pm2, where one is on PATH."""

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.api_health import ApiOnHost, Trouble
from activities.changes import Targets
from activities.errors import Refused
from activities.host_clearing import ClearLogs, LogClearing
from activities.host_logs import HostLogs, LogPlaces
from activities.host_rotation import LogRotation, RotateLogs
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.runaway import RestartInstance, Runaways
from activities.words import Nothing
from deploy.local.processes import free_port
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, scripted_host
from tests.activities.test_real_pm2 import RealHost

pytestmark = pytest.mark.skipif(not shutil.which("pm2"), reason="no pm2 on PATH (npm i -g pm2)")

SERVER = """
require('http').createServer((q, r) => r.end()).listen(PORT, '127.0.0.1', () => {
  console.log('listening'); console.error('token=abcdefgh');
});
"""


@pytest.fixture
async def host(tmp_path):
    port = free_port()
    (tmp_path / "app.js").write_text(SERVER.replace("PORT", str(port)))
    async with scripted_host(tmp_path, RealHost) as machine:
        path = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C"}
        machine.environment = path | {"PM2_HOME": str(tmp_path / "pm2"), "PORT": str(port)}
        started = await machine.carry_out(
            ["pm2", "start", str(tmp_path / "app.js"), "-n", APP, "-i", "2"]
        )
        assert started[0] == 0, started
        yield machine
        await machine.carry_out(["pm2", "kill"])


async def test_a_real_pm2_s_logs_are_found_emptied_and_its_instances_asked(host, tmp_path):
    folder = tmp_path / "pm2" / "logs"
    places = LogPlaces(app=APP, folder=str(folder))
    async with asyncio.timeout(60):
        while not any(file.stat().st_size for file in folder.iterdir()):
            await asyncio.sleep(0.1)

    seen = await run(HostLogs(host.ssh, places).old_logs, Nothing())
    assert seen.app_bytes > 0
    assert seen.unread == ()

    order = ClearLogs(app=APP, folder=str(folder), requested_at=datetime.now(UTC))
    clearing = LogClearing(host.ssh, places, targets=Targets())
    before = await run(clearing.clear_logs_read, order)
    assert {Path(file.path).name for file in before.app_files} == {
        f"{APP}-{kind}-{n}.log" for kind in ("out", "error") for n in (0, 1)
    }
    assert "listening" in before.last_lines
    assert "abcdefgh" not in before.last_lines
    done = await run(clearing.clear_logs, order, before)
    assert done.changed
    assert sum(file.stat().st_size for file in folder.iterdir()) == 0

    on_host = ApiOnHost(
        host.ssh, Pm2(host.ssh, APP, variables=["PORT"]), path="/", port_variable="PORT"
    )
    health = await run(on_host.on_host, Nothing())
    assert [each.trouble for each in health.instances] == [Trouble.NONE, Trouble.NONE]


async def test_one_instance_of_a_real_pm2_is_restarted_alone(host):
    pm2 = Pm2(host.ssh, APP)
    first, second = (await pm2.processes()).instances
    runaways = Runaways(pm2, targets=Targets(), pace=Pace(poll_seconds=0.2, ready_seconds=20))
    order = RestartInstance(app=APP, instance=second.id, pid=second.pid,
                            requested_at=datetime.now(UTC))  # fmt: skip

    await run(runaways.restart_instance, order, await run(runaways.restart_instance_read, order))

    after = (await pm2.processes()).instances
    assert after[0].pid == first.pid
    assert after[1].pid != second.pid


async def test_a_real_pm2_without_its_module_rotates_nothing(host):
    rotation = LogRotation(host.ssh, targets=Targets())

    assert not (await run(rotation.look, Nothing())).installed
    with pytest.raises(Refused, match="pm2 install pm2-logrotate"):
        await run(rotation.rotate_read, RotateLogs())
