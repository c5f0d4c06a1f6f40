from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from activities.changes import Targets
from activities.errors import Ambiguous, NotYet, Refused, Unwell
from activities.pace import Pace
from activities.services import RestartService, Services
from tests.activities.attempts import run
from tests.activities.scripted_host import ScriptedHost, scripted_host

QUICK = Pace(poll_seconds=0.02, ready_seconds=0.3, settle_seconds=0.05, ramp_seconds=0.02)
ORDER = RestartService(unit="redis", requested_at=datetime.now(UTC))
RESTART = "sudo -n systemctl restart redis"


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        yield served


def services(machine: ScriptedHost) -> Services:
    return Services(machine.ssh, units=["redis"], targets=Targets(), pace=QUICK)


async def test_a_restart_is_done_when_another_process_runs(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    done = await run(services(machine).restart_service, ORDER, before)

    assert machine.count(RESTART) == 1
    assert done.changed
    assert f"{before.pid} → {machine.redis_pid}" in done.said
    assert abs(done.at.timestamp() - machine.redis_since) < 1


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0], ids="clock {}s off".format)
async def test_a_restart_whose_answer_was_lost_is_not_done_twice(machine, ahead):
    machine.clock_ahead = ahead
    machine.redis_since = machine.now() - 3600
    machine.drop_after = {RESTART}
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Ambiguous):
        await run(services(machine).restart_service, ORDER, before)
    done = await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 1
    assert done.changed


async def test_a_restart_that_was_lost_before_it_began_is_done_by_the_next_attempt(machine):
    machine.drop_before = {RESTART}
    before = await run(services(machine).restart_service_read, ORDER)
    old = machine.redis_pid

    with pytest.raises(Ambiguous):
        await run(services(machine).restart_service, ORDER, before)
    done = await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 2
    assert done.changed
    assert machine.redis_pid != old


async def test_a_service_that_was_replaced_meanwhile_is_left_alone(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.act(RESTART.split())

    done = await run(services(machine).restart_service, ORDER, before)

    assert machine.count(RESTART) == 0
    assert not done.changed


async def test_a_service_on_its_way_is_waited_for_not_restarted_again(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.redis_state = "deactivating"

    with pytest.raises(NotYet, match="deactivating"):
        await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 0


async def test_a_service_that_still_loads_is_waited_for_by_the_next_attempt(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.redis_comes_back = "activating"

    with pytest.raises(NotYet, match="activating"):
        await run(services(machine).restart_service, ORDER, before)
    machine.redis_state, machine.redis_pid = "active", 4711
    done = await run(services(machine).restart_service, ORDER, before, attempt=2)

    assert machine.count(RESTART) == 1
    assert done.changed


async def test_a_service_that_failed_and_fails_again_was_restarted_all_the_same(machine):
    machine.redis_state, machine.redis_pid = "failed", 0
    machine.redis_comes_back = "failed"
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Unwell, match="restarted, but it is failed"):
        await run(services(machine).restart_service, ORDER, before)


async def test_a_restart_that_did_nothing_is_refused(machine):
    machine.answers["sudo"] = (1, "", "Failed to restart redis.service: Access denied\n")
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Refused, match="Access denied"):
        await run(services(machine).restart_service, ORDER, before)


async def test_what_a_later_attempt_is_refused_may_have_been_done_by_an_earlier_one(machine):
    before = await run(services(machine).restart_service_read, ORDER)
    machine.answers["systemctl show"] = (1, "", "Failed to get properties\n")

    with pytest.raises(Refused):
        await run(services(machine).restart_service, ORDER, before)
    with pytest.raises(Unwell, match="an earlier attempt may have changed it"):
        await run(services(machine).restart_service, ORDER, before, attempt=2)


async def test_a_service_that_does_not_come_back_says_its_result(machine):
    machine.redis_comes_back = "failed"
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Unwell, match="restarted, but it is failed: exit-code"):
        await run(services(machine).restart_service, ORDER, before)


async def test_a_restart_that_sudo_forbids_is_refused(machine):
    machine.answers["sudo"] = (1, "", "sudo: a password is required\n")
    before = await run(services(machine).restart_service_read, ORDER)

    with pytest.raises(Refused, match="a password is required"):
        await run(services(machine).restart_service, ORDER, before)


async def test_only_the_units_of_the_settings_are_restarted(machine):
    order = RestartService(unit="sshd", requested_at=datetime.now(UTC))

    with pytest.raises(Refused, match="sshd is not among"):
        await run(services(machine).restart_service_read, order)
    assert machine.ran == []
