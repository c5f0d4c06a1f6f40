"""Every activity fails in each of four ways: the incident ends, or people have it and know why."""

import asyncio
from datetime import timedelta

import pytest

from activities.record import Phase
from tests.lifecycle.drills import SCALE, SWITCH, drill, restart, scale, switch
from tests.lifecycle.world import (
    BROKEN,
    QUICK,
    Story,
    Town,
    World,
    alert,
    library,
    told,
)  # fmt: skip
from workflows import efforts
from workflows.efforts import Queue

EVERY = (
    "incidents.earlier", "prometheus.alert_state", "alertmanager.open_alerts",
    "host.recent_deployment", "pagerduty.page", "pagerduty.acknowledge", "pagerduty.resolve",
    "slack.post_root", "slack.update_root", "slack.post_entry", "slack.post_chart",
    f"{SCALE}.read", SCALE, f"{SCALE}.undo", "host.restart_service.read", "host.restart_service",
    "verification.watch", "report.write",
)  # fmt: skip
KNOWN_TO_PEOPLE = {
    f"{SCALE}.undo": "Still in place: scale to 5",
    "verification.watch": "cannot be seen",
}
"""Failures after which it is people's to end it, and what they are asked."""
LEFT_TO_THE_AFTERMATH = ("pagerduty.", "slack.")


async def live(town: Town, name: str, how: str) -> Story:
    """An incident with two steps, of which the second helps; *name* fails all the time."""
    world = World(town)
    world.library = library(drill(scale(apply_seconds=5), restart(apply_seconds=5)))
    world.cures = {"host.restart_service": True, SCALE: name.startswith("host.restart")}
    world.values = [5.0] * 4
    world.fails[name] = BROKEN[how]
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is not Phase.OPENING)
    await story.act("acknowledge")
    for _ in range(12):
        record = await story.pass_time(seconds=45)
        if record.phase in (Phase.SETTLING, Phase.WATCHING):
            break
    await story.over()
    await story.pass_time(minutes=8)
    return story


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", EVERY)
async def test_whatever_fails_it_ends_well_or_people_have_it(town: Town, name: str) -> None:
    for story in await asyncio.gather(*(live(town, name, how) for how in BROKEN)):
        record = await story.record()
        described = await story.handle.describe()
        assert described.status.name in ("RUNNING", "COMPLETED"), told(record)
        problems = "TemporalReportedProblems"
        assert problems not in str(described.search_attributes), "a workflow task has failed"
        asked = KNOWN_TO_PEOPLE.get(name, "")
        if name.endswith(".read") and "no step can be taken now" in told(record):
            asked = "not done: the far side is down"
        if asked:
            assert record.phase is Phase.WATCHING, told(record)
            assert asked in record.asks
            await story.act("resolve", text="by hand")
        assert (await story.ends()).how == ("resolved by a person" if asked else "recovered"), told(
            await story.record()
        )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instead of a minute for a worker to take a change up: no clock is skipped then."""
    for effort in (efforts.READ, efforts.CHANGE):
        monkeypatch.setitem(effort, "schedule_to_start_timeout", timedelta(seconds=1))


@pytest.mark.usefixtures("impatient")
async def test_without_a_worker_of_changes_people_are_paged_once_and_it_goes_on(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale(), restart()))
    hasty = QUICK.model_copy(update={"pace": 0.01})
    async with town.without(Queue.CHANGES):
        story = await town.fire(alert("HighDrill", severity="critical"), policy=hasty, world=world)
        record = await story.until(lambda r: r.phase is Phase.WATCHING)
        await story.until(lambda r: not r.pagerduty.unsent)

    assert record.phase is Phase.WATCHING, told(record)
    assert [step.state.value for step in record.ladder] == ["failed", "planned"]
    assert "no worker took it up: is the worker of its task queue running?" in record.ladder[0].said
    reasons = [order["summary"] for order in world.orders("pagerduty.page")]
    assert sum("no step can be taken now" in reason for reason in reasons) == 1
    assert world.changes == []


@pytest.mark.usefixtures("impatient")
async def test_a_worker_lost_after_the_change_leaves_it_uncertain_and_undone(
    town: Town, world: World
) -> None:
    world.library = library(drill(switch()))
    world.fails[SWITCH] = [RuntimeError("killed after it had set the switch")]
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: world.count(SWITCH) == 1)
    async with town.without(Queue.CHANGES):
        record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert "no worker took it up" in record.ladder[0].said
    assert record.ladder[0].state.value == "outcome unknown", told(record)
    assert [step.effect for step in record.temporary] == ["cache in memory"]
