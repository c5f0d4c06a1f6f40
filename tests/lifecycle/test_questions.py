"""What becomes of a question: answered, unanswered, twice, by a stranger, late."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.record import Phase, StepState
from tests.lifecycle.drills import ASKS, LowDrill, drill, restart, scale, switch
from tests.lifecycle.world import Story, Town, World, alert, library, minutes, told


@pytest.fixture
async def asking(town: Town, world: World) -> Story:
    """A critical incident that asks for a step, and has another that needs no asking."""
    world.library = library(drill(scale(asks=ASKS), restart()))
    world.cures = {"processes.scale": True}
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None and r.told_at is not None)
    return story


async def refused(story: Story, kind: str, **more) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await story.act(kind, **more)
    return error.value.cause.message


async def test_an_open_question_is_a_page_and_says_what_happens_and_who_may_answer(
    asking: Story,
) -> None:
    record = await asking.record()

    assert record.phase is Phase.ASKING
    assert record.asks == "May I? scale to 5 (reversible)"
    assert [text for _, text in minutes(record, "page")][-1] == (
        "on-call is paged, high urgency: a decision is needed: scale to 5"
    )
    assert minutes(record, "question") == [
        (0, "asked: scale to 5 (reversible). May answer: dana, lee")
    ]
    assert asking.world.changes == []


async def test_an_approval_lets_exactly_that_step_go_ahead(asking: Story) -> None:
    question = (await asking.record()).question

    assert await asking.act("approve", question=question.id) == "approved: scale to 5"

    record = await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]
    assert record.ladder[0].approved_by == "dana"
    assert record.people.acknowledged_by == "dana", "whoever decides is there"
    assert record.questions[0].answer == "approved"


async def test_a_refusal_skips_the_step_and_goes_on_with_the_next(asking: Story) -> None:
    assert await asking.act("reject", text="not now") == "rejected: scale to 5"

    record = await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["host.restart_service"]
    assert (record.ladder[0].state, record.ladder[0].said) == (
        StepState.SKIPPED,
        "rejected by dana",
    )
    assert "rejected (not now): scale to 5" in "\n".join(e.text for e in record.timeline)


async def test_silence_asks_the_next_level_once_and_then_means_no(asking: Story) -> None:
    record = await asking.pass_time(minutes=11)

    escalated = minutes(record, "escalation")
    assert (5, "nobody answered: engineering-lead is asked") in escalated, told(record)
    assert minutes(record, "step")[0] == (10, "scale to 5: nobody answered: skipped")
    assert asking.world.changes == ["host.restart_service"], "which needs no asking"
    assert record.questions[0].answer == "expired"


async def test_a_question_is_answered_once(asking: Story) -> None:
    question = (await asking.record()).question
    await asking.act("approve", id="click-1", question=question.id)

    again = await asking.act("approve", id="click-1", question=question.id)
    other = await refused(asking, "reject", by="lee", question=question.id)

    assert again == "approved: scale to 5", "the same click gets the same answer"
    assert other.startswith("it was already approved by dana at ")
    await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]


@pytest.mark.parametrize(
    ("by", "more", "said"),
    [
        pytest.param(
            "robin",
            {},
            "robin may not decide about reversible steps; dana, lee may",
            id="somebody without the right",
        ),
        pytest.param(
            "stranger",
            {},
            "stranger may not decide about reversible steps; dana, lee may",
            id="somebody whom nobody knows",
        ),
        pytest.param(
            "dana",
            {"person": False},
            "only a person can decide: a bot's or an integration's word does not count",
            id="a bot under the name of somebody who may",
        ),
        pytest.param(
            "dana",
            {"question": "0123456789ab"},
            "there is no such question: the incident is asking nothing like it now",
            id="an answer to another question",
        ),
    ],
)
async def test_an_answer_is_refused_and_the_question_stays_open(
    asking: Story, by, more, said
) -> None:
    assert await refused(asking, "approve", by=by, **more) == said
    record = await asking.record()
    assert record.question.answer == ""
    assert asking.world.changes == []


async def test_a_late_approval_counts_while_nothing_has_changed(town: Town, world: World) -> None:
    world.library = library(drill(scale(asks=ASKS)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    record = await story.until(lambda r: r.question is not None)
    question = record.question.id
    record = await story.pass_time(minutes=20)
    assert record.phase is Phase.WATCHING
    assert record.ladder[0].state is StepState.SKIPPED

    await story.act("approve", question=question)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["processes.scale"]


async def test_a_late_approval_brings_back_all_that_was_shown_with_it(
    town: Town, world: World
) -> None:
    first = scale(asks=ASKS)
    second = restart(asks=ASKS, approved_with=first.key)
    third = switch(needs=first.key)
    world.cures = {}
    world.library = library(drill(first, second, third))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None)
    record = await story.pass_time(minutes=20)
    assert [step.state for step in record.ladder] == [StepState.SKIPPED] * 3
    await story.act("approve")

    await story.pass_time(minutes=16)

    assert world.changes == ["processes.scale", "host.restart_service", "switches.set"]


async def test_a_late_approval_is_refused_once_something_was_changed(asking: Story) -> None:
    question = (await asking.record()).question.id
    await asking.pass_time(minutes=11)
    assert asking.world.changes == ["host.restart_service"]

    said = await refused(asking, "approve", question=question)

    assert said == "the question has expired and things have moved on since"


async def test_a_question_is_withdrawn_when_the_alert_resolves(asking: Story) -> None:
    asking.world.up = True
    await asking.over()

    closed = await asking.ends()

    assert closed.how == "recovered"
    assert asking.world.changes == []
    assert "withdrawn, things have moved on: scale to 5" in asking.world.said


async def test_asked_although_no_alert_fires_it_is_withdrawn_once_it_is_well(
    asking: Story,
) -> None:
    first = (await asking.record()).question
    await asking.over()
    await asking.pass_time(minutes=2)
    await asking.until(lambda r: r.question is not None and r.question.id != first.id)
    asking.world.up = True

    closed = await asking.ends()

    record = await asking.record()
    assert closed.how == "recovered", told(record)
    assert asking.world.changes == []
    assert [each.ended for each in record.questions] == ["Withdrawn, things have moved on"] * 2
    assert "Is it still needed?: recovered" in told(record)


async def test_a_hold_keeps_the_question_and_the_approved_step_waits_for_its_end(
    asking: Story,
) -> None:
    assert await asking.act("hold", minutes=20) == "no further step for 20 minutes"
    record = await asking.pass_time(minutes=12)
    assert record.question.answer == "", "the deadlines moved behind the hold"
    assert await asking.act("approve") == "approved: scale to 5"
    record = await asking.pass_time(minutes=6)
    assert asking.world.changes == []
    assert record.next_action == "on hold by dana"

    await asking.pass_time(minutes=3)

    assert asking.world.changes == ["processes.scale"]


async def test_a_step_that_needs_a_skipped_one_is_skipped_too(town: Town, world: World) -> None:
    first = scale(asks=ASKS)
    world.library = library(drill(first, restart(needs=first.key)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None)
    await story.act("reject")

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert world.changes == []
    assert "it needs a step that was not taken (scale to 5)" in record.ladder[1].said


async def test_an_info_incident_asks_with_low_urgency(town: Town, world: World) -> None:
    world.library = library(drill(scale(asks=ASKS), kind=LowDrill))
    story = await town.fire(alert("LowDrill", severity="info"), world=world)

    record = await story.until(lambda r: r.question is not None)

    assert [text for _, text in minutes(record, "page")] == [
        "on-call is paged, low urgency: a decision is needed: scale to 5"
    ]
