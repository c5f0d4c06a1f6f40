from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unwell
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.runaway import RestartInstance, Runaways
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, ScriptedHost, scripted_host

PACE = Pace(poll_seconds=0.02, ready_seconds=2.0, settle_seconds=0.05, ramp_seconds=0.02)


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def runaways(machine: ScriptedHost) -> Runaways:
    return Runaways(Pm2(machine.ssh, APP), targets=Targets(), pace=PACE)


def order(machine: ScriptedHost, **more) -> RestartInstance:
    about = {"instance": 1, "pid": machine.instances[1].pid, "requested_at": datetime.now(UTC)}
    return RestartInstance(**about | more)


async def test_the_one_is_restarted_and_the_others_go_on(machine):
    this, pids = order(machine), machine.pids
    before = await run(runaways(machine).restart_instance_read, this)
    done = await run(runaways(machine).restart_instance, this, before)

    assert (machine.pids[0], machine.pids[2]) == (pids[0], pids[2])
    assert machine.pids[1] != pids[1]
    assert done.said == f"restarted instance 1 of {APP}: process {pids[1]} → {machine.pids[1]}"
    assert before.logs == "listening"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"pid": 4242}, "not instance 1 any more", id="another process by now"),
        pytest.param({"instance": 9}, "not instance 9", id="an instance there is none of"),
        pytest.param({"app": "postgres"}, "not the application", id="a process that is not ours"),
    ],
)
async def test_what_is_not_the_process_that_was_seen_is_left_alone(machine, changed, why):
    with pytest.raises(Refused, match=why):
        await run(runaways(machine).restart_instance_read, order(machine, **changed))
    assert machine.count("pm2 restart") == 0


async def test_a_restart_by_somebody_else_meanwhile_is_enough(machine):
    this = order(machine)
    before = await run(runaways(machine).restart_instance_read, this)
    machine.act(["pm2", "restart", "1"])

    done = await run(runaways(machine).restart_instance, this, before)

    assert (machine.count("pm2 restart"), done.changed) == (0, False)


@pytest.mark.parametrize("lost", ["drop_after", "drop_before"])
async def test_a_restart_whose_answer_was_lost_is_made_once(machine, lost):
    this = order(machine)
    before = await run(runaways(machine).restart_instance_read, this)
    setattr(machine, lost, {"pm2 restart"})
    with pytest.raises(Ambiguous):
        await run(runaways(machine).restart_instance, this, before)

    done = await run(runaways(machine).restart_instance, this, before, attempt=2)

    assert machine.instances[1].restarts == 1
    assert done.changed


async def test_an_instance_that_does_not_come_back_is_not_called_restarted(machine):
    machine.comes_up = lambda instance: "errored"
    this = order(machine)
    before = await run(runaways(machine).restart_instance_read, this)
    with pytest.raises(Unwell, match="it is errored"):
        await run(runaways(machine).restart_instance, this, before)
