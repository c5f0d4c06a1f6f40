"""The status page: asked about always, in the exact words, published once, and kept up."""

import pytest

from activities.errors import Gone, Refused, Unavailable
from activities.record import Phase, StepState
from activities.words import Mode, Severity
from tests.lifecycle.drills import SCALE, CriticalDrill, drill, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, later, library, told
from workflows.policy import Policy

PUBLIC = QUICK.model_copy(update={"public_from": Severity.CRITICAL})
PUBLISH, UPDATE = "public_page.publish", "public_page.update"


@pytest.fixture
def world(world: World) -> World:
    world.answers |= {
        f"{PUBLISH}.read": lambda order: {"id": "", "status": ""},
        PUBLISH: lambda order, before: {"said": "published"},
        UPDATE: lambda order: {"id": "p1", "status": order["status"]},
    }
    return world


def updates(world: World) -> list[str]:
    """What the page was told, a repeat once."""
    said: list[str] = []
    for order in world.orders(UPDATE):
        said += [] if said[-1:] == [order["status"]] else [order["status"]]
    return said


async def asked(town: Town, world: World, *steps, policy: Policy = PUBLIC) -> Story:
    """An incident whose steps, if any, did not help."""
    world.library = library(drill(*steps, kind=CriticalDrill), drill(*steps))
    story = await town.fire(alert("CriticalDrill", severity="critical"), policy=policy, world=world)
    await story.until(lambda r: r.phase not in (Phase.OPENING, Phase.INVESTIGATING))
    if steps:
        await story.pass_time(minutes=2)
    return story


async def published(town: Town, world: World) -> Story:
    story = await asked(town, world)
    await story.until(lambda r: r.question is not None)
    await story.act("approve")
    await story.until(lambda r: world.count(PUBLISH) == 1 and r.phase is Phase.WATCHING)
    return story


async def test_the_question_shows_the_exact_words_and_only_they_are_published(
    town: Town, world: World
) -> None:
    story = await asked(town, world, scale())
    record = await story.until(lambda r: r.question is not None)
    assert world.changes == [SCALE], "what mends comes before, and waits for nobody"
    words = "Nobody notices. We are working on it, and say here when it has changed."
    assert record.question.text == "publish on the status page: “A drill for the worst”"
    assert record.question.details[:2] == ["Title: A drill for the worst", f"Text: {words}"]
    assert world.count(PUBLISH) == 0

    await story.act("approve", question=record.question.id, shown=record.question.shown)
    await story.until(lambda r: world.count(PUBLISH) == 1)

    [order] = world.orders(PUBLISH)
    assert (order["name"], order["body"]) == ("A drill for the worst", words)
    assert order["key"] == f"{story.id}/{record.run}"


async def test_it_says_that_it_works_again_and_that_it_is_over_without_asking_again(
    town: Town, world: World
) -> None:
    story = await published(town, world)
    world.up = True
    await story.over()
    await story.ends()

    record = await story.record()
    assert updates(world) == ["monitoring", "resolved"], told(record)
    assert len(record.questions) == 1
    assert "It lasted " in world.orders(UPDATE)[-1]["body"]
    assert [step.state for step in record.ladder] == [StepState.DONE]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param("reject", "rejected by dana", id="a no"),
        pytest.param("", "nobody answered: skipped", id="silence"),
    ],
)
async def test_without_a_yes_nothing_is_published_and_nobody_is_asked_again(
    town: Town, world: World, answer, said
) -> None:
    story = await asked(town, world)
    await story.until(lambda r: r.question is not None)
    if answer:
        await story.act(answer)
    record = await story.pass_time(minutes=11)
    assert record.ladder[0].said == said, told(record)
    await story.act("take-over")
    await story.act("hand-back")
    record = await story.pass_time(minutes=11)

    assert world.count(PUBLISH) == world.count(UPDATE) == 0
    assert len(record.questions) == 1


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(QUICK, id="the setting is off"),
        pytest.param(PUBLIC.model_copy(update={"mode": Mode.OBSERVE}), id="observe mode"),
    ],
)
async def test_nobody_is_asked_where_it_is_not_wanted(town: Town, world: World, policy) -> None:
    story = await asked(town, world, policy=policy)
    record = await story.until(lambda r: r.phase is Phase.WATCHING)
    assert record.question is None
    assert record.questions == []
    assert world.count(PUBLISH) == 0


async def test_autonomous_mode_asks_too_and_it_cannot_be_preapproved(
    town: Town, world: World
) -> None:
    alone = PUBLIC.model_copy(update={"mode": Mode.AUTONOMOUS})
    story = await asked(town, world, policy=alone)
    await story.until(lambda r: r.question is not None)
    assert world.count(PUBLISH) == 0
    with pytest.raises(ValueError, match="what users read is asked about always"):
        Policy(preapproved=("public_page.publish@the status page",))


async def test_an_approval_of_old_evidence_is_not_void_for_that(town: Town, world: World) -> None:
    slow = PUBLIC.model_copy(update={"evidence_seconds": 30.0})
    story = await asked(town, world, policy=slow)
    await story.until(lambda r: r.question is not None)
    await story.pass_time(minutes=4)
    await story.act("approve")

    record = await story.until(lambda r: world.count(PUBLISH) == 1)

    assert len(record.questions) == 1, told(record)


async def test_a_page_that_is_away_hears_the_newest_when_it_is_back(
    town: Town, world: World
) -> None:
    story = await published(town, world)
    world.fails[UPDATE] = [Unavailable("no answer") for _ in range(3)]
    world.up = True
    await story.over()
    await story.ends()
    assert updates(world)[-1] == "resolved"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Gone("somebody has resolved it there"), id="resolved there by hand"),
        pytest.param(Refused("401"), id="the token is refused"),
    ],
)
async def test_what_cannot_be_said_there_is_left_to_people_once_and_holds_up_nothing(
    town: Town, world: World, error
) -> None:
    story = await published(town, world)
    world.fails[UPDATE] = lambda: error
    world.up = True
    await story.over()

    closed = await story.ends()

    assert closed.how == "recovered"
    assert world.count(UPDATE) == 2, "monitoring and resolved, each once"
    assert "please write “resolved” on the status page yourselves" in told(await story.record())


async def test_what_comes_back_is_said_there_too(town: Town, world: World) -> None:
    story = await published(town, world)
    await story.act("resolve", text="by hand")
    await story.until(lambda r: updates(world) == ["resolved"])
    await story.notice(later(story.alert, minutes=5))

    record = await story.until(lambda r: updates(world) == ["resolved", "investigating"])

    assert world.orders(UPDATE)[-1]["reopens"], told(record)
    assert world.count(PUBLISH) == 1
