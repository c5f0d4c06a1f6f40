"""What looks back for long: an alert that fires on when all is well, a step that shows late."""

import dataclasses

from activities.planned import StepState
from activities.record import Phase
from tests.lifecycle.drills import drill, scale
from tests.lifecycle.world import QUICK, alert, library

LATE = dataclasses.replace(scale(), verify_seconds=600)


def looking_back(seconds: float, step=LATE):
    procedure = drill(step)
    procedure.alert_lags_seconds = seconds
    return library(procedure)


async def test_a_step_that_shows_late_is_given_its_time(town, world):
    world.library = looking_back(0)
    world.cures = {}
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    record = await story.pass_time(minutes=5)
    assert record.phase is Phase.VERIFYING

    world.up = True
    record = await story.pass_time(minutes=1)
    assert record.ladder[0].state is StepState.HELPED


async def settling(town, world, seconds):
    """An alert that fires on while all is well by its condition."""
    world.library = looking_back(seconds, scale())
    world.cures = {"processes.scale": True}
    fired = alert("HighDrill", severity="warning")
    world.listed = {fired.fingerprint}
    world.expression = True
    story = await town.fire(fired, policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return story


async def test_an_alert_that_looks_back_over_an_hour_is_waited_for_without_a_person(town, world):
    story = await settling(town, world, 3600)
    await story.act("acknowledge")
    pages = len(world.pages)

    record = await story.pass_time(minutes=20)

    assert record.phase is Phase.SETTLING
    assert world.count("processes.scale.undo") == 0, "it would not be known whether it came back"
    assert len(world.pages) == pages

    world.listed, world.expression = set(), False
    await story.over()
    ended = await story.ends()
    assert ended.how == "recovered"
    assert world.count("processes.scale.undo") == 1


async def test_after_that_time_a_person_looks_at_the_rule(town, world):
    story = await settling(town, world, 900)
    await story.act("acknowledge")

    record = await story.pass_time(minutes=20)

    assert record.phase is Phase.WATCHING
    assert "It has recovered by its condition, but 1 alerts still fire" in record.asks
