"""What counts as recovered, and what happens when it does not last."""

import asyncio

import pytest

from activities.errors import Refused, Unavailable
from activities.record import Phase, StepState
from tests.lifecycle.drills import CriticalDrill, drill, restart, roll, scale, switch
from tests.lifecycle.world import (
    QUICK,
    Story,
    Town,
    World,
    alert,
    library,
    minutes,
    told,
)  # fmt: skip


async def start(town: Town, world: World, *steps, policy=QUICK, severity="critical") -> Story:
    world.library = library(drill(*steps))
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase in (Phase.VERIFYING, Phase.WATCHING))
    return story


async def test_no_data_after_a_step_is_told_to_people_and_is_no_recovery(
    town: Town, world: World
) -> None:
    world.up = None
    story = await start(town, world, scale(), restart())

    record = await story.pass_time(minutes=3)

    assert record.phase is Phase.WATCHING, told(record)
    assert record.ladder[0].state is StepState.UNCERTAIN
    assert "whether it helped cannot be seen" in record.asks
    assert world.changes == ["processes.scale"], "no step is taken blindly"
    assert len(world.pages) == 2
    await story.over()
    record = await story.pass_time(hours=1)
    assert record.phase is Phase.WATCHING, "also when Alertmanager says that it is resolved"


async def test_data_that_go_missing_while_it_settles_are_told_to_people(
    town: Town, world: World
) -> None:
    world.looks = [True, True, True]
    world.up = None
    story = await start(town, world, scale())
    await story.over()

    record = await story.pass_time(minutes=4)

    assert record.phase is Phase.WATCHING
    assert "whether it stays well cannot be seen" in record.asks


async def test_improving_watches_on_once_before_the_next_step(town: Town, world: World) -> None:
    world.values = [9.0, 8.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    world.looks = [False] * 8
    world.cures = {"host.restart_service": True}
    story = await start(town, world, scale(), restart())

    record = await story.pass_time(minutes=3)

    ends = [text.split(" (")[0] for _, text in minutes(record, "verification")]
    assert ends[:3] == [
        "Does it help?: improving",
        "It is improving: watch on: not recovered",
        "Does it help?: recovered",
    ], told(record)
    assert world.changes == ["processes.scale", "host.restart_service"]
    assert world.count("slack.post_chart") == 1, "a picture where there are values"


async def test_a_relapse_while_it_settles_goes_on_with_the_next_step(
    town: Town, world: World
) -> None:
    world.looks = [True, True, True, True, False]
    world.cures = {"host.restart_service": True}
    story = await start(town, world, scale(), restart())

    record = await story.pass_time(minutes=3)

    assert world.changes == ["processes.scale", "host.restart_service"]
    ends = [text.split(" (")[0] for _, text in minutes(record, "verification")]
    seen = ["Settling: not recovered", "Has it come back?: not recovered"]
    assert ends[1:3] == seen, told(record)
    assert "it came back: two bad looks in a row" in told(record)


async def test_no_step_is_taken_when_it_is_well_again_before(town: Town, world: World) -> None:
    world.slow["host.recent_deployment"] = asyncio.Event()
    world.library = library(drill(scale()))
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.INVESTIGATING)
    await story.over()
    await story.until(lambda r: not r.firing)
    world.up = True
    world.slow["host.recent_deployment"].set()

    closed = await story.ends()

    assert closed.how == "recovered"
    assert world.changes == []


async def undone(town: Town, world: World, *steps) -> Story:
    """An incident that has recovered, whose temporary step has just been undone."""
    world.cures = {"processes.scale": True}
    story = await start(town, world, *steps)
    await story.over()
    for _ in range(20):
        record = await story.pass_time(seconds=15)
        if any(step.state is StepState.UNDONE for step in record.steps):
            return story
    raise AssertionError(told(record))


async def test_back_after_the_undo_it_is_put_back_once_and_a_person_decides(
    town: Town, world: World
) -> None:
    story = await undone(town, world, scale(), restart())
    world.up = False

    record = await story.pass_time(minutes=1)

    assert world.changes == ["processes.scale", "processes.scale.undo", "processes.scale"]
    assert record.ladder[0].put_back
    assert "without this it comes back: scale to 5. It is in place again; please decide" in (
        record.asks
    )
    world.up = True
    record = await story.pass_time(hours=1)
    assert record.phase is Phase.WATCHING, "well, and still nobody has decided"
    assert "Please resolve, with a reason. Still in place: scale to 5" in record.asks
    await story.act("resolve", text="we keep five")
    await story.ends()
    record = await story.record()
    assert record.resolution.still_temporary == ["scale to 5"]
    assert world.changes[3:] == []


async def test_of_two_undone_steps_the_last_undone_is_put_back(town: Town, world: World) -> None:
    world.cures = {"switches.set": True}
    story = await start(town, world, scale(), switch())
    await story.pass_time(minutes=2)
    await story.over()
    for _ in range(30):
        record = await story.pass_time(seconds=15)
        if all(step.state is StepState.UNDONE for step in record.steps):
            break
    world.up = False

    await story.pass_time(minutes=1)

    assert world.changes == [
        "processes.scale", "switches.set",
        "switches.set.undo", "processes.scale.undo",
        "processes.scale",
    ]  # fmt: skip


async def test_an_undo_that_is_refused_is_left_to_people_who_are_called(
    town: Town, world: World
) -> None:
    world.fails["processes.scale.undo"] = lambda: Refused("somebody has scaled it since")
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    await story.over()

    record = await story.pass_time(minutes=10)

    assert record.phase is Phase.WATCHING, told(record)
    assert world.count("processes.scale.undo") == 1
    assert record.ladder[0].left == "somebody has scaled it since"
    assert "Still in place: scale to 5" in record.asks
    assert world.pages[-1] == ("on-call", "high")
    await story.act("resolve", text="it may stay")
    assert (await story.ends()).how == "resolved by a person"
    record = await story.record()
    assert record.resolution.still_temporary == ["scale to 5"]


async def test_an_undo_that_does_not_get_through_is_tried_again_later(
    town: Town, world: World
) -> None:
    world.fails["processes.scale.undo"] = [Unavailable("no way there") for _ in range(6)]
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    await story.over()

    closed = await story.ends()

    assert closed.how == "recovered"
    record = await story.record()
    assert record.ladder[0].state is StepState.UNDONE
    assert record.ladder[0].undo_tries == 1


async def test_nothing_is_undone_while_a_person_holds(town: Town, world: World) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    await story.over()
    await story.act("hold", minutes=30)

    record = await story.pass_time(minutes=29)
    assert world.changes == ["processes.scale"]
    assert (record.phase, record.next_action) == (Phase.UNDOING, "on hold by dana")
    closed = await story.ends()

    assert closed.how == "recovered"
    assert world.changes == ["processes.scale", "processes.scale.undo"]


@pytest.mark.parametrize(
    ("steps", "taken", "said"),
    [
        pytest.param(
            (restart(target="api"), roll(target="api"), roll(target="api", key="third")),
            ["host.restart_service", "processes.rolling_restart"],
            "skipped: api was restarted 2 times of late",
            id="no third restart of a target in half an hour",
        ),
        pytest.param(
            (switch(target="api"), roll(target="api")),
            ["switches.set"],
            "skipped: api was restarted 1 times of late, and one more is kept for the undo",
            id="one restart is kept for the undo",
        ),
        pytest.param(
            (restart(target="a"), restart(target="b", key="b"), restart(target="c", key="c")),
            ["host.restart_service"] * 3,
            "",
            id="every target has a budget of its own",
        ),
    ],
)
async def test_restarts_have_a_budget(town: Town, world: World, steps, taken, said) -> None:
    world.cures = {}
    story = await start(town, world, *steps)

    record = await story.pass_time(minutes=5)

    assert world.changes == taken, told(record)
    assert said in record.ladder[-1].said


async def test_no_step_twice_within_its_cool_down(town: Town, world: World) -> None:
    world.cures = {}
    story = await start(town, world, scale())
    await story.pass_time(minutes=2)
    await story.act("take-over")
    await story.act("hand-back")

    record = await story.pass_time(minutes=2)
    assert world.changes == ["processes.scale"], told(record)
    await story.pass_time(minutes=15)
    await story.act("take-over")
    await story.act("hand-back")
    await story.pass_time(minutes=2)

    assert world.changes == ["processes.scale"] * 2


async def test_critical_arriving_while_a_warning_is_verified_plans_anew_at_once(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale()), drill(restart(), kind=CriticalDrill))
    world.cures = {}
    warning = alert("HighDrill", severity="warning", fingerprint="w")
    story = await town.fire(warning, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    critical = alert("CriticalDrill", severity="critical", service=warning.service, fingerprint="c")
    await story.notice(critical)

    record = await story.until(lambda r: critical.name in str(r.facts) and bool(r.ladder))

    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["processes.scale", "host.restart_service"]
    assert record.past_steps[0].activity == "processes.scale", "what was tried is known"
    assert record.recurrence == 0


async def test_a_milder_alert_is_planned_for_after_the_verdict(town: Town, world: World) -> None:
    world.library = library(drill(restart()), drill(scale(), kind=CriticalDrill))
    world.cures = {"processes.scale": True}
    warning = alert("HighDrill", severity="warning", fingerprint="w")
    critical = alert("CriticalDrill", severity="critical", service=warning.service, fingerprint="c")
    story = await town.fire(critical, warning, policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.over()
    await story.until(lambda r: r.severity.value == "warning")
    assert world.changes == ["processes.scale"]

    record = await story.pass_time(minutes=2)

    assert record.past_steps[0].state is StepState.HELPED
    assert record.facts.name == "HighDrill", told(record)
