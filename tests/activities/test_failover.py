"""Fencing the old database: believed only when its own program says so."""

from collections.abc import AsyncIterator

import pytest

from activities.changes import Targets
from activities.errors import NotConfigured, Refused, Unwell
from activities.failover import BeforeFence, Failover, Fence
from tests.activities.attempts import run
from tests.activities.scripted_host import ScriptedHost, scripted_host

PROGRAM = "/opt/pravado/fence-primary"
OPEN = BeforeFence(state="open")


@pytest.fixture
async def machine(tmp_path) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(tmp_path) as served:
        served.answers = {f"{PROGRAM} status": (0, "open\n", ""), f"{PROGRAM} fence": (0, "", "")}
        yield served


def failover(machine: ScriptedHost, program: str = PROGRAM) -> Failover:
    return Failover(machine.ssh, program, Targets())


def fenced(machine: ScriptedHost) -> None:
    machine.answers[f"{PROGRAM} status"] = (0, "fenced\n", "")


async def test_it_is_fenced_once_and_then_seen_to_be(machine, monkeypatch):
    before = await run(failover(machine).fence_read, Fence())
    statuses = iter(["open\n", "fenced\n"])
    act = machine.act

    def said(words: list[str]):
        if words == [PROGRAM, "status"]:
            return 0, next(statuses), ""
        return act(words) if words[0] != PROGRAM else (0, "", "")

    machine.answers = {}
    monkeypatch.setattr(machine, "act", said)
    done = await run(failover(machine).fence, Fence(), before)

    assert done.changed
    assert machine.count(f"{PROGRAM} fence") == 1


async def test_a_fence_that_stands_already_is_not_made_again(machine):
    fenced(machine)

    done = await run(failover(machine).fence, Fence(), OPEN, attempt=2)

    assert machine.count(f"{PROGRAM} fence") == 0
    assert done.said == "the old database was fenced already"
    assert (await failover(machine).fenced_sample()).good


async def test_a_fence_that_does_not_stand_afterwards_is_no_success(machine):
    with pytest.raises(Unwell, match="still takes writers: nothing is switched"):
        await run(failover(machine).fence, Fence(), OPEN)
    assert not (await failover(machine).fenced_sample()).good


async def test_a_program_that_fails_may_have_done_a_part_of_it(machine):
    machine.answers[f"{PROGRAM} fence"] = (1, "", "cannot reach the API")

    with pytest.raises(Unwell):
        await run(failover(machine).fence, Fence(), OPEN)


@pytest.mark.parametrize("said", ["", "fenced?", "FENCED", "not fenced"])
async def test_any_other_word_is_not_believed(machine, said):
    machine.answers[f"{PROGRAM} status"] = (0, said, "")

    with pytest.raises(Refused):
        await run(failover(machine).fence_read, Fence())


@pytest.mark.parametrize("program", ["fence", "/opt/../etc/fence", "/opt/fence; reboot", "/a b"])
async def test_only_an_absolute_path_of_the_settings_is_run(machine, program):
    with pytest.raises(Refused):
        await run(failover(machine, program).fence_read, Fence())
    assert machine.ran == []


async def test_without_a_program_nothing_is_fenced(machine):
    with pytest.raises(NotConfigured):
        await run(failover(machine, "").fence_read, Fence())
