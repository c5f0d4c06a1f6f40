"""What people can do to an incident by whichever door, and what they are told."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.record import Phase, StepState
from tests.lifecycle.drills import drill, restart, roll, scale, switch
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, minutes, told


@pytest.fixture
async def verifying(town: Town, world: World) -> Story:
    """An incident with three steps that act by themselves; the first has just been taken."""
    world.library = library(drill(scale(), restart(), switch()))
    world.cures = {}
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING and r.told_at is not None)
    return story


async def refused(story: Story, kind: str, **more) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await story.act(kind, **more)
    return error.value.cause.message


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        pytest.param(
            "acknowledge",
            {"by": "mallory"},
            "mallory does not have the responder role",
            id="nobody acts without the responder role",
        ),
        pytest.param(
            "take-over",
            {"by": "stranger"},
            "stranger does not have the responder role",
            id="nobody acts whom the settings do not know",
        ),
        pytest.param(
            "hand-back", {}, "nobody has taken it over", id="only what was taken is handed back"
        ),
        pytest.param(
            "resolve",
            {"text": "  "},
            "resolving needs a reason: say why it is over",
            id="resolving needs a reason",
        ),
        pytest.param("note", {"text": ""}, "a note needs a text", id="a note needs a text"),
        pytest.param(
            "approve",
            {},
            "there is no such question: the incident is asking nothing like it now",
            id="nothing is approved that was not asked",
        ),
    ],
)
async def test_an_act_is_refused_with_a_reason_and_changes_nothing(
    verifying: Story, kind, more, said
) -> None:
    before = await verifying.record()

    assert await refused(verifying, kind, **more) == said

    after = await verifying.record()
    assert after.people == before.people
    assert after.resolution is None


async def test_a_hold_stops_the_next_step_and_nothing_else(verifying: Story) -> None:
    await verifying.act("hold", minutes=20)
    record = await verifying.pass_time(minutes=19)
    assert verifying.world.changes == ["processes.scale"], told(record)
    assert record.ladder[0].state is StepState.UNHELPFUL, "verified all the same"

    await verifying.pass_time(minutes=2)

    assert verifying.world.changes == ["processes.scale", "host.restart_service"]


async def test_a_hold_can_be_made_longer_and_shorter(verifying: Story) -> None:
    await verifying.act("hold", minutes=20)
    await verifying.pass_time(minutes=10)
    await verifying.act("hold", minutes=30)
    await verifying.pass_time(minutes=25)
    assert verifying.world.changes == ["processes.scale"]
    await verifying.act("hold", minutes=1)

    await verifying.pass_time(minutes=2)

    assert len(verifying.world.changes) == 2


async def test_taken_over_in_the_middle_of_verifying_it_watches_on_and_takes_no_step(
    verifying: Story,
) -> None:
    said = await verifying.act("take-over")
    assert "no further step is taken" in said
    assert "Still in place: scale to 5" in said

    record = await verifying.pass_time(minutes=30)

    assert verifying.world.changes == ["processes.scale"]
    assert record.phase is Phase.WATCHING
    assert record.ladder[0].state is StepState.UNHELPFUL
    assert len(record.watches) > 1, "measuring goes on"
    assert await refused(verifying, "take-over") == "dana has it already"


async def test_handed_back_it_looks_again_and_goes_on_after_what_was_tried(
    verifying: Story,
) -> None:
    await verifying.act("take-over")
    await verifying.pass_time(minutes=7)
    probed = verifying.world.count("host.recent_deployment")
    await verifying.act("hand-back", by="lee")

    record = await verifying.until(lambda r: r.phase is Phase.VERIFYING)

    assert verifying.world.count("host.recent_deployment") == probed + 1
    assert verifying.world.changes == ["processes.scale", "host.restart_service"]
    assert "it was done on this target a moment ago" in record.ladder[0].said


async def test_handed_back_while_verifying_the_verdict_comes_first(verifying: Story) -> None:
    await verifying.act("take-over")
    await verifying.act("hand-back")

    record = await verifying.pass_time(minutes=3)
    assert verifying.world.changes == ["processes.scale"], told(record)
    record = await verifying.pass_time(minutes=3)

    assert record.past_steps[0].state is StepState.UNHELPFUL
    assert verifying.world.changes == ["processes.scale", "host.restart_service"]


async def test_what_is_taken_over_and_recovers_waits_for_its_owner_with_what_is_in_place(
    verifying: Story,
) -> None:
    await verifying.act("take-over")
    verifying.world.up = True
    await verifying.over()

    record = await verifying.pass_time(hours=2)
    assert record.phase is Phase.WATCHING
    assert "Hand back and I undo what is in place" in record.asks
    assert "scale to 5" in record.asks
    await verifying.act("hand-back")
    closed = await verifying.ends()

    assert closed.how == "recovered"
    assert verifying.world.changes == ["processes.scale", "processes.scale.undo"]


async def test_a_person_resolves_with_a_reason_and_it_is_documented(verifying: Story) -> None:
    assert await verifying.act("resolve", text="a drill") == "resolved; the report is being written"
    await verifying.over()

    closed = await verifying.ends()

    assert (closed.how, closed.reason, closed.by) == ("resolved by a person", "a drill", "dana")
    record = await verifying.record()
    assert record.resolution.still_temporary == ["scale to 5"]
    assert "Still temporary: scale to 5" in verifying.world.said
    assert await_list(verifying, "pagerduty.resolve") == await_list(verifying, "pagerduty.page")


def await_list(story: Story, name: str) -> list[str]:
    return sorted({order["dedup_key"] for order in story.world.orders(name)})


async def test_resolved_while_a_change_runs_the_change_ends_first_and_is_listed(
    town: Town, world: World
) -> None:
    world.slow["processes.scale"] = asyncio.Event()
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: any(s.state is StepState.RUNNING for s in r.ladder))

    said = await story.act("resolve", text="found it")
    record = await story.record()
    assert said.endswith("This is finished first: scale to 5")
    assert record.phase is Phase.MITIGATING
    world.slow["processes.scale"].set()
    record = await story.until(lambda r: r.phase is Phase.RESOLVED)

    assert record.ladder[0].state is StepState.DONE
    assert record.resolution.still_temporary == ["scale to 5"]
    assert world.orders("report.write")[0]["record"]["resolution"]["still_temporary"]


async def test_taken_over_between_reading_and_changing_nothing_is_changed(
    town: Town, world: World
) -> None:
    world.slow["processes.scale.read"] = asyncio.Event()
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.phase is Phase.MITIGATING and bool(r.ladder))
    await story.act("take-over")
    world.slow["processes.scale.read"].set()

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert world.changes == []
    assert record.ladder[0].state is StepState.PLANNED


async def test_a_person_can_call_the_next_level_at_once(verifying: Story) -> None:
    assert await verifying.act("escalate", text="database?") == "engineering-lead is being paged"
    assert await verifying.act("escalate", by="robin") == "cto is being paged"

    assert await refused(verifying, "escalate") == "cto has been called: there is no higher level"
    await verifying.pass_time(seconds=10)
    assert verifying.world.pages == [
        ("on-call", "high"),
        ("engineering-lead", "high"),
        ("cto", "high"),
    ]
    assert "dana asks for you: database?" in verifying.world.orders("pagerduty.page")[1]["summary"]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        pytest.param("0", "", id="the level that was reached"),
        pytest.param("engineering-lead", "", id="the name of the next"),
        pytest.param("2026-01-01T00:00:00+00:00", "", id="a moment after which nobody was called"),
        pytest.param("cto", "cto is not called next: engineering-lead is", id="a name further up"),
        pytest.param(
            "the boss", "the boss is not called next: engineering-lead is", id="an unknown name"
        ),
        pytest.param(
            "1", "on-call has been called already since that was shown", id="another level"
        ),
        pytest.param("on-call", "on-call has been called already since that was shown", id="below"),
    ],
)
async def test_an_escalation_calls_only_the_level_that_it_means(
    verifying: Story, shown: str, why: str
) -> None:
    if why:
        assert await refused(verifying, "escalate", shown=shown) == why
    else:
        assert await verifying.act("escalate", shown=shown) == "engineering-lead is being paged"

    assert (await verifying.record()).people.level == (0 if why else 1)


@pytest.mark.parametrize("shown", ["0", "engineering-lead", "2026-01-01T00:00:00+00:00"])
async def test_the_same_escalation_once_more_calls_nobody_else(verifying: Story, shown) -> None:
    await verifying.act("escalate", shown=shown)
    await verifying.act_later("escalate", by="robin", id="late", shown=shown)

    said = "engineering-lead has been called already since that was shown"
    assert await refused(verifying, "escalate", by="robin", shown=shown) == said
    record = await verifying.until(lambda r: "late" in r.handled)
    assert record.people.level == 1
    assert f"escalate was refused: {said}" in record.timeline[-1].text
    assert await verifying.act("escalate", by="robin", shown="cto") == "cto is being paged"


async def test_a_note_stands_in_the_timeline_and_in_slack(verifying: Story) -> None:
    assert await verifying.act("note", by="robin", text="I see <b>errors</b>") == "noted"

    record = await verifying.pass_time(seconds=10)
    assert minutes(record, "note") == [(0, "I see <b>errors</b>")]
    assert record.timeline[-1].by == "robin"
    assert "robin: I see <b>errors</b>" in verifying.world.said
    assert record.people.acknowledged_by == ""
    assert record.people.took_part == ["robin"]


async def test_the_same_act_by_update_and_by_signal_is_done_once(verifying: Story) -> None:
    await verifying.act("note", id="click-7", text="once")
    await verifying.act_later("note", id="click-7", text="once")
    await verifying.act_later("escalate", id="click-8")
    assert await verifying.act("escalate", id="click-8") == "engineering-lead is being paged"

    record = await verifying.pass_time(seconds=10)
    assert minutes(record, "note") == [(0, "once")]
    assert record.people.level == 1
    assert len(verifying.world.pages) == 2


async def test_a_refused_signal_is_written_down_and_stays_refused(verifying: Story) -> None:
    await verifying.act_later("resolve", id="click-9", text="")

    record = await verifying.until(lambda r: "click-9" in r.handled)
    assert "resolve was refused: resolving needs a reason" in record.timeline[-1].text
    assert await refused(verifying, "resolve", id="click-9", text="now with a reason") == (
        "resolving needs a reason: say why it is over"
    )


async def test_what_is_over_takes_notes_and_nothing_else(verifying: Story) -> None:
    await verifying.act("resolve", text="a drill")
    await verifying.until(lambda r: r.phase is Phase.RESOLVED)

    assert await refused(verifying, "acknowledge") == "the incident is over"
    assert await verifying.act("note", text="for the report") == "noted"


async def test_cancelling_the_workflow_means_taking_over(verifying: Story) -> None:
    await verifying.handle.cancel()

    record = await verifying.until(lambda r: bool(r.people.taken_over_by))
    assert record.people.taken_over_by == "whoever cancelled the workflow"
    assert "the workflow was cancelled: taken over. Still in place: scale to 5" in (
        record.timeline[-1].text
    )
    record = await verifying.pass_time(minutes=20)
    assert verifying.world.changes == ["processes.scale"]
    assert record.phase is Phase.WATCHING
    await verifying.act("resolve", text="done by hand")
    await verifying.over()
    assert (await verifying.ends()).by == "dana"


async def test_cancelled_after_its_end_it_loses_no_message(town: Town, world: World) -> None:
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    world.slow["slack.post_entry"] = asyncio.Event()
    await story.act("resolve", text="a drill")
    await story.until(lambda r: r.phase is Phase.RESOLVED)

    await story.handle.cancel()
    await asyncio.sleep(0.1)
    world.slow["slack.post_entry"].set()
    closed = await story.ends()

    assert closed.how == "resolved by a person", "it ended as itself, though an alert fires"
    assert "Over: resolved by a person. a drill" in world.said


async def test_in_observe_mode_it_says_what_it_would_do_and_does_nothing(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale(), roll()))
    observe = QUICK.model_copy(update={"mode": "observe"})
    story = await town.fire(alert("HighDrill", severity="critical"), policy=observe, world=world)

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    await story.pass_time(seconds=30)
    assert world.changes == []
    assert "scale to 5: observe mode: I would have done this" in world.said
    assert "restart the API: observe mode: I would have done this" in world.said
    assert record.asks.startswith("Please take it from here: observe mode, nothing was done.")
