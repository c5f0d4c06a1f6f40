"""Releases of the game day's API: a bad one shows, and the responder's own hands go back."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from activities.changes import Targets
from activities.deployments import DeployLog, Deployments, RecentReleases
from activities.health import Health
from activities.host import Host, HostNames
from activities.pace import Pace
from activities.pm2 import Pm2, ReleaseFolders
from activities.rollbacks import Rollback, Rollbacks
from activities.ssh import Login, Ssh
from deploy.gameday.releases import GOOD, ROOT, Behaviour
from deploy.gameday.releases import ReleaseFolders as Folders
from tests.activities.attempts import run
from tests.gameday.watching import until

PACE = Pace(poll_seconds=0.2, ready_seconds=20.0, settle_seconds=0.5, ramp_seconds=0.1)
BAD = "v1.43.0"


@pytest.fixture
def ssh(platform):
    at = platform.addresses()
    return Ssh(
        Login(
            host=at["ssh_host"],
            port=at["ssh_port"],
            user=at["ssh_user"],
            key=Path(at["ssh_client_key"]),
            known_hosts=Path(at["ssh_known_hosts"]),
        )
    )


async def statuses(platform, count: int = 20) -> list[int]:
    async with httpx.AsyncClient(base_url=platform.api_url, trust_env=False) as http:
        return [(await http.get("/api/orgs")).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("behaviour", "shows"),
    [
        (Behaviour(status=500, share=0.5), 500),
        (Behaviour(status=502, share=0.5), 502),
        (Behaviour(crashes_after=3), 502),
    ],
    ids=["500", "502", "it crashes, and the balancer answers 502"],
)
async def test_a_bad_release_fails_and_a_rollback_ends_it(platform, ssh, behaviour, shows):
    await platform.deploy(BAD, behaviour)
    await until(_hidden, platform, shows)
    assert any(BAD in reason for reason in await platform.healthy())

    pm2 = Pm2(ssh, "pravado-api", folders=ReleaseFolders(ROOT))
    log = DeployLog(Host(ssh, HostNames(deployments=platform.deploy_log)))
    found = await run(Deployments([log], supervisor=pm2).recent, RecentReleases())
    newest, before = found.releases[0], found.releases[1 : found.releases.index(_good(found)) + 1]
    assert (newest.name, newest.author, found.running) == (BAD, "marek", BAD)
    assert before[-1].healthy_minutes == 720
    assert before[-1].ready

    async with httpx.AsyncClient(trust_env=False) as http:
        health = Health(http, platform.health_url)
        rollbacks = Rollbacks(pm2, targets=Targets(), health=health, pace=PACE)
        order = Rollback(to=GOOD, leaving=BAD, requested_at=datetime.now(UTC))
        done = await run(rollbacks.rollback, order, await run(rollbacks.rollback_read, order))

    assert done.changed
    assert platform.releases.running == GOOD
    assert set(await statuses(platform)) == {200}
    kept = await pm2.releases()
    assert BAD in kept.left


def _good(found):
    return next(each for each in found.releases if each.name == GOOD)


async def _hidden(platform, status: int) -> str:
    return "" if status in await statuses(platform, 6) else f"nothing answers {status}"


async def test_a_fault_that_no_release_causes_is_seen_and_mended(platform):
    platform.fail_requests(Behaviour(status=500, share=1.0))
    assert set(await statuses(platform, 4)) == {500}
    assert "api_fails is still broken on purpose" in await platform.healthy()

    platform.mend_requests()
    assert set(await statuses(platform, 4)) == {200}


def test_only_the_folders_of_releases_can_be_named(tmp_path):
    folders = Folders(tmp_path)
    folders.begin()

    assert folders.running == GOOD
    assert json.loads(str(Behaviour())) == json.loads(str(Behaviour.read("")))


@pytest.mark.parametrize(
    "words",
    [
        ["touch", "/etc/passwd"],
        ["touch", f"{ROOT}/../x"],
        ["ln", "-sfn", "/etc", f"{ROOT}/current"],
        ["rm", "-rf", f"{ROOT}/releases"],
        ["touch"],
        [],
    ],
)
async def test_what_leads_elsewhere_is_no_command_of_releases(tmp_path, words):
    folders = Folders(tmp_path)
    folders.begin()

    assert await folders.said(words) is None
