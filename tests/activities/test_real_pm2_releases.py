"""A rollback by a real pm2 in cluster mode, where one is on PATH: the link decides what is run."""

import os
import shutil
from datetime import UTC, datetime

import httpx
import pytest

from activities.changes import Targets
from activities.health import Health
from activities.pace import Pace
from activities.pm2 import Pm2, ReleaseFolders
from activities.rollbacks import Rollback, Rollbacks
from deploy.local.processes import free_port
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, scripted_host
from tests.activities.test_real_pm2 import RealHost

pytestmark = pytest.mark.skipif(not shutil.which("pm2"), reason="no pm2 on PATH (npm i -g pm2)")

SERVER = """
const name = require('path').basename(require('fs').realpathSync(__dirname));
require('http').createServer((q, r) => r.end(name)).listen(PORT, '127.0.0.1');
"""
CRASHES = "throw new Error('plan is undefined');"
PACE = Pace(poll_seconds=0.2, ready_seconds=20, settle_seconds=0.5, ramp_seconds=0.1)


@pytest.mark.parametrize("bad", [SERVER, CRASHES], ids=["it runs", "it crashes at its start"])
async def test_a_real_pm2_goes_back_to_the_release_before(tmp_path, bad):
    port = free_port()
    root = tmp_path / "srv"
    for name, text in (("v1", SERVER), ("v2", bad)):
        folder = root / "releases" / name
        folder.mkdir(parents=True)
        (folder / "app.js").write_text(text.replace("PORT", str(port)))
        (folder / ".ready").touch()
    (root / "current").symlink_to("releases/v2")
    async with scripted_host(tmp_path, RealHost) as host, httpx.AsyncClient(trust_env=False) as web:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        host.environment = {**kept, "PM2_HOME": str(tmp_path / "pm2"), "LANG": "C"}
        try:
            started = await host.carry_out(
                ["pm2", "start", str(root / "current" / "app.js"), "-n", APP, "-i", "2"]
            )
            assert started[0] == 0, started
            health = Health(web, f"http://127.0.0.1:{port}/")
            pm2 = Pm2(host.ssh, APP, folders=ReleaseFolders(str(root)))
            rollbacks = Rollbacks(pm2, targets=Targets(), health=health, pace=PACE)
            order = Rollback(to="v1", leaving="v2", requested_at=datetime.now(UTC))
            before = await run(rollbacks.rollback_read, order)

            done = await run(rollbacks.rollback, order, before)

            assert done.changed
            assert {(await web.get(f"http://127.0.0.1:{port}/")).text for _ in range(8)} == {"v1"}
            found = await pm2.releases()
            assert (found.running, found.ready, found.left) == ("v1", ("v1",), ("v2",))
            reloads = host.count("pm2 reload")
            await run(rollbacks.rollback, order, before, attempt=2)
            assert host.count("pm2 reload") == reloads == 1
        finally:
            await host.carry_out(["pm2", "kill"])
