import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import ValidationError

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unwell
from activities.health import Health
from activities.pace import Pace
from activities.pm2 import Pm2
from activities.switches import DECLARED, SetSwitches, Switch, Switches
from tests.activities.attempts import run
from tests.activities.scripted_host import APP, ScriptedHost, scripted_host
from workflows.efforts import CHANGE

QUICK = Pace(poll_seconds=0.02, ready_seconds=0.4, settle_seconds=0.05, ramp_seconds=0.02)
VARIABLES = [declared.variable for declared in DECLARED.values()]
POOL = SetSwitches(values={Switch.DATABASE_POOL_MAX: "50", Switch.IN_MEMORY_CACHE: "true"})


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def switches(machine: ScriptedHost, health: Health | None = None) -> Switches:
    pm2 = Pm2(machine.ssh, APP, variables=VARIABLES)
    return Switches(pm2, targets=Targets(), health=health, pace=QUICK)


def health(*statuses: int) -> Health:
    """Answer the statuses in turn, the last one for ever."""
    answers = itertools.chain(statuses, itertools.repeat(statuses[-1]))
    transport = httpx.MockTransport(lambda request: httpx.Response(next(answers)))
    return Health(httpx.AsyncClient(transport=transport), "http://api.test/health")


async def test_several_switches_are_set_in_one_restart_and_put_back(machine):
    for each in machine.instances:
        each.environment["DB_POOL_MAX"] = "20"
    before = await run(switches(machine).set_read, POOL)
    done = await run(switches(machine, health(503, 200)).set, POOL, before)

    assert before.values == {Switch.DATABASE_POOL_MAX: "20", Switch.IN_MEMORY_CACHE: None}
    assert [line for line in machine.ran if line.startswith("env ")] == [
        f"env DB_POOL_MAX=50 USE_IN_MEMORY_CACHE=true pm2 reload {APP} --update-env"
    ]
    assert done.changed

    await run(switches(machine).set_undo, POOL, before)
    assert {each.environment["DB_POOL_MAX"] for each in machine.instances} == {"20"}
    assert {each.environment["USE_IN_MEMORY_CACHE"] for each in machine.instances} == {"false"}


@pytest.mark.parametrize("lost", ["drop_after", "drop_before"])
async def test_switches_whose_answer_was_lost_are_set_once(machine, lost):
    before = await run(switches(machine).set_read, POOL)
    setattr(machine, lost, {"env "})

    with pytest.raises(Ambiguous):
        await run(switches(machine).set, POOL, before)
    done = await run(switches(machine).set, POOL, before, attempt=2)

    assert done.changed
    assert [each.restarts for each in machine.instances] == [1, 1, 1]


async def test_switches_that_are_on_their_way_are_looked_at_again(machine):
    before = await run(switches(machine).set_read, POOL)
    busy = "[PM2][ERROR] Reload already in progress, please try again in 12 seconds\n"
    machine.answers["env "] = (1, "", busy)

    with pytest.raises(Ambiguous, match="being reloaded already") as raised:
        await run(switches(machine).set, POOL, before)
    waits = raised.value.next_retry_delay
    assert waits is not None
    attempts = CHANGE["retry_policy"].maximum_attempts
    assert (attempts - 1) * waits > timedelta(seconds=30), "so long a dead pm2 keeps its lock"
    del machine.answers["env "]
    done = await run(switches(machine).set, POOL, before, attempt=2)

    assert done.changed
    assert [each.restarts for each in machine.instances] == [1, 1, 1]


async def test_switches_that_were_set_halfway_are_completed(machine):
    before = await run(switches(machine).set_read, POOL)
    machine.instances[0].environment |= {"DB_POOL_MAX": "50", "USE_IN_MEMORY_CACHE": "true"}

    await run(switches(machine).set, POOL, before, attempt=2)

    assert {each.environment["DB_POOL_MAX"] for each in machine.instances} == {"50"}


async def test_a_switch_that_somebody_changed_is_left_alone(machine):
    before = await run(switches(machine).set_read, POOL)
    await run(switches(machine).set, POOL, before)
    for each in machine.instances:
        each.environment["DB_POOL_MAX"] = "35"

    with pytest.raises(Refused, match="is '35' and was '50'"):
        await run(switches(machine).set_undo, POOL, before)
    assert machine.count("env ") == 1


async def test_a_switch_that_somebody_changed_between_reading_and_setting_is_left_alone(machine):
    before = await run(switches(machine).set_read, POOL)
    for each in machine.instances:
        each.environment["DB_POOL_MAX"] = "35"

    with pytest.raises(Refused, match="is '35' and was not set"):
        await run(switches(machine).set, POOL, before)
    assert machine.count("env ") == 0


async def test_instances_that_do_not_come_up_with_their_switches_were_switched(machine):
    before = await run(switches(machine).set_read, POOL)
    machine.comes_up = lambda instance: "errored"

    with pytest.raises(Unwell, match="0 of 3 online"):
        await run(switches(machine).set, POOL, before)


async def test_instances_that_disagree_are_somebody_s_work_in_progress(machine):
    machine.instances[1].environment["DB_POOL_MAX"] = "99"

    with pytest.raises(Refused, match="do not agree on database pool size"):
        await run(switches(machine).set_read, POOL)


async def test_a_value_that_could_not_be_put_back_is_not_replaced(machine):
    for each in machine.instances:
        each.environment["DB_POOL_MAX"] = "20 # was 10"

    with pytest.raises(Refused, match="could not be put back"):
        await run(switches(machine).set_read, POOL)


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        pytest.param(Switch.DATABASE_POOL_MAX, "0", id="a pool of none"),
        pytest.param(Switch.DATABASE_POOL_MAX, "1000", id="a pool of a thousand"),
        pytest.param(Switch.LLM_TIMEOUT_MS, "5 ; reboot", id="a shell command"),
        pytest.param(Switch.IN_MEMORY_CACHE, "yes", id="another word for true"),
        pytest.param(Switch.LLM_ROUTING, "forcedProvider:nobody", id="a provider nobody has"),
    ],
)
def test_a_value_that_is_not_declared_is_no_order(switch, value):
    with pytest.raises(ValidationError):
        SetSwitches(values={switch: value})


def test_every_switch_is_declared_and_its_default_is_a_value_of_it():
    assert set(DECLARED) == set(Switch)
    assert all(each.values.fullmatch(each.default) for each in DECLARED.values())
    assert len({each.variable for each in DECLARED.values()}) == len(DECLARED)


def test_an_order_survives_the_history():
    assert SetSwitches.model_validate_json(POOL.model_dump_json()) == POOL
