"""An approval is bound to what was shown: by digest, by state, by who may and how many must."""

import asyncio
import hashlib
import json
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.buttons import Target, decode
from activities.errors import Gone
from activities.record import Phase, StepState
from tests.lifecycle.drills import ASKS, drill, restart, scale
from tests.lifecycle.world import POLICY, Story, Town, World, alert, library, told
from workflows.policy import Policy, Rights


async def ask(town: Town, world: World, policy: Policy = POLICY, *steps: Any) -> Story:
    """A critical incident that asks for a step; its question stands in the thread."""
    world.library = library(drill(*(steps or (scale(asks=ASKS), restart()))))
    world.cures = {"processes.scale": True}
    story = await town.fire(alert("HighDrill", severity="critical"), policy=policy, world=world)
    await story.until(lambda r: r.question is not None and bool(r.question.ts))
    return story


@pytest.fixture
async def asking(town: Town, world: World) -> Story:
    return await ask(town, world)


async def refused(story: Story, kind: str, **more: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await story.act(kind, **more)
    return error.value.cause.message


def question(world: World) -> dict[str, Any]:
    """The newest question as it was posted."""
    entries = [order["entry"] for order in world.orders("slack.post_entry")]
    return [entry for entry in entries if entry.get("buttons")][-1]


async def revised(story: Story, times: int = 1) -> dict[str, Any]:
    await story.until(lambda _: story.world.count("slack.update_entry") >= times)
    return story.world.orders("slack.update_entry")[-1]


async def test_the_entry_shows_effect_order_target_undo_and_evidence(asking: Story) -> None:
    record = await asking.record()
    entry = question(asking.world)
    said = "\n".join([entry["title"], *(part["text"] for part in entry["parts"])])

    for shown in (
        "May I? scale to 5",
        "Risk: reversible. Why: a drill",
        "Target: scale to 5. Undo: by itself, once it has settled.",
        'processes.scale {"app": "pravado-api", "most": 12, "replicas": 5}',
        "• a drill",
        "• last deployment: r42 by sam, 30 minutes ago",
        "• there now: count 2",
        "May answer: dana, lee, until",
        f"approve {asking.id} --question {record.question.id} --hash {record.question.shown}",
    ):
        assert shown in said


async def test_the_digest_is_of_what_was_read_and_not_of_how_it_is_worded(asking: Story) -> None:
    """A release that words evidence otherwise must not void what was asked by the one before."""
    record = await asking.record()
    asked, step = record.question, record.ladder[0]
    assert asked is not None
    assert "there now: count 2" in asked.evidence

    read = [each.replace("now: count 2", 'now: {"count": 2}') for each in asked.evidence]
    exactly = [[step.activity, step.order, step.target, step.undo]]
    shown = [exactly, [{"count": 2}, asked.text, asked.details, read]]
    written = json.dumps(shown, sort_keys=True, default=str).encode()
    assert asked.shown == hashlib.sha256(written).hexdigest()[:16]


async def test_its_buttons_name_the_run_the_question_and_what_was_shown(asking: Story) -> None:
    record = await asking.record()

    buttons = question(asking.world)["buttons"]

    assert [each["action"] for each in buttons] == ["approve", "reject"]
    target = Target(asking.id, record.run, record.question.id, record.question.shown)
    assert [decode(each["value"]) for each in buttons] == [target, target]
    assert buttons[0]["confirm"] == "scale to 5 (reversible)"


@pytest.mark.parametrize(
    ("kind", "more", "title"),
    [
        pytest.param("approve", {}, "Approved by dana at ", id="approved"),
        pytest.param(
            "reject", {"text": "not now"}, "Rejected by dana (not now) at ", id="rejected"
        ),
        pytest.param("take-over", {}, "Withdrawn, things have moved on at ", id="withdrawn"),
    ],
)
async def test_once_decided_its_own_entry_has_no_buttons_and_says_who_and_when(
    asking: Story, kind: str, more: dict[str, str], title: str
) -> None:
    ts = (await asking.record()).question.ts

    await asking.act(kind, **more)

    shown = await revised(asking)
    assert shown["ts"] == ts
    assert not shown["entry"]["buttons"]
    assert shown["entry"]["title"].startswith(title)
    assert shown["entry"]["title"].endswith("UTC: scale to 5")


async def test_an_expired_question_says_so_and_how_a_late_approval_is_given(asking: Story) -> None:
    await asking.pass_time(minutes=11)

    shown = (await revised(asking))["entry"]

    assert shown["title"].startswith("Expired, silence means no at ")
    assert not shown["buttons"]
    assert "A late approval counts while nothing has changed: responder approve" in str(shown)


class HoldsUpQuestions(asyncio.Event):
    """Not set while a question is on its way to Slack, until the test sets it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def is_set(self) -> bool:
        return (
            super().is_set() or not self._world.orders("slack.post_entry")[-1]["entry"]["buttons"]
        )


async def test_what_was_decided_while_it_was_being_posted_loses_its_buttons_at_once(
    town: Town, world: World
) -> None:
    world.slow["slack.post_entry"] = HoldsUpQuestions(world)
    world.library = library(drill(scale(asks=ASKS)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(
        lambda _: any(o["entry"]["buttons"] for o in world.orders("slack.post_entry"))
    )
    await story.act("approve")

    world.slow["slack.post_entry"].set()

    shown = await revised(story)
    assert not shown["entry"]["buttons"]
    assert shown["entry"]["title"].startswith("Approved by dana at ")


async def test_another_digest_than_the_questions_is_refused(asking: Story) -> None:
    present = (await asking.record()).question

    said = await refused(asking, "approve", question=present.id, shown="0123456789abcdef")

    assert said == (
        f"what you were shown is not what is asked: look again. Open is {present.id}: scale to 5"
    )
    assert asking.world.changes == []
    await asking.act("approve", question=present.id, shown=present.shown)
    await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]


async def test_what_was_shown_has_the_same_digest_only_when_it_is_the_same(
    town: Town, world: World
) -> None:
    story = await ask(town, world, POLICY, scale(asks=ASKS), restart(asks=ASKS))
    first = (await story.record()).question
    await story.act("reject", question=first.id)
    second = (await story.until(lambda r: r.question is not None)).question

    assert first.shown
    assert first.shown != second.shown
    assert await refused(story, "approve", question=second.id, shown=first.shown)


async def test_an_approval_is_void_once_what_stands_there_has_changed(asking: Story) -> None:
    first = (await asking.record()).question
    asking.world.replicas = 3

    await asking.act("approve", question=first.id, shown=first.shown)

    record = await asking.until(lambda r: r.question is not None and r.question.id != first.id)
    why = "it has changed since (count: 2, now 3)"
    assert asking.world.changes == [], told(record)
    assert f"the approval by dana is void, {why}: scale to 5" in told(record)
    assert record.questions[0].answer == "void"
    shown = (await revised(asking, 2))["entry"]
    assert shown["title"].startswith(f"Void, although approved by dana: {why} at ")
    assert not shown["buttons"]
    assert await refused(asking, "approve", by="lee", question=first.id) == (
        f"Void, although approved by dana: {why}. Asked anew: {record.question.id}"
    )
    assert record.question.shown != first.shown

    await asking.act("approve", question=record.question.id, shown=record.question.shown)
    await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]


async def test_what_keeps_changing_is_not_asked_for_ever(asking: Story) -> None:
    for times in range(3):
        record = await asking.until(
            lambda r, times=times: r.question is not None and len(r.questions) == times
        )
        asking.world.replicas += 1
        await asking.act("approve", question=record.question.id)

    record = await asking.until(lambda r: r.phase is Phase.VERIFYING)

    assert asking.world.changes == ["host.restart_service"], "the next step, which needs no asking"
    assert record.ladder[0].said == ("skipped: what it would change keeps changing; do it by hand")


async def test_old_evidence_is_gathered_anew_and_a_step_no_longer_planned_is_not_taken(
    asking: Story,
) -> None:
    await asking.pass_time(minutes=6)
    asking.world.library = library(drill(restart(asks=ASKS)))
    first = (await asking.record()).question

    await asking.act("approve", question=first.id)

    record = await asking.until(lambda r: r.question is not None and r.question.id != first.id)
    assert asking.world.changes == []
    assert "the evidence has changed since: it would not be done any more" in told(record)
    assert record.question.text == "restart redis", "planned anew, and asked about that"


async def test_old_evidence_that_says_the_same_changes_nothing(asking: Story) -> None:
    await asking.pass_time(minutes=6)
    probed = asking.world.count("host.recent_deployment")

    await asking.act("approve")

    await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]
    assert asking.world.count("host.recent_deployment") == probed + 1


BOTH = POLICY.model_copy(update={"two_people": ("processes.scale",)})


async def test_two_people_must_approve_what_the_settings_name(town: Town, world: World) -> None:
    story = await ask(town, world, BOTH)
    asked = (await story.record()).question
    assert "Two people must approve." in str(question(world))

    said = await story.act("approve", question=asked.id)

    assert said == "approved, 1 of 2: scale to 5. A second person must approve too: lee"
    shown = (await revised(story))["entry"]
    assert "1 of 2 approved: dana." in str(shown)
    assert len(shown["buttons"]) == 2, "the second person needs them"
    assert world.root["asks"] == "May I? scale to 5 (reversible) · 1 of 2: dana"
    assert world.changes == []
    assert await refused(story, "approve", question=asked.id, id="again") == (
        "dana has approved it already, and two people must: lee may"
    )
    assert await story.act("approve", by="lee", question=asked.id) == "approved: scale to 5"
    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["processes.scale"]
    assert record.ladder[0].approved_by == "dana and lee"


async def test_one_approval_of_two_means_no_when_the_time_is_over(town: Town, world: World) -> None:
    story = await ask(town, world, BOTH)
    await story.act("approve")

    record = await story.pass_time(minutes=11)

    assert world.changes == ["host.restart_service"], told(record)
    assert (await revised(story, 2))["entry"]["title"].startswith(
        "Expired, silence means no, although dana approved at "
    )


async def test_the_second_person_can_say_no(town: Town, world: World) -> None:
    story = await ask(town, world, BOTH)
    await story.act("approve")

    assert await story.act("reject", by="lee") == "rejected: scale to 5"

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["host.restart_service"]
    assert record.questions[0].by == "lee"


@pytest.mark.parametrize("named", ["reversible", "processes.scale", "processes.scale@scale to 5"])
async def test_two_are_named_by_risk_by_step_or_by_step_and_target_and_one_alone_is_too_few(
    town: Town, world: World, named: str
) -> None:
    dana = {"dana": Rights(approves=("reversible",)), "lee": Rights()}
    policy = POLICY.model_copy(update={"people": dana, "two_people": (named,)})
    world.library = library(drill(scale(asks=ASKS), restart()))
    story = await town.fire(alert("HighDrill", severity="critical"), policy=policy, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert record.ladder[0].said == "skipped: two people must approve it, and only dana may"
    assert world.changes == ["host.restart_service"]


APART = POLICY.model_copy(update={"other_than_requester": True})


async def test_who_has_handed_it_back_does_not_approve_what_follows(
    town: Town, world: World
) -> None:
    story = await ask(town, world, APART)
    await story.act("take-over")
    await story.until(lambda r: r.question is None)
    await story.act("hand-back")
    asked = (await story.until(lambda r: r.question is not None)).question

    said = await refused(story, "approve", question=asked.id)

    assert said == "dana has asked for this, so somebody else must approve it: lee may"
    await story.act("approve", by="lee", question=asked.id)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["processes.scale"]


@pytest.mark.parametrize(
    ("fingerprint", "requester"),
    [
        pytest.param("manual-0123456789abcdef", "dana", id="opened by hand"),
        pytest.param("0123456789abcdef", "", id="an alert that only says so"),
    ],
)
async def test_who_has_opened_it_by_hand_has_asked_for_it(
    town: Town, world: World, fingerprint: str, requester: str
) -> None:
    world.library = library(drill(scale(asks=ASKS)))
    opened = alert(
        "HighDrill", severity="critical", fingerprint=fingerprint,
        annotations={"summary": "slow", "opened_by": "dana"},
    )  # fmt: skip
    story = await town.fire(opened, policy=APART, world=world)
    record = await story.until(lambda r: r.question is not None)

    assert record.question.requested_by == requester
    if requester:
        assert "somebody else must approve it" in await refused(story, "approve")
    else:
        assert await story.act("approve") == "approved: scale to 5"


async def test_two_people_who_press_at_once_are_one_decision_and_one_sentence(
    asking: Story,
) -> None:
    asked = (await asking.record()).question

    answers = await asyncio.gather(
        asking.act("approve", question=asked.id, shown=asked.shown),
        asking.act("reject", by="lee", question=asked.id, shown=asked.shown),
        return_exceptions=True,
    )

    won = [each for each in answers if isinstance(each, str)]
    lost = [each.cause.message for each in answers if isinstance(each, WorkflowUpdateFailedError)]
    assert len(won) == len(lost) == 1
    assert lost[0].startswith(f"it was already {won[0].partition(':')[0]} by ")


async def test_the_open_question_is_asked_again_in_the_thread_of_a_new_root(asking: Story) -> None:
    asked = (await asking.record()).question
    asking.world.fails["slack.update_root"] = [Gone("message_not_found")]
    await asking.act("acknowledge")

    record = await asking.until(lambda r: r.question.ts not in ("", asked.ts))

    posted = asking.world.orders("slack.post_entry")
    threads = [order["thread_ts"] for order in posted if order["entry"].get("buttons")]
    assert threads == ["1.1", "1.2"]
    assert record.question.id == asked.id, "it is the same question"


async def test_a_deleted_entry_costs_no_new_root_and_stops_nothing(asking: Story) -> None:
    asking.world.fails["slack.update_entry"] = lambda: Gone("message_not_found")
    await asking.act("reject")
    await asking.act("note", text="still here")

    await asking.pass_time(seconds=30)

    assert asking.world.count("slack.post_root") == 1
    assert "still here" in asking.world.said


async def test_a_question_that_was_rejected_leaves_the_step_skipped_and_its_digest_known(
    asking: Story,
) -> None:
    asked = (await asking.record()).question
    await asking.act("reject", question=asked.id, shown=asked.shown)

    record = await asking.until(lambda r: r.phase is Phase.VERIFYING)

    assert record.ladder[0].state is StepState.SKIPPED
    assert record.questions[0].shown == asked.shown
