"""When the way to a change is cut for a while, and how often a target may be restarted."""

import asyncio

from activities.errors import Unavailable
from activities.record import Phase, StepState
from tests.lifecycle.drills import SCALE, SWITCH, drill, restart, scale, switch
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, minutes, told


async def start(town: Town, world: World, *steps, policy=QUICK) -> Story:
    world.library = library(drill(*steps))
    story = await town.fire(alert("HighDrill"), policy=policy, world=world)
    await story.until(lambda r: r.phase not in (Phase.OPENING, Phase.INVESTIGATING))
    return story


async def test_a_short_outage_does_not_use_the_ladder_up(town: Town, world: World) -> None:
    world.cures = {SCALE: True}
    world.fails[f"{SCALE}.read"] = [Unavailable("no way to the host") for _ in range(9)]
    story = await start(town, world, scale(), restart())

    record = await story.pass_time(minutes=5)

    assert world.changes == [SCALE], told(record)
    assert record.ladder[0].state is StepState.HELPED
    paged = [text for _, text in minutes(record, "page") if "no step can be taken now" in text]
    assert len(paged) == 1


async def test_an_outage_that_lasts_is_left_to_people(town: Town, world: World) -> None:
    world.fails[f"{SCALE}.read"] = lambda: Unavailable("no way to the host")
    story = await start(town, world, scale(), restart())

    record = await story.pass_time(minutes=9)

    assert record.phase is Phase.WATCHING, told(record)
    assert record.asks == "Please take it from here: scale to 5: not done: no way to the host"
    assert world.changes == []
    assert [step.state for step in record.ladder] == [StepState.FAILED, StepState.PLANNED]


async def relapsed(town: Town, world: World, *, hold: bool = False, **changes) -> Story:
    """An incident whose switch was undone, and that has come back since."""
    world.cures = {SWITCH: True, f"{SWITCH}.undo": False}
    policy = QUICK.model_copy(update=changes)
    story = await start(town, world, switch(), policy=policy)
    if hold:
        world.fails[f"{SWITCH}.undo"] = []
        world.answers[f"{SWITCH}.undo"] = lambda order, before: (
            world.slow.setdefault(f"{SWITCH}.read", asyncio.Event()) and {"said": "back"}
        )
    await story.over()
    return story


async def test_a_put_back_that_would_restart_too_often_is_left_to_people(
    town: Town, world: World
) -> None:
    story = await relapsed(town, world)

    record = await story.pass_time(minutes=10)

    assert world.changes == [SWITCH, f"{SWITCH}.undo"], told(record)
    assert record.phase is Phase.WATCHING
    assert "not put back: cache in memory was restarted as often as may be" in told(record)
    assert "it could not be put back: cache in memory; please decide" in record.asks


async def test_every_restart_counts_also_those_of_an_undo_and_of_a_put_back(
    town: Town, world: World
) -> None:
    story = await relapsed(town, world, restarts_of_a_target=3)

    record = await story.pass_time(minutes=10)

    assert world.changes == [SWITCH, f"{SWITCH}.undo", SWITCH], told(record)
    assert len(record.ladder[0].restarted_at) == 3


async def test_a_hold_while_it_is_being_put_back_keeps_it_for_later(
    town: Town, world: World
) -> None:
    story = await relapsed(town, world, hold=True, restarts_of_a_target=3)
    for _ in range(40):
        record = await story.pass_time(seconds=10)
        if world.count(f"{SWITCH}.read") == 2:
            break
    await story.act("hold", minutes=5)
    world.slow[f"{SWITCH}.read"].set()
    record = await story.pass_time(minutes=4)
    assert world.changes == [SWITCH, f"{SWITCH}.undo"], told(record)

    record = await story.pass_time(minutes=3)

    assert world.changes == [SWITCH, f"{SWITCH}.undo", SWITCH], told(record)
    assert record.ladder[0].put_back
