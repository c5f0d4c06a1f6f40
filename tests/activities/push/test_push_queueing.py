"""Queueing is switched on over real ssh, and its undo sends what waits before and after."""

import asyncio
import contextlib

import pytest

from activities.changes import Targets
from activities.push_queueing import PushQueueing, QueuePushes
from activities.switches import Switch
from deploy.gameday.standins.faults import outage, rate_limited
from tests.activities.pushes import failing, phone, run
from tests.activities.scripted_host import scripted_host
from tests.activities.test_switches import switches

ORDER = QueuePushes(drain_per_second=500)


@pytest.fixture
async def machine(tmp_path):
    async with scripted_host(tmp_path) as served:
        yield served


@pytest.fixture
def queueing(machine, drain) -> PushQueueing:
    return PushQueueing(switches(machine), drain, Targets())


def set_to(machine) -> set[str | None]:
    return {each.environment.get("PUSH_QUEUEING") for each in machine.instances}


async def test_it_is_switched_on_and_what_waited_is_sent_when_it_is_undone(
    machine,
    queueing,
    platform,
    service,
):
    before = await run(queueing.queue_on_read, ORDER)
    assert before.values == {Switch.PUSH_QUEUEING: None}
    await run(queueing.queue_on, ORDER, before)
    assert set_to(machine) == {"true"}
    await platform.queue(1, 2)
    await platform.queue(3, urgent=True)

    done = await run(queueing.queue_on_undo, ORDER, before)

    assert set_to(machine) == {"false"}
    assert [each.to for each in service.delivered] == [phone(n) for n in (3, 1, 2)]
    assert done.said.startswith("sent 3 queued notifications; 3 are confirmed by a receipt; set:")


async def test_what_an_instance_queues_while_it_is_restarted_is_sent_too(
    machine,
    queueing,
    platform,
    service,
    monkeypatch,
):
    before = await run(queueing.queue_on_read, ORDER)
    await run(queueing.queue_on, ORDER, before)
    await platform.queue(1)
    put_back = queueing._switches.set_undo

    async def meanwhile(*given):
        await platform.queue(2)
        return await put_back(*given)

    monkeypatch.setattr(queueing._switches, "set_undo", meanwhile)
    done = await run(queueing.queue_on_undo, ORDER, before)
    assert [each.to for each in service.delivered] == [phone(1), phone(2)]
    assert "sent 2 queued" in done.said


@pytest.mark.parametrize(
    "fault", [rate_limited(3), outage(408), outage(503)], ids=["429", "408", "503"]
)
async def test_while_expo_does_not_take_them_it_stays_switched_on(
    machine,
    queueing,
    platform,
    service,
    fault,
):
    before = await run(queueing.queue_on_read, ORDER)
    await run(queueing.queue_on, ORDER, before)
    await platform.queue(1, 2, 3)
    service.fail(fault)
    error = await failing(run(queueing.queue_on_undo, ORDER, before))
    assert not error.non_retryable
    assert set_to(machine) == {"true"}, "new ones are not lost meanwhile"
    await run(queueing.queue_on_undo, ORDER, before, attempt=2)
    assert set_to(machine) == {"false"}
    sent = [each.to for each in service.delivered]
    assert len(sent) == len(set(sent))


async def test_an_attempt_after_the_switch_sends_the_rest_and_restarts_nothing(
    machine,
    queueing,
    platform,
    service,
    monkeypatch,
):
    before = await run(queueing.queue_on_read, ORDER)
    await run(queueing.queue_on, ORDER, before)
    await platform.queue(1)
    emptied = queueing._drain.empty
    with monkeypatch.context() as killed, contextlib.suppress(asyncio.CancelledError):
        calls = []

        async def dies_in_the_second(*given):
            calls.append(given)
            if len(calls) == 2:
                raise asyncio.CancelledError
            return await emptied(*given)

        killed.setattr(queueing._drain, "empty", dies_in_the_second)
        await run(queueing.queue_on_undo, ORDER, before)
    restarts = [each.restarts for each in machine.instances]
    await platform.queue(2)
    done = await run(queueing.queue_on_undo, ORDER, before, attempt=2)
    assert [each.restarts for each in machine.instances] == restarts
    assert "sent 2 queued" in done.said
    assert [each.to for each in service.delivered] == [phone(1), phone(2)]


async def test_a_switch_that_somebody_else_set_is_not_put_back(
    machine,
    queueing,
    platform,
    service,
):
    before = await run(queueing.queue_on_read, ORDER)
    await run(queueing.queue_on, ORDER, before)
    for each in machine.instances:
        each.environment["PUSH_QUEUEING"] = "later"
    await platform.queue(1)
    error = await failing(run(queueing.queue_on_undo, ORDER, before))
    assert error.type == "Refused"
    assert "somebody changed it" in str(error)
    assert set_to(machine) == {"later"}


@pytest.mark.parametrize("late", [False, True], ids=["at first", "after some were sent"])
async def test_an_undo_that_is_stopped_is_never_taken_for_done(
    machine, queueing, platform, service, late
):
    before = await run(queueing.queue_on_read, ORDER)
    await run(queueing.queue_on, ORDER, before)
    await platform.queue(*range(1, 7))
    if late:
        send = queueing._drain._api.send

        async def revoked(messages):
            service._token = "another" if service.delivered else ""
            return await send(messages)

        queueing._drain._api.send = revoked
    else:
        service.wrong_credentials = True
    error = await failing(run(queueing.queue_on_undo, ORDER, before))
    assert error.type == ("Refused" if late else "Stopped")
    assert error.non_retryable
    assert set_to(machine) == {"true"}
    assert "queued" in await platform.states()
