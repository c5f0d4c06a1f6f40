"""The weekly summary: what would have been done, what people did, and to whom it is told."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from activities.errors import Refused
from activities.retold import Retold
from activities.week import MOST, Span, Week, gather
from activities.words import Mode, Severity
from starters.summarizing import SCHEDULE, keep_summaries
from tests.lifecycle.drills import drill, restart, scale
from tests.lifecycle.world import QUICK, Town, World, alert, library
from workers.settings import Settings
from workflows import week_words
from workflows.efforts import Queue
from workflows.weekly import Summarized, SummaryOrder, WeeklySummary

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OBSERVING = QUICK.model_copy(update={"modes": {"HighDrill": Mode.OBSERVE}})


@pytest.fixture
def somewhere() -> str:
    return f"env-{uuid.uuid4().hex[:8]}"


async def closed(town: Town, somewhere: str, *, policy=OBSERVING, note: str = "") -> str:
    """An incident that a person ended."""
    world = World(town)
    vars(world).update({"cures": {}, "library": library(drill(scale(), restart()))})
    story = await town.fire(
        alert("HighDrill", environment=somewhere, expression=""), policy=policy, world=world
    )
    await story.until(lambda r: r.next_action.startswith("watch") or r.phase.value == "verifying")
    if note:
        await story.act("note", text=note)
    await story.act("resolve", text="scaled by hand")
    await story.over()
    await asyncio.wait_for(story.handle.result(), 20)
    return story.id


async def seen(town: Town, somewhere: str, count: int) -> Week:
    """The week as Temporal lists it, which may take a moment."""
    for _ in range(200):
        now = datetime.now(UTC) + timedelta(seconds=1)
        span = Span(since=now - timedelta(days=7), until=now, environment=somewhere)
        week = await gather(town.env.client, span)
        if len(week.incidents) + week.unread >= count:
            return week
        await asyncio.sleep(0.05)
    raise AssertionError(f"only {week}")


async def summarized(town: Town, somewhere: str, world: World, **order) -> Summarized:
    name = f"weekly-{uuid.uuid4().hex[:8]}"
    town.worlds[name] = world
    await asyncio.sleep(1.0 - datetime.now(UTC).microsecond / 1e6)  # what closed in this second
    return await town.env.client.execute_workflow(
        WeeklySummary.run,
        SummaryOrder(environment=somewhere, **order),
        id=name,
        task_queue=Queue.INCIDENTS,
    )


@pytest.fixture
def world(town: Town) -> World:
    made = World(town)
    made.answers["slack.announce"] = lambda order: {"channel_id": "C1", "ts": "1.1"}
    made.answers["email.send"] = lambda order: {"message_id": "<1@x>", "said": "sent"}
    return made


async def test_what_would_have_been_done_stands_beside_what_people_did(
    town: Town, somewhere, world: World
) -> None:
    await closed(town, somewhere, note="added two instances")
    await closed(town, somewhere, policy=QUICK)
    await seen(town, somewhere, 2)

    told = await summarized(town, somewhere, world, to=("lead@example.com",))

    assert told.sent == ("#engineering", "lead@example.com")
    assert told.problems == ()
    [mail] = world.orders("email.send")
    assert "2 incidents from" in mail["subject"]
    assert "1 in which it would have done something and was not allowed to" in mail["body"]
    assert "would have: scale to 5 (reversible)" in mail["body"]
    assert "would have: restart redis (reversible)" in mail["body"]
    assert "people: dana: added two instances" in mail["body"]
    assert "did: scale to 5 (reversible): done" in mail["body"]
    [said] = world.orders("slack.announce")
    assert said["channel"] == "engineering"
    texts = [part["text"] for part in said["entry"]["parts"]]
    assert any("would have: scale to 5" in text and "people: dana" in text for text in texts)


async def test_a_channel_that_fails_keeps_nothing_from_the_other(
    town: Town, somewhere, world: World
) -> None:
    world.fails["slack.announce"] = lambda: Refused("channel_not_found")

    told = await summarized(town, somewhere, world, to=("lead@example.com",))

    assert told.sent == ("lead@example.com",)
    assert "#engineering: channel_not_found" in told.problems[0]
    assert "0 incidents" in told.said


async def test_what_was_terminated_is_counted_and_not_made_up(town: Town, somewhere) -> None:
    story = await town.fire(alert("HighDrill", environment=somewhere), policy=OBSERVING)
    await story.until(lambda r: r.told_at is not None)
    await story.handle.terminate("the server was cleaned")

    week = await seen(town, somewhere, 1)

    assert (week.incidents, week.unread) == ((), 1)


async def test_by_its_schedule_each_goes_on_where_the_last_ended(town: Town) -> None:
    settings = Settings(summary={"weekday": "mon", "at": "08:30", "channel": ""})
    client = town.env.client
    assert "every mon at 08:30" in await keep_summaries(client, settings)
    assert "every mon at 08:30" in await keep_summaries(client, settings)
    schedule = client.get_schedule_handle(SCHEDULE)
    described = await schedule.describe()
    [calendar] = described.schedule.spec.calendars
    assert [(r.start, r.end) for r in calendar.day_of_week] == [(1, 1)]
    assert described.info.next_action_times[0].strftime("%a %H:%M") == "Mon 08:30"

    spans = []
    for number in (1, 2):
        await schedule.trigger()
        for _ in range(400):
            actions = (await schedule.describe()).info.recent_actions
            if len(actions) == number:
                break
            await asyncio.sleep(0.05)
        started = actions[-1].action
        handle = client.get_workflow_handle(started.workflow_id, result_type=Summarized)
        told = await handle.result()
        history = await handle.fetch_history()
        [ask] = [
            e.activity_task_scheduled_event_attributes.input.payloads[0]
            for e in history.events
            if e.HasField("activity_task_scheduled_event_attributes")
        ]
        spans.append((Span.model_validate_json(ask.data), told.until))
        await asyncio.sleep(1.1)  # a schedule's ids, and spans, are told apart by the second

    assert spans[1][0].since == spans[0][1]
    off = await keep_summaries(client, Settings())
    assert "no weekly summary (RESPONDER_SUMMARY__WEEKDAY names its day)" in off
    assert "no weekly summary" in await keep_summaries(client, Settings())


def retold(number: int = 1, **more) -> Retold:
    given = {
        "alert": "HighLLMCost", "service": "api", "severity": Severity.WARNING,
        "opened_at": T0 + timedelta(minutes=number), "ended_at": T0 + timedelta(minutes=number + 9),
        "how": "recovered: below 50", **more,
    }  # fmt: skip
    return Retold(**given)


@pytest.mark.parametrize(
    ("incidents", "more", "says"),
    [
        ((), {}, ["0 incidents from Mon 16 Nov to Mon 23 Nov 2026"]),
        ((retold(),), {}, ["1 incident from", "0 of 1 paged", "open for 9 minutes"]),
        (
            (retold(would=("cheaper model",)),), {},
            ["in 1 of these nobody did anything either", "people: nothing that was written down"],
        ),
        (
            (retold(would=("cheaper model",), people=("dana: did it",)),), {},
            ["in 0 of these nobody", "would have: cheaper model", "people: dana: did it"],
        ),
        ((retold(),), {"unread": 2, "more": 7}, ["10 incidents", "2 of which only", "7 more are"]),
        ((retold(how="", ended_at=None),), {}, ["its end is not known"]),
    ],
    ids=[
        "a quiet week", "one that went by", "observed, and nobody came", "observed, and somebody",
        "some that cannot be read", "one without an end",
    ],
)  # fmt: skip
def test_its_words(incidents, more, says) -> None:
    week = Week(since=T0 - timedelta(days=7), until=T0, incidents=incidents, **more)

    for part in says:
        assert part in week_words.text(week)


def test_a_bad_week_is_told_by_what_can_be_learnt() -> None:
    many = [retold(number) for number in range(MOST)]
    many[150] = retold(150, would=("cheaper model",))
    week = Week(since=T0 - timedelta(days=7), until=T0, incidents=tuple(many))

    text = week_words.text(week)

    assert "would have: cheaper model" in text
    assert "and 160 more" in text
    assert len(text) < 10_000
