import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unavailable, Unwell
from activities.health import Health
from activities.pace import Pace
from activities.pm2 import Pm2, parsed
from activities.processes import App, ProcessManager, Replicas, RollingRestart, Scale
from activities.switches import DECLARED
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, SECRET, Instance, ScriptedHost, scripted_host

QUICK = Pace(poll_seconds=0.02, ready_seconds=0.4, settle_seconds=0.05, ramp_seconds=0.02)
VARIABLES = [declared.variable for declared in DECLARED.values()]
RESTART = RollingRestart(requested_at=datetime.now(UTC))


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def manager(machine: ScriptedHost, health: Health | None = None) -> ProcessManager:
    pm2 = Pm2(machine.ssh, APP, variables=VARIABLES)
    return ProcessManager(pm2, targets=Targets(), health=health, pace=QUICK)


def health(*statuses: int) -> Health:
    """Answer the statuses in turn, the last one for ever."""
    answers = itertools.chain(statuses, itertools.repeat(statuses[-1]))
    transport = httpx.MockTransport(lambda request: httpx.Response(next(answers)))
    return Health(httpx.AsyncClient(transport=transport), "http://api.test/health")


async def test_the_list_keeps_known_switches_and_nothing_else_of_the_environment(machine):
    machine.instances[0].environment["DB_POOL_MAX"] = "20"

    listed = await run(manager(machine).processes, App())

    assert [each.pid for each in listed.instances] == machine.pids
    assert listed.instances[0].environment == {"DB_POOL_MAX": "20"}
    assert listed.environment == {}, "the instances do not agree on it"
    assert (listed.online, listed.instances[0].memory_bytes) == (3, 52_000_000)
    assert SECRET not in listed.model_dump_json()


async def test_a_pm2_that_starts_its_daemon_first_is_read_all_the_same(machine):
    machine.banner = "[PM2] Spawning PM2 daemon with pm2_home=/home/x/.pm2\n[PM2] Done\n"

    assert len((await run(manager(machine).processes, App())).instances) == 3


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("", id="nothing"),
        pytest.param("[PM2] Spawning\n", id="only the banner"),
        pytest.param(f'[{{"name": "{APP}", "pm2_env": {{"TOKEN": "{SECRET}"', id="half a list"),
        pytest.param(json.dumps([{"name": APP, "x": SECRET}]), id="an entry without an id"),
    ],
)
async def test_a_list_that_cannot_be_read_is_refused_without_quoting_it(shown):
    with pytest.raises(Refused) as refused:
        parsed(shown, APP, VARIABLES)
    assert SECRET not in str(refused.value)


async def test_an_application_that_pm2_does_not_know_is_refused(machine):
    machine.instances = []
    with pytest.raises(Refused, match="no application named"):
        await run(manager(machine).processes, App())


async def test_another_application_than_the_settings_is_refused(machine):
    with pytest.raises(Refused, match="not the application"):
        await run(manager(machine).scale_read, Scale(app="all", replicas=5, most=9))
    assert machine.ran == []


@pytest.mark.parametrize(
    ("present", "replicas", "most", "wanted"),
    [
        pytest.param(3, 5, 10, 5, id="up to what is ordered"),
        pytest.param(3, 10, 6, 6, id="not above the most"),
        pytest.param(8, 5, 10, 8, id="never down"),
        pytest.param(8, 5, 4, 8, id="never down, even above the most"),
    ],
)
def test_the_number_that_is_wanted(present, replicas, most, wanted):
    assert Scale(replicas=replicas, most=most).wanted(present) == wanted


async def test_scaling_and_its_undo(machine):
    order = Scale(replicas=5, most=10)
    before = await run(manager(machine).scale_read, order)
    done = await run(manager(machine).scale, order, before)
    assert (before.count, len(machine.instances), done.changed) == (3, 5, True)
    assert "from 3 to 5" in done.said

    undone = await run(manager(machine).scale_undo, order, before)
    assert (len(machine.instances), undone.changed) == (3, True)


async def test_a_scaling_whose_answer_was_lost_is_not_done_twice(machine):
    order = Scale(replicas=5, most=10)
    machine.drop_after = {"pm2 scale"}

    with pytest.raises(Ambiguous):
        await run(manager(machine).scale, order, Replicas(count=3))
    done = await run(manager(machine).scale, order, Replicas(count=3), attempt=2)

    assert (machine.count("pm2 scale"), len(machine.instances)) == (1, 5)
    assert done.changed


async def test_a_scaling_that_stopped_halfway_is_completed(machine):
    machine.act(["pm2", "scale", APP, "4"])

    await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3), attempt=2)

    assert len(machine.instances) == 5


@pytest.mark.parametrize("count", [2, 4, 6])
async def test_a_number_that_somebody_else_chose_is_left_alone(machine, count):
    machine.act(["pm2", "scale", APP, str(count)])

    with pytest.raises(Refused, match="left to a person"):
        await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3))
    with pytest.raises(Refused, match="left to a person"):
        await run(manager(machine).scale_undo, Scale(replicas=5, most=9), Replicas(count=3))
    assert machine.count("pm2 scale") == 0


async def test_enough_instances_need_no_scaling_and_no_undo(machine):
    order, before = Scale(replicas=2, most=9), Replicas(count=3)

    assert not (await run(manager(machine).scale, order, before)).changed
    assert not (await run(manager(machine).scale_undo, order, before)).changed
    assert machine.ran == []


@pytest.mark.parametrize("attempt", [1, 2])
async def test_instances_that_do_not_come_up_are_a_scaling_that_was_done(machine, attempt):
    machine.comes_up = lambda instance: "errored"
    order, before = Scale(replicas=5, most=9), Replicas(count=3)

    with pytest.raises(Unwell, match="3 of 5 online"):
        await run(manager(machine).scale, order, before, attempt=attempt)


async def test_a_number_that_somebody_else_set_and_that_is_not_well_was_not_our_doing(machine):
    machine.comes_up = lambda instance: "errored"
    machine.act(["pm2", "scale", APP, "5"])

    with pytest.raises(Refused, match="3 of 5 online"):
        await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3))
    assert machine.count("pm2 scale") == 0


async def test_a_scaling_that_pm2_breaks_off_may_have_been_done_in_part(machine):
    machine.answers["pm2 scale"] = (1, "", "[PM2][ERROR] spawn failed\n")

    with pytest.raises(Unwell, match="spawn failed"):
        await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3))


async def test_another_number_after_a_lost_attempt_leaves_a_doubt(machine):
    machine.act(["pm2", "scale", APP, "7"])

    with pytest.raises(Unwell, match=r"earlier attempt may have.*left to a person"):
        await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3), attempt=2)


async def test_an_application_in_fork_mode_is_not_scaled(machine):
    machine.instances[0].mode = "fork_mode"

    with pytest.raises(Refused, match="fork mode"):
        await run(manager(machine).scale_read, Scale(replicas=5, most=9))


async def test_a_host_that_is_lost_while_it_is_waited_for_is_unavailable_not_refused(machine):
    def falls(instance: Instance) -> str:
        machine.server.close()
        return "online"

    machine.comes_up = falls

    with pytest.raises(Unavailable, match=r"scaled .* from 3 to 5, but .* cannot be entered"):
        await run(manager(machine).scale, Scale(replicas=5, most=9), Replicas(count=3))


async def test_a_rolling_restart_replaces_one_instance_after_another(machine):
    old = machine.pids
    machine.log = f"DATABASE_PASSWORD={SECRET}\nheap is full\n"
    before = await run(manager(machine).rolling_restart_read, RESTART)
    done = await run(manager(machine, health(200)).rolling_restart, RESTART, before)

    orders = [line for line in machine.ran if line.startswith("pm2 restart")]
    assert orders == ["pm2 restart 0", "pm2 restart 1", "pm2 restart 2"]
    first, second = (machine.ran.index(each) for each in orders[:2])
    assert "pm2 jlist" in machine.ran[first + 1 : second], "the first was looked at before the next"
    assert not set(old) & set(machine.pids)
    assert "one at a time" in done.said
    assert "last line: heap is full" in done.said
    assert SECRET not in before.model_dump_json() + done.said


async def test_a_retried_rolling_restart_restarts_no_instance_twice(machine):
    before = await run(manager(machine).rolling_restart_read, RESTART)
    machine.drop_after = {"pm2 restart 1"}

    with pytest.raises(Ambiguous):
        await run(manager(machine).rolling_restart, RESTART, before)
    done = await run(manager(machine).rolling_restart, RESTART, before, attempt=2)

    assert [each.restarts for each in machine.instances] == [1, 1, 1]
    assert done.changed


async def test_a_rolling_restart_stops_at_the_first_instance_that_does_not_come_back(machine):
    before = await run(manager(machine).rolling_restart_read, RESTART)
    machine.comes_up = lambda instance: "online" if instance.id == 0 else "errored"

    with pytest.raises(Unwell, match=r"restarted 2 of 3 and stopped.*instance 1 is errored"):
        await run(manager(machine).rolling_restart, RESTART, before)
    assert machine.instances[2].restarts == 0


async def test_a_crash_loop_is_not_taken_for_a_restart_that_worked(machine):
    before = await run(manager(machine).rolling_restart_read, RESTART)
    pids = itertools.count(9000)
    listed = Instance.listed

    def restless(instance: Instance) -> dict[str, object]:
        return listed(instance) | ({"pid": next(pids)} if instance.restarts else {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Instance, "listed", restless)
        with pytest.raises(Unwell, match="keeps restarting"):
            await run(manager(machine).rolling_restart, RESTART, before)


@pytest.mark.parametrize(
    "sick",
    [
        pytest.param("online", id="none answers its health address"),
        pytest.param("errored", id="none runs"),
    ],
)
async def test_all_are_restarted_at_once_only_if_none_is_healthy(machine, sick):
    for each in machine.instances:
        each.status = sick
    before = await run(manager(machine).rolling_restart_read, RESTART)
    sickness = health(503, 503, 503, 200) if sick == "online" else health(200)

    done = await run(manager(machine, sickness).rolling_restart, RESTART, before)

    at = [n for n, line in enumerate(machine.ran) if line.startswith("pm2 restart")]
    assert at == [at[0], at[0] + 1, at[0] + 2], "nothing was waited for in between"
    assert "all at once" in done.said


async def test_one_unhealthy_answer_of_three_still_means_one_at_a_time(machine):
    before = await run(manager(machine).rolling_restart_read, RESTART)

    done = await run(manager(machine, health(503, 200)).rolling_restart, RESTART, before)

    assert "one at a time" in done.said


def test_orders_and_answers_survive_the_history():
    for each in (RESTART, Scale(replicas=5, most=9)):
        assert type(each).model_validate_json(each.model_dump_json()) == each
