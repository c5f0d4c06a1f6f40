"""Two incidents and the real coordinator between them."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from activities.errors import Unavailable
from activities.record import Phase, StepState
from tests.lifecycle.drills import drill, restart, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library
from workflows.turns import Turns


@pytest.fixture
def somewhere() -> str:
    return f"env-{uuid.uuid4().hex[:8]}"


async def fire(town: Town, somewhere: str, *steps, **changes) -> Story:
    world = World(town)
    for name in ("coordination.take_turn", "coordination.give_back"):
        world.answers.pop(name)
    vars(world).update({"cures": {}, "library": library(drill(*steps)), **changes})
    return await town.fire(
        alert("HighDrill", environment=somewhere, expression=""), policy=QUICK, world=world
    )


async def turns(town: Town, somewhere: str) -> Turns:
    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")
    return await handle.query("turns", result_type=Turns)


async def both_scale(town: Town, somewhere: str) -> tuple[Story, Story]:
    """Two incidents that hold the same, the second one on top of the first."""
    helps = {"processes.scale": True}
    first = await fire(town, somewhere, scale(), cures=helps)
    await first.pass_time(minutes=1)
    await first.until(lambda r: r.phase is Phase.SETTLING)
    second = await fire(town, somewhere, scale(), cures=helps, replicas=5)
    await second.pass_time(minutes=1)
    await second.until(lambda r: r.phase is Phase.SETTLING)
    return first, second


async def test_one_waits_while_another_changes_the_same_and_then_goes_on(
    town: Town, somewhere
) -> None:
    going = asyncio.Event()
    first = await fire(town, somewhere, scale(), slow={"processes.scale": going})
    await first.until(lambda r: any(s.state is StepState.RUNNING for s in r.ladder))

    second = await fire(town, somewhere, scale())
    await second.until(lambda r: any("waits its turn" in e.text for e in r.timeline))
    assert second.world.count("processes.scale") == 0
    going.set()
    await first.until(lambda r: r.phase is Phase.VERIFYING)
    await second.pass_time(seconds=70)

    await second.until(lambda r: r.phase is Phase.VERIFYING)
    assert f"waits its turn, {first.id} is changing scale to 5" in second.world.said


async def test_the_third_restart_of_a_target_is_skipped_whoever_made_the_others(
    town: Town, somewhere
) -> None:
    for _ in range(2):
        story = await fire(town, somewhere, restart())
        await story.until(lambda r: r.phase is Phase.VERIFYING)

    third = await fire(town, somewhere, restart())

    record = await third.until(lambda r: r.phase is Phase.WATCHING)
    assert record.ladder[0].state is StepState.SKIPPED
    assert "was restarted 2 times of late" in record.ladder[0].said
    assert third.world.changes == []
    assert len((await turns(town, somewhere)).restarts) == 2


async def test_what_two_hold_is_undone_by_the_last_of_them_alone(town: Town, somewhere) -> None:
    first, second = await both_scale(town, somewhere)

    await first.over()
    await first.ends()
    kept = (await first.record()).steps[0]
    await second.over()
    await second.ends()

    assert first.world.changes == ["processes.scale"]
    assert f"{second.id} holds it too" in kept.said
    assert second.world.changes == ["processes.scale", "processes.scale.undo"]
    [undo] = [args for name, args in second.world.calls if name == "processes.scale.undo"]
    assert undo[1] == {"count": 2}, "what stood there before the first of them"
    assert (await turns(town, somewhere)).claims == {}


async def test_what_a_terminated_incident_held_is_put_back_by_who_holds_it_too(
    town: Town, somewhere
) -> None:
    first, second = await both_scale(town, somewhere)

    await first.handle.terminate("somebody clicked on Terminate")
    await second.over()
    await second.ends()

    [undo] = [args for name, args in second.world.calls if name == "processes.scale.undo"]
    assert undo[1] == {"count": 2}, "what stood there before the terminated one"
    assert (await turns(town, somewhere)).claims == {}


async def test_what_an_incident_left_to_people_is_left_to_them_by_who_holds_it_too(
    town: Town, somewhere
) -> None:
    first, second = await both_scale(town, somewhere)
    await first.act("resolve", text="we keep the five instances")
    await first.over()
    await first.ends()

    await second.over()
    await second.pass_time(minutes=3)

    record = await second.until(lambda r: r.phase is Phase.WATCHING)
    assert "has left it to people" in record.steps[0].left
    assert "still in place is: scale to 5" in record.handed_over_why
    assert second.world.count("processes.scale.undo") == 0


async def test_a_turn_that_a_terminated_incident_never_gave_back_ends_within_a_minute(
    town: Town, somewhere
) -> None:
    going = asyncio.Event()
    first = await fire(town, somewhere, scale(), slow={"processes.scale": going})
    await first.until(lambda r: any(s.state is StepState.RUNNING for s in r.ladder))
    second = await fire(town, somewhere, scale())
    await first.handle.terminate("somebody clicked on Terminate")
    await second.pass_time(seconds=70)

    assert second.world.count("processes.scale") == 0, "its last attempt may be going on"
    [lease] = (await turns(town, somewhere)).leases
    assert (lease.until - datetime.now(UTC)).total_seconds() <= 60


async def test_a_turn_lasts_as_long_as_reading_and_every_attempt_may(town: Town, world) -> None:
    world.library = library(drill(scale(apply_seconds=300)))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    [asked] = world.orders("coordination.take_turn")

    assert asked.lasts_seconds >= 120 + 4 * 300


async def test_a_coordinator_that_does_not_answer_holds_up_no_repair(
    town: Town, world: World
) -> None:
    world.fails["coordination.take_turn"] = lambda: Unavailable("no answer")
    world.fails["coordination.give_back"] = lambda: Unavailable("no answer")
    story = await town.fire(alert(), policy=QUICK, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert world.count("host.restart_service") == 1
    assert any("the coordinator could not be asked" in entry.text for entry in record.timeline)


async def test_what_is_put_back_waits_its_turn_too(town: Town, world: World) -> None:
    world.library, world.cures = library(drill(scale())), {"processes.scale": True}
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=2)
    await story.over()
    while "processes.scale.undo" not in world.changes:
        await story.pass_time(seconds=15)
    later = {"granted": False, "later": True, "why": "another is changing it"}
    answers = iter([later, later])
    world.answers["coordination.take_turn"] = lambda ask: next(answers, {"granted": True})
    world.up = False

    record = await story.pass_time(minutes=4)

    assert world.changes == ["processes.scale", "processes.scale.undo", "processes.scale"]
    assert "Still in place: scale to 5" in record.asks, "and a person decides about it"
