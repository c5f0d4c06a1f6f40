"""A change in two steps: a small one that proves itself, then all; undone when it is well to."""

import dataclasses

import pytest

from activities.planned import StepState
from activities.record import Phase
from activities.switches import SetSwitches, Switch, Switches
from activities.verification import Answering, Below, Condition, Sample
from activities.words import Risk
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Story, World, alert, library
from workflows import settling
from workflows.procedures.base import step

PROOF = Below(expression="other_value", threshold=0.2)
BACK = Answering(checks=("llm.openai",))
HOLD = 1800.0
FIRST, ALL = "split:anthropic:10", "forcedProvider:anthropic"


def routing(key: str, value: str, **more):
    return step(
        Switches.set,
        SetSwitches(app="api", values={Switch.LLM_ROUTING: value}),
        key=key,
        target="api",
        why="a drill",
        effect=f"route {value}",
        risk=Risk.REVERSIBLE,
        undo=True,
        restarts=True,
        **more,
    )


def turning(hold: float = HOLD):
    gate = {"undo_when": BACK, "undo_hold_seconds": hold}
    first = dataclasses.replace(routing("first", FIRST), proves=PROOF, **gate)
    rest = dataclasses.replace(routing("all", ALL, needs="first"), completes="first", **gate)
    return drill(first, rest)


class Two(World):
    """A world in which the other provider, and the first one, are well or not by themselves."""

    other: bool | None = True
    first: bool | None = False

    async def look(self, condition: Condition) -> Sample:
        if condition == PROOF:
            good = self.other
        elif condition == BACK:
            good = self.first
        else:
            return await super().look(condition)
        usual = await super().look(condition)
        return usual.model_copy(update={"good": good})


@pytest.fixture
def world(town) -> Two:
    made = Two(town)
    made.library = library(turning())
    made.switches = {Switch.LLM_ROUTING.value: "costOptimized"}
    made.cures = {}
    return made


async def fire(town, world: World, **policy) -> Story:
    chosen = QUICK.model_copy(update=policy)
    return await town.fire(alert("HighDrill"), policy=chosen, world=world)


def turned(world: World) -> list[str]:
    return [order["values"][Switch.LLM_ROUTING.value] for order in world.orders("switches.set")]


async def both(town, world: Two) -> Story:
    """Let both steps be made, and the second one help."""
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    while len(turned(world)) < 2:
        await story.pass_time(seconds=15)
    world.up = True
    await story.pass_time(minutes=1)
    await story.over()
    return story


async def test_the_second_step_follows_at_once_when_the_first_has_proven_itself(town, world):
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    record = await story.pass_time(seconds=50)

    assert turned(world) == [FIRST, ALL]
    assert record.ladder[0].state is StepState.HELPED
    assert "route forcedProvider" not in record.handed_over_why


@pytest.mark.parametrize("other", [pytest.param(False, id="bad"), pytest.param(None, id="unseen")])
async def test_without_the_proof_the_second_step_is_not_taken(town, world, other):
    world.other = other
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=2)
    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert turned(world) == [FIRST]
    assert record.ladder[0].state is StepState.UNHELPFUL
    assert record.ladder[1].said == f"skipped: this was not seen to work: route {FIRST}"


async def test_nothing_is_undone_before_it_is_well_to_go_back_and_then_all_at_once(town, world):
    story = await both(town, world)
    pages = len(world.pages)
    record = await story.pass_time(hours=3)
    assert len(world.pages) == pages
    assert record.phase is Phase.UNDOING
    assert world.count("switches.set.undo") == 0
    assert "once it is well to go back" in record.next_action

    world.first = True
    await story.pass_time(minutes=29)
    assert world.count("switches.set.undo") == 0
    await story.ends()

    assert world.count("switches.set.undo") == 1
    assert world.switches == {Switch.LLM_ROUTING.value: "costOptimized"}
    record = await story.record()
    assert record.resolution is not None
    assert record.resolution.how == "recovered"
    assert not record.temporary
    assert [step.state for step in record.ladder] == [StepState.UNDONE] * 2


async def test_a_first_provider_that_comes_and_goes_is_not_gone_back_to(town, world):
    story = await both(town, world)
    for _ in range(4):
        world.first = True
        await story.pass_time(minutes=20)
        world.first = False
        await story.pass_time(minutes=5)

    assert world.count("switches.set.undo") == 0


async def test_what_is_in_place_for_long_is_left_to_people(town, world, monkeypatch):
    monkeypatch.setattr(settling, "_LONGEST_IN_PLACE", 3600.0)
    story = await both(town, world)
    await story.pass_time(hours=2)
    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert world.count("switches.set.undo") == 0
    assert "Make it permanent" in record.handed_over_why


async def test_taking_over_while_it_waits_leaves_it_in_place(town, world):
    story = await both(town, world)
    await story.pass_time(hours=1)
    await story.act("take-over")
    world.first = True
    record = await story.pass_time(hours=1)

    assert world.count("switches.set.undo") == 0
    assert [each.effect for each in record.temporary] == [f"route {ALL}"]


async def test_an_undo_that_comes_soon_keeps_a_restart_and_the_second_step_waits(town, world):
    world.library = library(turning(hold=600))
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    record = await story.pass_time(minutes=2)

    assert turned(world) == [FIRST]
    assert "one more is kept for the undo" in record.ladder[1].said
