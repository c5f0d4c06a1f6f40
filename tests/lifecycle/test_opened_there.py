"""What a person has opened in PagerDuty is paged there already; the rest goes as ever."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from activities.errors import Refused, Unavailable
from activities.pagerduty_there import OPENED_THERE, incident_of, key_of
from activities.record import Phase
from activities.words import Severity
from starters.opening import by_hand, open_once
from tests.lifecycle.test_page_events import MACHINE, PERSON, timeline
from tests.lifecycle.test_reaching import EVERYWAY, pursued
from tests.lifecycle.world import Story, Town, World, told
from workflows.incident import Incident
from workflows.page_events import PageEvent
from workflows.policy import Policy

_numbers = count(1)


class There:
    """PagerDuty's side of an incident that a person has opened there."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.key = key_of(story.id)
        self.since = datetime.now(UTC)
        self.count = 0

    async def happens(self, happening: str, *, second: float = 0, **more: Any) -> None:
        """Tell the incident of an event, as the door does."""
        self.count += 1
        handle = self.story.town.env.client.get_workflow_handle(self.story.id)
        at = self.since + timedelta(seconds=second or self.count)
        await handle.signal("page_event", event(self.key, happening, f"e{self.count}", at, **more))


def event(key: str, happening: str, name: str, at: datetime, **more: Any) -> PageEvent:
    return PageEvent(id=name, happening=happening, key=key, at=at, **more)


async def opened(
    town: Town,
    world: World,
    severity: Severity = Severity.CRITICAL,
    policy: Policy = EVERYWAY,
    *,
    heard: str = "",
    ago: timedelta = timedelta(),
) -> There:
    """Open one as the door does, with what was *heard* of it before."""
    name = incident_of(f"QHAND{next(_numbers)}")
    town.worlds[name] = world
    at = datetime.now(UTC) - ago
    first = by_hand(OPENED_THERE, "api", severity, "test", why="it is slow", who="dana", at=at)
    early = event(key_of(name), heard, "early", at, **PERSON) if heard else None
    await open_once(
        town.env.client, name, first, policy, environment="test", seconds=10, heard=early
    )
    story = Story(town, town.env.client.get_workflow_handle_for(Incident.run, name), first)
    town.stories.append(story)
    if heard != "resolved":
        await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    return There(story)


async def test_nobody_is_paged_twice_and_silence_goes_the_next_way_and_up_the_chain(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside)
    record = await there.story.pass_time(minutes=29)

    assert outside.pages == [("engineering-lead", "high")], "on-call has its page already"
    assert pursued(record) == [
        (5, "on-call has not acknowledged: called by e-mail"),
        (10, "on-call has not acknowledged: called by Slack"),
        (20, "engineering-lead has not acknowledged: called by e-mail"),
    ], told(record)
    levels = [order["level"] for order in outside.orders("expo.page")]
    assert levels == ["on-call", "engineering-lead"], "phones ring with the page, once"
    assert record.paged_at == record.told_at


async def test_a_warning_gets_loud_as_ever(town: Town, outside: World) -> None:
    there = await opened(town, outside, Severity.WARNING)
    await there.story.pass_time(minutes=44)
    assert outside.pages == []
    assert outside.count("expo.page") == 0
    await there.story.pass_time(minutes=2)
    assert outside.pages == [("on-call", "high")]


async def test_who_had_acknowledged_before_it_was_opened_here_has_it(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside, heard="acknowledged")
    record = await there.story.pass_time(minutes=20)
    assert record.people.acknowledged_by == "dana"
    assert outside.pages == []
    assert outside.count("expo.page") == 0, "no phone rings for what somebody has"
    assert outside.count("pagerduty.acknowledge") == 0, "it is not told what it has told us"


async def test_what_was_resolved_before_it_was_opened_here_is_over(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside, heard="resolved")
    closed = await there.story.ends()
    assert (closed.by, closed.reason) == ("dana", "resolved in PagerDuty by dana")
    assert outside.pages == []
    assert outside.count("expo.page") == 0


async def test_an_acknowledgement_here_is_told_there_in_that_persons_name(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside)
    await there.story.act("acknowledge", "lee")
    await there.story.pass_time(seconds=5)
    [order] = outside.orders("pagerduty.acknowledge")
    assert (order["dedup_key"], order["by"]) == (there.key, "lee")

    # Our own word comes back in the name of a user, whoever that is.
    await there.happens("acknowledged", **PERSON)
    record = await there.story.pass_time(seconds=5)
    assert record.people.acknowledged_by == "lee"
    await there.happens("acknowledged", **PERSON)
    await there.story.until(lambda r: r.people.acknowledged_by == "dana")

    await there.happens("unacknowledged", second=3600, **MACHINE)
    await there.story.until(lambda r: not r.people.acknowledged_by)
    await there.happens("acknowledged", second=3700, **{**PERSON, "by": "robin"})
    await there.story.until(lambda r: r.people.acknowledged_by == "robin")


async def test_it_ends_with_a_persons_word_for_there_is_no_alert_that_could(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside)
    await there.story.act("resolve", "lee", text="the router was off")
    closed = await there.story.ends()
    assert closed.by == "lee"
    [order] = outside.orders("pagerduty.resolve")
    assert (order["dedup_key"], order["by"]) == (there.key, "lee")


async def test_whoever_resolves_it_there_ends_it_and_every_page_of_it(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside)
    await there.story.pass_time(minutes=16)
    await there.happens("resolved", second=1000, **PERSON)
    closed = await there.story.ends()
    assert (closed.by, closed.reason) == ("dana", "resolved in PagerDuty by dana")
    closed_pages = {order["dedup_key"] for order in outside.orders("pagerduty.resolve")}
    assert closed_pages == {order["dedup_key"] for order in outside.orders("pagerduty.page")}


async def test_a_page_that_nobody_may_close_is_paged_anew_while_nobody_has_it(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside)
    await there.happens("resolved")
    await there.story.pass_time(seconds=30)
    assert outside.pages == [("on-call", "high")]


async def test_what_is_told_late_still_wakes_and_calls_up_the_chain(
    town: Town, outside: World
) -> None:
    there = await opened(town, outside, ago=timedelta(hours=5))
    await there.story.pass_time(minutes=16)
    assert ("engineering-lead", "high") in outside.pages


@pytest.mark.parametrize("kind", ["acknowledge", "resolve"])
async def test_a_missing_right_is_one_line_and_one_word_in_slack(
    town: Town, outside: World, kind
) -> None:
    outside.fails[f"pagerduty.{kind}"] = lambda: Refused("PagerDuty answered 403: set the key")
    there = await opened(town, outside)
    await there.story.act(kind, text="done")
    record = await there.story.pass_time(minutes=3)
    said = [text for text in timeline(record, "problem") if "403" in text]
    assert len(said) == 1, told(record)
    assert outside.count(f"pagerduty.{kind}") == 1
    assert outside.said.count(f"please {kind} it there by hand") == 1
    if kind == "acknowledge":
        await there.happens("acknowledged", **{**PERSON, "by": "robin"})
        await there.story.until(lambda r: r.people.acknowledged_by == "robin")


async def test_a_missing_right_holds_up_no_page(town: Town, outside: World) -> None:
    outside.fails["pagerduty.acknowledge"] = lambda: Refused("PagerDuty answered 403")
    there = await opened(town, outside)
    await there.story.act("acknowledge")
    await there.story.act("escalate")
    await there.story.until(lambda r: len(r.paged) == 2)
    assert outside.pages == [("engineering-lead", "high")]


async def test_what_could_not_be_told_for_a_while_is_told_later(town: Town, outside: World) -> None:
    outside.fails["pagerduty.acknowledge"] = [Unavailable("PagerDuty answered 503")] * 3
    there = await opened(town, outside)
    await there.story.act("acknowledge")
    record = await there.story.pass_time(minutes=3)
    assert outside.count("pagerduty.acknowledge") == 4
    assert not record.pagerduty.unsent


async def test_it_is_the_same_page_in_a_later_run(town: Town, outside: World) -> None:
    quick = EVERYWAY.model_copy(update={"run_events": 200, "quiet_seconds": 60.0})
    there = await opened(town, outside, policy=quick)
    await there.story.act("acknowledge", "lee")
    await there.story.pass_time(hours=3)
    handle = town.env.client.get_workflow_handle(there.story.id)
    assert (await handle.describe()).run_id != there.story.handle.first_execution_run_id

    await there.happens("resolved", second=4 * 3600, **PERSON)
    record = await there.story.until(lambda r: r.resolution is not None)
    assert record.resolution.by == "dana"
