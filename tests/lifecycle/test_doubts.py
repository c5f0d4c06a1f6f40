"""What is not known for sure counts neither as done nor as not done, neither as ill nor as well."""

from collections.abc import Callable

import pytest

from activities.errors import Refused, Unwell
from activities.record import Asks, Phase, StepState
from activities.words import Mode, Risk, Severity
from tests.lifecycle.drills import drill, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told
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
            Asks.ALWAYS, Risk.DESTRUCTIVE, Severity.WARNING, True, Verdict.ACT,
            id="what the list names exactly needs no asking, also where the procedure asks",
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
