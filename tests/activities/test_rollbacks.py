"""A rollback against real release folders, killed at each of its commands."""

import time
from datetime import UTC, datetime

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, Failed, NotConfigured, Refused, Unwell
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.rollbacks import Rollback, Rollbacks
from tests.activities.attempts import run
from tests.activities.releases import ReleaseHost
from tests.activities.scripted_host import APP, scripted_host

ORDER = Rollback(to="v2", leaving="v3", requested_at=datetime.now(UTC))
PACE = Pace(poll_seconds=0.02, ready_seconds=0.5, settle_seconds=0.02, ramp_seconds=0)


@pytest.fixture
async def host(tmp_path):
    async with scripted_host(tmp_path, ReleaseHost) as host:
        yield host


@pytest.fixture
def rollbacks(host) -> Rollbacks:
    return Rollbacks(host.pm2, targets=Targets(), pace=PACE)


async def rolled_back(rollbacks, order=ORDER, **more):
    before = await run(rollbacks.rollback_read, order)
    return await run(rollbacks.rollback, order, before, **more)


async def test_releases_are_told_with_what_runs_and_what_was_left(host):
    host.build("v4", ready=False)
    (host.root / "releases" / "v1" / ".rolled-back").touch()
    found = await host.pm2.releases()

    assert (found.running, found.ready, found.left) == ("v3", ("v2", "v3"), ("v1",))
    assert found.rolling == ""
    assert abs(found.since.timestamp() - time.time()) < 60

    (host.root / "deploy.lock").touch()
    assert "deploy.lock is there" in (await host.pm2.releases()).rolling


@pytest.mark.parametrize("link", ["/elsewhere/releases/v2", "releases", "../v2", "v2/x"])
async def test_a_link_that_leads_elsewhere_names_no_release(host, link):
    (host.root / "current").unlink()
    (host.root / "current").symlink_to(link)

    assert (await host.pm2.releases()).running == ""


async def test_a_relative_link_names_its_release(host):
    (host.root / "current").unlink()
    (host.root / "current").symlink_to("releases/v2")

    assert (await host.pm2.releases()).running == "v2"


async def test_it_switches_reloads_marks_and_waits_for_every_process(host, rollbacks):
    old = host.pids
    host.log = "listening\nTypeError: plan is undefined\n"

    done = await rolled_back(rollbacks)

    assert host.running == "v2"
    assert host.marked == ["v3"]
    assert not set(old) & set(host.pids)
    assert done.changed
    assert done.at is not None
    assert done.said == (
        "pravado-api went back from v3 to v2; the last line that v3 wrote: "
        "TypeError: plan is undefined"
    )
    assert not (host.root / ".current-next").is_symlink()
    assert host.count("pm2 reload") == 1


async def test_asked_again_it_finds_it_done(host, rollbacks):
    before = await run(rollbacks.rollback_read, ORDER)
    await run(rollbacks.rollback, ORDER, before)

    again = await run(rollbacks.rollback, ORDER, before, attempt=2)

    assert again.changed, "by the attempt before"
    assert host.count("pm2 reload") == 1


@pytest.mark.parametrize("command", ["touch", "ln", "mv", "pm2 reload"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_that_is_lost_at_any_command_is_followed_by_one_that_finishes(
    host, rollbacks, command, when
):
    before = await run(rollbacks.rollback_read, ORDER)
    getattr(host, f"drop_{when}").add(command)
    with pytest.raises(Ambiguous):
        await run(rollbacks.rollback, ORDER, before)

    await run(rollbacks.rollback, ORDER, before, attempt=2)

    assert host.running == "v2"
    assert not {each.pid for each in before.instances} & set(host.pids)
    carried_out = command == "pm2 reload" and when == "after"
    assert host.count("pm2 reload") == (1 if carried_out or command != "pm2 reload" else 2)


async def test_a_process_that_crashed_before_the_switch_is_not_taken_for_the_new_release(
    host, rollbacks
):
    """Its number is another one, and what it runs is what was there before the link moved."""
    before = await run(rollbacks.rollback_read, ORDER)
    host.drop_before.add("pm2 reload")
    for each in host.instances:
        host._restart(each.id)  # each crashed, and began anew from v3
    with pytest.raises(Ambiguous):
        await run(rollbacks.rollback, ORDER, before)
    crashed = host.pids

    await run(rollbacks.rollback, ORDER, before, attempt=2)

    assert not set(crashed) & set(host.pids)


async def test_a_reload_that_runs_already_is_looked_at_again(host, rollbacks):
    host.busy = True
    with pytest.raises(Ambiguous, match="being reloaded already"):
        await rolled_back(rollbacks)


async def test_a_release_that_does_not_come_up_is_unwell(host, rollbacks):
    host.comes_up = lambda instance: "errored"

    with pytest.raises(Unwell, match="switched pravado-api to v2"):
        await rolled_back(rollbacks)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda host: host.point("v1"), "v1 runs, not v3: somebody has deployed meanwhile"),
        (lambda host: (host.root / "deploy.lock").touch(), "not while a rollout is under way"),
        (lambda host: (host.root / "releases/v2/.ready").unlink(), "v2 is not built here"),
        (lambda host: (host.root / "releases/v2/.rolled-back").touch(), "was rolled back from"),
        (lambda host: (host.root / "current").unlink(), "readlink"),
    ],
    ids=["somebody deployed", "a deployment runs", "not built", "left by an incident", "no link"],
)
@pytest.mark.parametrize("meanwhile", [False, True], ids=["before", "after it was read"])
async def test_it_is_refused_and_nothing_is_touched(host, rollbacks, change, said, meanwhile):
    if meanwhile:
        before = await run(rollbacks.rollback_read, ORDER)
    change(host)

    asked = (rollbacks.rollback, ORDER, before) if meanwhile else (rollbacks.rollback_read, ORDER)
    with pytest.raises(Refused, match=said):
        await run(*asked)

    assert host.marked in ([], ["v2"])
    assert host.count("pm2 reload") == host.count("mv") == 0


async def test_somebody_was_quicker(host, rollbacks):
    host.point("v2")

    done = await rolled_back(rollbacks)

    assert not done.changed
    assert host.count("pm2 reload") == 0
    assert host.marked == []


async def test_without_release_folders_it_is_not_configured(host):
    rollbacks = Rollbacks(Pm2(host.ssh, APP), targets=Targets(), pace=PACE)

    with pytest.raises(NotConfigured, match=r"releases\.root"):
        await run(rollbacks.rollback_read, ORDER)


@pytest.mark.parametrize("name", ["../../etc", "-rf", "v 2", "$(id)", "v2/../v1", ""])
async def test_a_name_that_is_no_folder_never_reaches_the_host(host, name):
    with pytest.raises(Failed, match="may not stand in a command"):
        await host.pm2.switch_release(name, leaving="v3")

    assert host.running == "v3"
    assert host.ran == []
