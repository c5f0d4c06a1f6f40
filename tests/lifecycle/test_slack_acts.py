"""People act from Slack on a real incident, by a real door; each hears alone what became of it."""

import asyncio

import pytest

from activities.buttons import Pressed, Target
from activities.record import Phase
from tests.lifecycle.drills import ASKS, drill, restart, scale
from tests.lifecycle.world import Story, Town, World, alert, library, minutes, told
from tests.starters.workspace import hears, post, workspace
from workflows.efforts import Queue

ANSWERS = (Pressed.APPROVE, Pressed.REJECT)
ROOT = tuple(each for each in Pressed if each not in (*ANSWERS, Pressed.HAND_BACK))


@pytest.fixture
async def slack(town: Town):
    async with workspace(town.env.client) as reached:
        yield reached


@pytest.fixture
async def asking(town: Town, world: World) -> Story:
    """A critical incident that asks for a step, and has another that needs no asking."""
    world.library = library(drill(scale(asks=ASKS), restart()))
    world.cures = {"processes.scale": True}
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.question is not None and r.told_at is not None)
    return story


def root(slack, story: Story, **more):
    return post(slack, ROOT, Target(story.id, story.handle.first_execution_run_id, **more))


async def question(slack, story: Story, **more):
    asked = (await story.record()).question
    shown = more.pop("shown", asked.shown)
    target = Target(story.id, story.handle.first_execution_run_id, asked.id, shown)
    return post(slack, ANSWERS, target, **more)


@pytest.mark.parametrize(
    ("pressed", "said", "true"),
    [
        pytest.param(
            Pressed.ACKNOWLEDGE, "acknowledged; it holds for",
            lambda r: r.people.acknowledged_by == "robin", id="acknowledge",
        ),
        pytest.param(
            Pressed.HOLD, "no further step for 10 minutes",
            lambda r: r.people.held_by == "robin", id="hold ten minutes",
        ),
        pytest.param(
            Pressed.TAKE_OVER, "you have it: no further step is taken",
            lambda r: r.people.taken_over_by == "robin", id="take over",
        ),
        pytest.param(
            Pressed.STOP, "Hand back when it may go on",
            lambda r: r.people.taken_over_by == "robin", id="stop is a take-over",
        ),
        pytest.param(
            Pressed.ESCALATE, "engineering-lead is being paged",
            lambda r: r.people.level == 1, id="escalate",
        ),
    ],
)  # fmt: skip
async def test_each_button_of_the_root_does_what_it_says(slack, asking: Story, pressed, said, true):
    status = await slack.press(root(slack, asking).ts, pressed.value, user="U0ROBIN")

    assert status == 200
    record = await asking.record()
    assert true(record), told(record)
    heard = await hears(slack, "U0ROBIN")
    assert said in heard
    assert heard.startswith(asking.id)
    assert "robin" in {entry.by for entry in record.timeline} or pressed is Pressed.ESCALATE


async def test_what_was_taken_over_is_handed_back_by_its_button(slack, asking: Story):
    await asking.act("take-over", by="lee")
    run = asking.handle.first_execution_run_id
    message = post(slack, (Pressed.HAND_BACK,), Target(asking.id, run))

    await slack.press(message.ts, "hand-back", user="U0LEE")

    assert "looks again" in await hears(slack, "U0LEE")
    assert not (await asking.record()).people.taken_over_by


async def test_an_approval_lets_exactly_that_step_go_ahead(slack, asking: Story):
    message = await question(slack, asking)

    await slack.press(message.ts, "approve", user="U0DANA")

    assert "approved: scale to 5" in await hears(slack, "U0DANA")
    record = await asking.until(lambda r: r.phase is Phase.VERIFYING)
    assert asking.world.changes == ["processes.scale"]
    assert record.ladder[0].approved_by == "dana"


async def test_of_two_people_at_once_one_decides_and_the_other_hears_who_it_was(
    slack, asking: Story
):
    message = await question(slack, asking)

    await asyncio.gather(
        slack.press(message.ts, "approve", user="U0DANA"),
        slack.press(message.ts, "reject", user="U0LEE"),
    )

    heard = {"dana": await hears(slack, "U0DANA"), "lee": await hears(slack, "U0LEE")}
    record = await asking.until(lambda r: bool(r.questions))
    [decided] = record.questions
    late = heard.pop("lee" if decided.by == "dana" else "dana")
    assert late.startswith("Not done: it was already")
    assert decided.by in late
    assert "Not done" not in next(iter(heard.values()))


async def test_of_two_who_stop_at_once_the_second_hears_whom_they_took_it_from(
    slack, asking: Story
):
    message = root(slack, asking)

    await asyncio.gather(
        *(slack.press(message.ts, "stop", user=user) for user in ("U0DANA", "U0LEE"))
    )

    heard = {"dana": await hears(slack, "U0DANA"), "lee": await hears(slack, "U0LEE")}
    owner = (await asking.record()).people.taken_over_by
    [other] = {"dana", "lee"} - {owner}
    assert f"you have it from {other}: no further step" in heard[owner]
    assert "you have it: no further step" in heard[other]


async def test_a_double_click_decides_once_and_pages_one_level(slack, asking: Story):
    shown = root(slack, asking, shown="0")

    for _ in range(2):
        await slack.press(shown.ts, "escalate", user="U0ROBIN")

    assert "is being paged" in await hears(slack, "U0ROBIN")
    second = await hears(slack, "U0ROBIN", times=2)
    assert second == "Not done: engineering-lead has been called already since that was shown"
    assert (await asking.record()).people.level == 1


async def test_the_command_repeated_at_once_pages_one_level_and_the_button_the_next(
    slack, asking: Story, monkeypatch
):
    monkeypatch.setattr("starters.escalating.JUST_NOW_SECONDS", 3600)
    for _ in range(2):
        await slack.command(f"escalate {asking.id} the database", user="U0ROBIN")

    assert "engineering-lead is being paged" in await hears(slack, "U0ROBIN")
    second = await hears(slack, "U0ROBIN", times=2)
    assert second.startswith("Not done: engineering-lead was called")
    assert second.endswith("by robin: to call cto too, press Escalate under the incident")
    assert (await asking.record()).people.level == 1

    await slack.press(root(slack, asking, shown="1").ts, "escalate", user="U0ROBIN")
    assert "cto is being paged" in await hears(slack, "U0ROBIN", times=3)


async def test_a_press_that_slack_delivers_twice_is_one_act(slack, asking: Story):
    message = root(slack, asking)

    await slack.people.press(message, "escalate", "U0ROBIN", times=3)

    for times in (1, 2, 3):
        assert "engineering-lead is being paged" in await hears(slack, "U0ROBIN", times=times)
    record = await asking.record()
    assert record.people.level == 1
    assert len([text for _, text in minutes(record, "escalation") if "escalated to" in text]) == 1


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        pytest.param("U0STRANGER", "you (U0STRANGER) are not known here", id="a stranger"),
        pytest.param("U0MALLORY", "mallory does not have the responder role", id="no responder"),
    ],
)
async def test_who_has_no_right_hears_so_alone_and_does_nothing(slack, asking: Story, user, reason):
    presses = ("acknowledge", "resolve") if user == "U0STRANGER" else ("acknowledge",)
    for times, pressed in enumerate(presses, start=1):
        await slack.press(root(slack, asking).ts, pressed, user=user)

        assert reason in await hears(slack, user, times=times)
    record = await asking.record()
    assert not record.people.acknowledged_by
    assert not slack.state.windows
    assert {each.user for each in slack.state.whispers} == {user}


async def test_a_responder_who_may_not_approve_hears_who_may(slack, asking: Story):
    await slack.press((await question(slack, asking)).ts, "approve", user="U0ROBIN")

    heard = await hears(slack, "U0ROBIN")
    assert "robin may not decide about reversible steps" in heard
    assert "dana" in heard
    assert not (await asking.record()).question.answer


async def test_an_approval_of_something_else_than_was_shown_is_void(slack, asking: Story):
    message = await question(slack, asking, shown="0" * 12)

    await slack.press(message.ts, "approve", user="U0DANA")

    assert "Not done: what you were shown is not what is asked" in await hears(slack, "U0DANA")
    assert not (await asking.record()).question.answer


async def test_a_click_on_an_earlier_incident_of_the_same_name_does_nothing(slack, asking: Story):
    earlier = post(slack, ROOT, Target(asking.id, "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"))

    await slack.press(earlier.ts, "take-over", user="U0DANA")

    assert "an earlier incident of the same name" in await hears(slack, "U0DANA")
    assert not (await asking.record()).people.taken_over_by


async def test_a_click_on_a_closed_incident_says_that_it_is_closed(slack, town: Town, world: World):
    world.up = True
    story = await town.fire(alert(), world=world)
    message = root(slack, story)
    await story.over()
    await story.act("resolve", text="it was the router")
    await story.ends()

    await slack.press(message.ts, "acknowledge", user="U0DANA")

    assert "is closed" in await hears(slack, "U0DANA")


@pytest.mark.parametrize(
    ("action", "value"),
    [
        pytest.param("launch", "", id="another action"),
        pytest.param("acknowledge", "question-1", id="a value of another version"),
    ],
)
async def test_a_button_that_is_none_of_ours_says_so(slack, asking: Story, action, value):
    message = root(slack, asking)
    button = _button(message, "acknowledge")
    stray = {**button, "action_id": action, "value": value or button["value"]}

    await slack.people._way.interaction(slack.people._pressed(message, stray, "U0DANA"))

    assert "that button is not known here" in await hears(slack, "U0DANA")


async def test_resolve_asks_for_the_reason_and_takes_it_once(slack, asking: Story):
    await slack.press(root(slack, asking).ts, "resolve", user="U0DANA")
    blank = await slack.submit("  ")
    assert blank.body["errors"]["reason"]
    assert (await asking.record()).resolution is None

    window = slack.state.windows[-1]
    assert (await slack.submit("it was the router")).body == {}
    again = await slack.people.submit(window, "it was the router")

    assert again.taken
    assert "resolved; the report is being written" in await hears(slack, "U0DANA")
    record = await asking.record()
    assert (record.resolution.by, record.resolution.reason) == ("dana", "it was the router")
    assert len([e for e in record.timeline if e.text == "resolved: it was the router"]) == 1


async def test_a_window_that_cannot_be_opened_leaves_the_command(slack, asking: Story):
    slack.state.triggers.clear()
    message = root(slack, asking)
    payload = slack.people._pressed(message, _button(message, "resolve"), "U0DANA")
    slack.state.triggers.clear()
    await slack.people._way.interaction(payload)

    heard = await hears(slack, "U0DANA")
    assert "invalid_trigger_id" in heard
    assert f"/incident resolve {asking.id} WHY" in heard


def _button(message, action):
    [found] = [
        {**each, "block_id": "b"}
        for block in message.blocks
        if block["type"] == "actions"
        for each in block["elements"]
        if each["action_id"] == action
    ]
    return found


async def test_an_archived_channel_or_a_message_that_is_gone_is_answered_directly(
    slack, asking: Story
):
    message = root(slack, asking)
    reply = post(
        slack,
        (Pressed.HOLD,),
        Target(asking.id, asking.handle.first_execution_run_id),
        thread=message.ts,
    )
    slack.delete(message.ts)
    slack.state.answers.clear()
    payload = slack.people._pressed(reply, _button(reply, "hold"), "U0DANA")
    slack.state.answers.clear()  # Slack takes no more answers there

    await slack.people._way.interaction(payload)
    first = await hears(slack, "U0DANA")
    slack.archive(message.channel)
    payload = slack.people._pressed(message, _button(message, "hold"), "U0LEE")
    slack.state.answers.clear()
    await slack.people._way.interaction(payload)
    second = await hears(slack, "U0LEE")

    assert "no further step" in first
    assert "That message is gone, so this comes here." in first
    assert "That channel is archived, so this comes here." in second
    assert slack.messages("D0DANA")
    assert slack.messages("D0LEE")
    assert (await asking.record()).people.held_by == "lee"


async def test_without_a_worker_what_can_wait_is_recorded_and_the_rest_is_said_not_to_be(
    slack, town: Town, asking: Story
):
    message, asked = root(slack, asking), await question(slack, asking)
    async with town.without(Queue.INCIDENTS):
        statuses = await asyncio.gather(
            slack.press(message.ts, "stop", user="U0ROBIN"),
            slack.press(asked.ts, "approve", user="U0DANA"),
        )
        recorded = await hears(slack, "U0ROBIN")
        unknown = await hears(slack, "U0DANA")

    assert statuses == [200, 200], "within the three seconds that Slack waits"
    assert "recorded, not yet confirmed" in recorded
    assert "no worker answered" in unknown
    record = await asking.until(lambda r: r.people.taken_over_by == "robin")
    assert asking.world.changes == [], told(record)


async def test_a_marked_message_in_the_thread_is_noted_once_by_who_wrote_it(slack, asking: Story):
    message = root(slack, asking)

    said = "NOTE: restarted the &lt;old&gt; router, see <https://wiki.example/r|the wiki>"
    noted = await slack.say(said, thread_ts=message.ts, user="U0ROBIN", event="Ev1")
    [written] = [each for each in slack.messages() if each.text == said]
    await slack.people.say(written, event="Ev1")
    await slack.people.say(written, event="Ev2")

    assert noted.status == 200
    record = await asking.record()
    notes = [(entry.by, entry.text) for entry in record.timeline if entry.kind == "note"]
    assert notes == [("robin", "restarted the <old> router, see https://wiki.example/r")]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("we noted that", {}, id="no marker"),
        pytest.param("note: by a bot", {"bot_id": "B0OTHER"}, id="a bot"),
        pytest.param("note: changed", {"subtype": "message_changed"}, id="a change"),
        pytest.param("note: nobody", {"user": ""}, id="nobody"),
        pytest.param("note: elsewhere", {"thread_ts": "1.5"}, id="another thread"),
        pytest.param("note: in the channel", {"thread_ts": ""}, id="no thread"),
    ],
)
async def test_what_is_not_meant_for_the_timeline_does_not_get_there(
    slack, asking: Story, text, fields
):
    message = root(slack, asking)
    written = post(slack, (), Target("x", "y"), thread=message.ts)
    written.user, written.text = "U0ROBIN", text
    other = post(slack, (), Target("x", "y"))
    other.ts, other.metadata = "1.5", None

    answered = await slack.people.say(written, fields=fields)

    assert answered.status == 200
    assert not [e for e in (await asking.record()).timeline if e.kind == "note"]
    assert slack.state.told("U0ROBIN") == []


async def test_a_note_under_a_deleted_message_says_how_else_to_write_it(slack, asking: Story):
    message = root(slack, asking)
    slack.delete(message.ts)

    answered = await slack.say("note: lost", thread_ts=message.ts, user="U0ROBIN")

    assert answered.taken
    assert "Write `/incident note ID TEXT`" in await hears(slack, "U0ROBIN")


async def test_a_note_that_could_not_be_looked_up_comes_again_and_is_then_told(
    slack, asking: Story
):
    from deploy.gameday.standins.faults import outage

    message = root(slack, asking)
    slack.fail(outage(method="conversations.replies", times=2))
    assert (await slack.say("note: third time", thread_ts=message.ts, user="U0ROBIN")).taken

    slack.fail(outage(method="conversations.replies", times=9))
    await slack.say("note: never", thread_ts=message.ts, user="U0ROBIN")

    assert "Not recorded as far as is known" in await hears(slack, "U0ROBIN")
    notes = [e.text for e in (await asking.record()).timeline if e.kind == "note"]
    assert notes == ["third time"]


async def test_the_command_acts_on_the_incident_that_it_names(slack, asking: Story):
    answered = await slack.command(f"ack {asking.id}", user="U0ROBIN")
    assert "acknowledged; it holds for" in answered.body["text"]
    assert answered.body["response_type"] == "ephemeral"

    noted = await slack.command(f"note {asking.id} saw &lt;it&gt; too", user="U0ROBIN")
    assert "noted" in noted.body["text"]
    hold = await slack.command(f"hold {asking.id} 25", user="U0ROBIN")
    assert "no further step for 25 minutes" in hold.body["text"]
    refused = await slack.command(f"approve {asking.id}", user="U0ROBIN")
    assert "robin may not decide" in refused.body["text"]
    rejected = await slack.command(f"reject {asking.id} not at night", user="U0DANA")
    assert "rejected: scale to 5" in rejected.body["text"]

    record = await asking.until(lambda r: bool(r.questions))
    texts = [(entry.by, entry.text) for entry in record.timeline]
    assert ("robin", "saw <it> too") in texts
    assert ("dana", "rejected (not at night): scale to 5") in texts


async def test_the_command_shows_one_and_lists_all(slack, asking: Story):
    shown = (await slack.command(f"show {asking.id}", user="U0ROBIN")).body
    assert shown["text"].startswith(asking.id)
    assert any(block["type"] == "header" for block in shown["blocks"])
    assert not any(block["type"] == "actions" for block in shown["blocks"])

    async def listed():
        return (await slack.command("list", user="U0ROBIN")).body["text"]

    while asking.id not in (said := await listed()):
        await asyncio.sleep(0.05)  # the list follows a moment later
    assert "critical, waiting for approval, opened" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "/incident take-over", id="nothing is help"),
        pytest.param("help", "/incident take-over", id="help"),
        pytest.param("launch", "There is no `launch`", id="no such thing"),
        pytest.param("ack Nothing-of-that-name-00000000", "Not done: No incident's id begins",
                     id="no such incident"),
        pytest.param("hold {id} soon", "'soon' is not a number of minutes", id="no number"),
        pytest.param("resolve {id}", "resolving needs a reason", id="no reason"),
        pytest.param("ack {id} please", "'please' is more than `acknowledge` takes", id="too much"),
    ],
)  # fmt: skip
async def test_a_command_that_cannot_be_done_says_why(slack, asking: Story, text, said):
    answered = await slack.command(text.format(id=asking.id), user="U0ROBIN")

    assert said in answered.body["text"]
    assert not (await asking.record()).people.acknowledged_by


async def test_an_environment_is_frozen_and_goes_on_from_slack(slack, asking: Story):
    """Every environment that is known: nobody knows their names at night."""
    refused = await slack.command("freeze", user="U0DANA")
    assert "freezing needs a reason" in refused.body["text"]
    stranger = await slack.command("freeze it burns", user="U0STRANGER")
    assert "not known here" in stranger.body["text"]

    frozen = await slack.command("freeze it burns", user="U0DANA")
    try:
        assert "test: " in frozen.body["text"], frozen.body
        record = await asking.until(lambda r: r.people.frozen)
        assert "it burns" in record.people.freezes.said
    finally:
        thawed = await slack.command("unfreeze it was rain", user="U0DANA")
    assert "not done" not in thawed.body["text"]
    await asking.until(lambda r: not r.people.frozen)
