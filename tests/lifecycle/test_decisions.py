"""What a person decides about: exactly what was shown, and never undone by a new plan."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.record import Phase, StepState
from tests.lifecycle.drills import ASKS, CriticalDrill, drill, restart, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told
from workflows.policy import Rights


async def refused(story: Story, kind: str, **more) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await story.act(kind, **more)
    return error.value.cause.message


async def rejected(town: Town, world: World, *, preapproved: tuple[str, ...] = ()) -> Story:
    """A warning whose step was rejected; then its critical alert comes, with the same step."""
    disruptive = restart(risk="disruptive")
    world.library = library(drill(disruptive), drill(disruptive, kind=CriticalDrill))
    warning = alert("HighDrill", severity="warning", fingerprint="w")
    policy = QUICK.model_copy(update={"preapproved": preapproved})
    story = await town.fire(warning, policy=policy, world=world)
    await story.until(lambda r: r.question is not None)
    await story.act("reject", text="not while the import runs")
    await story.until(lambda r: r.phase is Phase.WATCHING)
    critical = alert("CriticalDrill", severity="critical", service=warning.service, fingerprint="c")
    await story.notice(critical)
    return story


async def test_a_rejected_step_is_asked_again_and_not_just_done_when_it_gets_worse(
    town: Town, world: World
) -> None:
    story = await rejected(town, world)

    record = await story.until(lambda r: r.question is not None or bool(world.changes))

    assert world.changes == [], "critical, a disruptive step acts by itself; not a rejected one"
    await story.pass_time(seconds=10)
    assert "Rejected before by dana." in world.said
    await story.act("approve", question=record.question.id)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["host.restart_service"]


async def test_each_answer_names_its_question_once_there_were_two(town: Town, world: World) -> None:
    story = await rejected(town, world)
    record = await story.until(lambda r: r.question is not None)
    question = record.question

    said = await refused(story, "approve")

    assert said.startswith("more than one question was asked: say which, with --question ID.")
    assert question.id in said
    old = await refused(story, "approve", question=record.questions[0].id)
    assert old.startswith("it was already rejected by dana at ")
    assert world.changes == []
    await story.pass_time(seconds=10)
    exact = f"responder approve {story.id} --question {question.id} --hash {question.shown}"
    assert exact in world.said
    assert exact in world.root["commands"]


async def test_where_nobody_may_approve_it_is_skipped_at_once_and_said(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale(asks=ASKS), restart()))
    policy = QUICK.model_copy(update={"people": {"*": Rights()}})
    story = await town.fire(alert("HighDrill", severity="critical"), policy=policy, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert world.changes == ["host.restart_service"], told(record)
    said = "skipped: nobody in the settings may approve reversible steps"
    assert (record.ladder[0].state, record.ladder[0].said) == (StepState.SKIPPED, said)
    assert f"scale to 5: {said}" in record.findings
    assert record.questions == []


async def test_what_would_be_touched_is_shown_as_it_is_and_not_as_markup(
    town: Town, world: World
) -> None:
    exactly = ("pid 7: “select * from <!channel>”",)
    world.library = library(drill(scale(asks=ASKS, details=exactly)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None and r.told_at is not None)

    await story.pass_time(seconds=10)

    parts = [p for order in world.orders("slack.post_entry") for p in order["entry"]["parts"]]
    code, commands = [part["text"] for part in parts if part.get("kind") == "code"]
    assert code.splitlines()[0] == exactly[0]
    assert [line.split()[1] for line in commands.splitlines()] == ["approve", "reject"]


@pytest.mark.parametrize("kind", ["take-over", "resolve", "hold", "escalate", "hand-back"])
async def test_a_bot_can_note_something_and_nothing_else(
    town: Town, world: World, kind: str
) -> None:
    story = await town.fire(alert("Unheard"), world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)

    said = await refused(story, kind, person=False, text="says the bot")

    assert said == (
        f"only a person can {kind.replace('-', ' ')}: "
        "a bot's or an integration's word does not count"
    )
    assert await story.act("note", person=False, text="deployed r43") == "noted"


@pytest.mark.parametrize("kind", ["approve", "reject", "hold", "hand-back"])
async def test_no_signal_decides_anything(town: Town, world: World, kind: str) -> None:
    world.library = library(drill(scale(asks=ASKS)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None)
    await story.act_later(kind, id="click")

    record = await story.until(lambda r: "click" in r.handled)

    assert record.question.answer == ""
    assert record.people.hold_until is None
    assert f"{kind} was refused: whether it still holds must be known at once" in told(record)
