"""What is not known for sure counts neither as done nor as not done, neither as ill nor as well."""

from collections.abc import Callable

import pytest

from activities.errors import Refused, Unwell
from activities.record import Asks, Phase, StepState
from activities.words import Mode, Risk, Severity
from tests.lifecycle.drills import drill, restart, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, later, library, told
from workflows.policy import Policy, Verdict


async def start(town: Town, world: World, *steps, policy=QUICK, severity="critical") -> Story:
    world.library = library(drill(*steps))
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase in (Phase.VERIFYING, Phase.WATCHING))
    return story


@pytest.mark.parametrize(
    ("failure", "state", "changes"),
    [
        pytest.param(
            lambda: Unwell("scaled, and two of them do not answer"),
            StepState.UNDONE,
            ["processes.scale", "processes.scale.undo"],
            id="made, but not as wanted: in place, verified and undone",
        ),
        pytest.param(
            lambda: Refused("not with these rights"),
            StepState.FAILED,
            ["processes.scale"],
            id="refused: nothing was changed, so there is nothing to undo",
        ),
    ],
)
async def test_a_change_that_failed_is_in_place_unless_it_was_refused(
    town: Town, world: World, failure: Callable[[], BaseException], state, changes
) -> None:
    world.fails["processes.scale"] = failure
    world.looks = [False]
    story = await start(town, world, scale())
    world.up = True
    await story.over()

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered", told(record)
    assert record.ladder[0].state is state
    assert world.changes == changes


async def test_an_undo_that_ends_unwell_is_undone_and_said_so(town: Town, world: World) -> None:
    world.fails["processes.scale.undo"] = lambda: Unwell("one instance does not answer")
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    await story.over()

    closed = await story.ends()

    assert closed.how == "recovered"
    assert world.count("processes.scale.undo") == 1
    assert "scale to 5: undone, but not well: one instance does not answer" in world.said


@pytest.mark.parametrize(
    ("asks", "risk", "severity", "preapproved", "verdict"),
    [
        pytest.param(
            Asks.POLICY, Risk.DESTRUCTIVE, Severity.WARNING, True, Verdict.ACT,
            id="what the list names exactly needs no asking",
        ),
        pytest.param(
            Asks.ALWAYS, Risk.DESTRUCTIVE, Severity.CRITICAL, True, Verdict.ASK,
            id="what always asks does, also where the list names it",
        ),
        pytest.param(
            Asks.ALWAYS, Risk.REVERSIBLE, Severity.CRITICAL, True, Verdict.ASK,
            id="what always asks does, also where it is reversible and the list names it",
        ),
        pytest.param(
            Asks.NEVER, Risk.OUTAGE, Severity.WARNING, False, Verdict.ASK,
            id="no outage for a warning without asking",
        ),
        pytest.param(
            Asks.NEVER, Risk.DESTRUCTIVE, Severity.INFO, False, Verdict.ASK,
            id="nothing is destroyed for less than a critical alert without asking",
        ),
        pytest.param(
            Asks.NEVER, Risk.OUTAGE, Severity.CRITICAL, False, Verdict.ACT,
            id="an outage that the procedure allows for a critical alert",
        ),
        pytest.param(
            Asks.NEVER, Risk.DISRUPTIVE, Severity.WARNING, False, Verdict.ACT,
            id="a disruption that the procedure allows for a warning",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", [Mode.GUARDED, Mode.AUTONOMOUS])
def test_who_decides_where_the_procedure_and_the_list_have_a_say(
    mode, asks, risk, *, severity, preapproved, verdict
) -> None:
    planned = scale(asks=asks, risk=risk).planned()
    policy = Policy(mode=mode, preapproved=(planned.key,) if preapproved else ())

    assert policy.decide(planned, severity) is verdict


async def undone(town: Town, world: World) -> Story:
    """An incident that has recovered, and whose step has just been undone."""
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale(), restart())
    await story.over()
    for _ in range(20):
        record = await story.pass_time(seconds=15)
        if record.ladder[0].state is StepState.UNDONE:
            return story
    raise AssertionError(told(record))


async def test_no_data_after_an_undo_is_told_to_people_and_puts_nothing_back(
    town: Town, world: World
) -> None:
    story = await undone(town, world)
    world.up = None

    record = await story.pass_time(minutes=2)

    assert record.phase is Phase.WATCHING, told(record)
    assert "whether it is well without this cannot be seen: scale to 5" in record.asks
    assert world.changes == ["processes.scale", "processes.scale.undo"]
    assert record.recurrence == 0


async def test_improving_after_an_undo_is_watched_on_once_and_is_no_relapse(
    town: Town, world: World
) -> None:
    undo = world.answers["processes.scale.undo"]

    def slow_for_a_while(order, before):
        world.looks, world.values = [False] * 5, [9.0, 8.0, 4.0, 3.0, 2.0]
        return undo(order, before)

    world.answers["processes.scale.undo"] = slow_for_a_while
    story = await undone(town, world)

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert "It is improving without it: watch on. scale to 5: recovered" in told(record)
    assert world.changes == ["processes.scale", "processes.scale.undo"]
    assert record.recurrence == 0


async def test_one_bad_look_does_not_end_the_settling(town: Town, world: World) -> None:
    world.looks = [True, True, True, True, False, True, True]
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale(), restart())
    await story.over()

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert record.recurrence == 0, told(record)
    assert "good looks, 1 bad, each by itself)" in told(record)


async def test_what_fires_again_while_it_is_well_has_no_step_taken(
    town: Town, world: World
) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale(), restart())
    await story.until(lambda r: r.told_at is not None)
    await story.pass_time(minutes=1)
    await story.over()
    await story.notice(later(story.alert, minutes=1))

    record = await story.pass_time(minutes=1)

    assert record.recurrence == 1, told(record)
    assert record.phase is Phase.SETTLING
    assert world.changes == ["processes.scale"]
    assert "it is well all the same: settling anew" in told(record)


async def test_what_fires_again_and_cannot_be_seen_is_left_to_people(
    town: Town, world: World
) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale(), restart())
    await story.pass_time(minutes=1)
    world.up = None
    await story.notice(later(story.alert, minutes=1))

    record = await story.pass_time(minutes=1)

    assert record.phase is Phase.WATCHING, told(record)
    assert "whether it came back cannot be seen" in record.asks
    assert world.changes == ["processes.scale"]
