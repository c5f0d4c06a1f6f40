"""The lanes to people: what comes first, what is tried again, and what a bug must not stop."""

from datetime import UTC, datetime, timedelta

from activities.errors import NotConfigured, Refused, Throttled
from activities.outbox import Channel, Unsent
from activities.record import AlertState, Phase, Record
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.opening import Opening
from workflows.policy import Policy


async def begun(town: Town, world: World, policy: Policy = QUICK, **changes) -> Story:
    """An incident that goes on from a record which the test has written."""
    now = datetime.now(UTC)
    first = alert("HighDrill", severity="critical")
    name = f"HighDrill-{first.service}-0"
    town.worlds[name] = world
    world.library = library(drill())
    record = Record(
        id=name, run="first", indicator="Drill", service=first.service, opened_at=now,
        severity="critical",
        alerts={first.fingerprint: AlertState(alert=first, firing=True, first_seen=now)},
    )  # fmt: skip
    handle = await town.env.client.start_workflow(
        Incident.run,
        Opening(policy=policy, first=first, record=record.model_copy(update=changes)),
        id=name,
        task_queue=Queue.INCIDENTS,
    )
    story = Story(town, handle, first)
    town.stories.append(story)
    return story


def unsent(kind: str, number: int, **payload) -> Unsent:
    at = alert().starts_at
    return Unsent(key=f"key-{number}", kind=kind, payload=payload, queued_at=at)


async def test_a_bug_in_the_way_to_slack_stops_no_page_and_no_response(
    town: Town, world: World
) -> None:
    nonsense = unsent("chart", 1, written_by="another version")
    story = await begun(town, world, slack=Channel(unsent=[nonsense]))

    record = await story.pass_time(minutes=5)

    assert ("on-call", "high") in world.pages
    assert record.phase is Phase.WATCHING
    assert "a bug in the way to Slack: " in told(record)
    assert "a finding" in world.said, "what stood behind it has got through"
    assert ("on-call", "low") in world.pages, "somebody is told that messages may be missing"


async def test_a_bug_in_the_way_to_pagerduty_is_told_in_slack(town: Town, world: World) -> None:
    nonsense = unsent("page", 1, level="on-call", urgency="rather high", why="?")
    story = await begun(town, world, pagerduty=Channel(unsent=[nonsense]))

    await story.pass_time(minutes=5)

    assert "a bug in the way to PagerDuty: " in world.said
    assert ("on-call", "high") in world.pages


async def test_pages_go_before_what_follows_earlier_pages(town: Town, world: World) -> None:
    waiting = [
        unsent("resolve", 1, dedup_key="old", route="default"),
        unsent("page", 2, level="on-call", urgency="high", why="now"),
    ]
    story = await begun(town, world, pagerduty=Channel(unsent=waiting))

    await story.pass_time(seconds=20)

    went = [name for name, _ in world.calls if name.startswith("pagerduty.")]
    assert went[:2] == ["pagerduty.page"] * 2
    assert "pagerduty.resolve" in went


async def test_a_follow_up_that_is_refused_is_given_up_after_two_tries(
    town: Town, world: World
) -> None:
    world.fails["pagerduty.acknowledge"] = lambda: Refused("no such key")
    story = await town.fire(alert("Unheard"), world=world)
    await story.until(lambda r: bool(r.paged))
    await story.act("acknowledge")

    record = await story.pass_time(minutes=5)

    assert world.count("pagerduty.acknowledge") == 2, told(record)
    assert record.pagerduty.unsent == []


async def test_a_channel_that_is_not_set_up_is_tried_again_after_a_while(
    town: Town, world: World
) -> None:
    world.fails["pagerduty.page"] = lambda: NotConfigured("PagerDuty", "a routing key")
    story = await town.fire(alert("Unheard"), world=world)
    await story.until(lambda r: bool(r.pagerduty.off))
    del world.fails["pagerduty.page"]

    record = await story.pass_time(minutes=17)

    assert world.pages[-1] == ("engineering-lead", "high"), told(record)
    assert record.pagerduty.off == ""


async def test_who_asks_for_time_gets_it(town: Town, world: World) -> None:
    world.library = library(drill())
    asked = [Throttled("too many", wait=timedelta(minutes=4)) for _ in range(2)]
    world.fails["slack.post_root"] = asked
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: bool(r.paged))

    await story.pass_time(minutes=3)
    assert world.count("slack.post_root") == 1
    await story.pass_time(minutes=8)

    assert world.count("slack.post_root") == 3
