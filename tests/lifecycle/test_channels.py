"""What people are told when the way to them is down, blocked, or not there at all."""

import asyncio

import pytest

from activities.errors import Gone, NotConfigured, Refused, Unavailable
from activities.record import Phase
from tests.lifecycle.drills import ASKS, drill, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told


def down() -> BaseException:
    return Unavailable("no answer")


SLACK = ("slack.post_root", "slack.update_root", "slack.post_entry", "slack.post_chart")


async def start(town: Town, world: World, policy=QUICK, severity="critical") -> Story:
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    return story


async def test_slack_is_down_for_hours_and_then_gets_one_root_and_the_entries_in_order(
    town: Town, world: World
) -> None:
    for name in SLACK:
        world.fails[name] = down
    story = await start(town, world)
    for number in range(1, 4):
        await story.act("note", text=f"note {number}")
        await story.pass_time(minutes=40)
    assert world.entries == []
    assert len(world.pages) >= 2, "the pages did not wait for Slack"
    for name in SLACK:
        del world.fails[name]
    world.calls.clear()

    record = await story.pass_time(minutes=15)

    assert world.count("slack.post_root") == 1
    assert world.orders("slack.post_root")[0]["read_back"], "an earlier one may have arrived"
    said = world.said
    assert said.index("note 1") < said.index("note 2") < said.index("note 3")
    assert said.count("Update: ") <= 2, "promised updates do not pile up"
    assert "Slack takes our messages again" in told(record)


async def test_what_slack_has_not_taken_at_the_end_is_delivered_after_it(
    town: Town, world: World
) -> None:
    story = await start(town, world, severity="warning")
    await story.pass_time(seconds=10)
    for name in SLACK:
        world.fails[name] = down
    await story.act("resolve", text="done")
    await story.over()

    assert (await story.ends()).how == "resolved by a person"
    assert "Over:" not in world.said or world.entries
    record = await story.record()
    assert record.aftermaths == 1
    for name in SLACK:
        del world.fails[name]
    world.calls.clear()
    after = town.env.client.get_workflow_handle(f"{story.id}/after/{record.run}-1")
    await town.env.fast_forward(after)

    assert await after.result() == []
    assert "Over: resolved by a person. done" in world.said
    assert world.root["over"]


async def test_a_deleted_root_is_replaced_once(town: Town, world: World) -> None:
    story = await start(town, world)
    await story.pass_time(seconds=10)
    world.fails["slack.update_root"] = [Gone("message_not_found")]
    await story.act("note", text="first")
    await story.act("acknowledge")
    await story.pass_time(seconds=20)
    assert world.count("slack.post_root") == 2
    keys = [order["glance"]["key"] for order in world.orders("slack.post_root")]
    assert len(set(keys)) == 2
    await story.act("note", text="in the new thread")
    await story.pass_time(seconds=20)
    assert world.orders("slack.post_entry")[-1]["thread_ts"] == "1.2"

    world.fails["slack.update_root"] = [Gone("channel is archived")]
    await story.act("hold")
    record = await story.pass_time(minutes=20)

    assert world.count("slack.post_root") == 2
    assert "Nothing more is posted" in told(record)
    assert record.slack.unsent == []


async def test_an_entry_that_slack_refuses_gives_way_to_the_next(town: Town, world: World) -> None:
    story = await start(town, world)
    await story.pass_time(seconds=10)
    refuse = world.answers["slack.post_entry"]

    def picky(order):
        if "poison" in str(order):
            raise Refused("invalid_blocks")
        return refuse(order)

    world.answers["slack.post_entry"] = picky
    await story.act("note", text="poison")
    await asyncio.sleep(0.1)
    await story.pass_time(minutes=2)
    await story.act("note", text="afterwards")

    record = await story.pass_time(hours=2)

    assert "Slack refuses one message (entry): invalid_blocks" in told(record)
    assert "afterwards" in world.said


async def test_an_update_that_slack_refuses_does_not_hold_up_the_thread(
    town: Town, world: World
) -> None:
    story = await start(town, world)
    await story.pass_time(seconds=10)
    world.fails["slack.update_root"] = lambda: Refused("edit_window_closed")
    await story.act("acknowledge")
    await story.act("note", text="still here")

    await story.pass_time(minutes=1)

    assert "still here" in world.said


async def test_without_pagerduty_people_are_called_in_slack_and_the_clocks_run(
    town: Town, world: World
) -> None:
    world.fails["pagerduty.page"] = lambda: NotConfigured("PagerDuty", "a routing key")
    story = await town.fire(alert("Unheard", severity="critical"), world=world)
    await story.until(lambda r: r.told_at is not None and bool(r.pagerduty.off))

    record = await story.pass_time(minutes=31)

    mentioned = [order["entry"]["mention"] for order in world.orders("slack.post_entry")]
    assert "S0ONCALL" in mentioned
    assert "U0LEAD" in mentioned
    assert record.people.level == 2
    assert world.count("pagerduty.page") <= 3, "tried again at most every quarter of an hour"
    off = "PagerDuty is not configured: set a routing key. Nothing is sent there."
    assert told(record).count(off) == 1, "said once"


async def test_without_slack_pages_go_out_and_it_ends(town: Town, world: World) -> None:
    for name in SLACK:
        world.fails[name] = lambda: NotConfigured("Slack", "its bot token")
    story = await start(town, world, severity="warning")
    await story.act("resolve", text="done")
    await story.over()

    assert (await story.ends()).how == "resolved by a person"
    record = await story.record()
    assert record.slack.unsent == []
    assert record.aftermaths == 0, "nothing is left to be delivered"
    assert world.count("slack.post_root") == 1


async def test_a_page_that_is_refused_gives_way_to_the_next_level(town: Town, world: World) -> None:
    page = world.answers["pagerduty.page"]

    def wrong_key(order):
        if order["level"] == "on-call":
            raise Refused("Event object is invalid")
        return page(order)

    world.answers["pagerduty.page"] = wrong_key
    story = await town.fire(alert("Unheard", severity="critical"), world=world)
    await story.until(lambda r: r.told_at is not None)

    record = await story.pass_time(minutes=20)

    taken = [order["level"] for order in world.orders("pagerduty.page")]
    assert "engineering-lead" in taken, told(record)
    assert "on-call could not be paged, please call" in world.said


async def test_pages_that_were_on_their_way_when_it_ended_wake_nobody(
    town: Town, world: World
) -> None:
    world.fails["pagerduty.page"] = down
    story = await start(town, world)
    await story.act("acknowledge")
    await story.act("resolve", text="over before PagerDuty was back")
    await story.until(lambda r: r.phase is Phase.RESOLVED)
    del world.fails["pagerduty.page"]
    world.calls.clear()
    await story.over()

    await story.ends()

    assert world.count("pagerduty.page") <= 1, "the one that was in flight"
    assert world.count("pagerduty.acknowledge") == 0
    assert world.count("pagerduty.resolve") >= 1, "what may have got through is closed"


async def test_a_page_on_its_way_is_acknowledged_when_it_has_arrived(
    town: Town, world: World
) -> None:
    world.slow["pagerduty.page"] = asyncio.Event()
    story = await town.fire(alert("Unheard", severity="critical"), world=world)
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")
    world.slow["pagerduty.page"].set()

    await story.until(lambda r: not r.pagerduty.unsent)

    [page], [followed] = world.orders("pagerduty.page"), world.orders("pagerduty.acknowledge")
    assert page["dedup_key"] == followed["dedup_key"]


async def test_nothing_is_said_twice_when_an_answer_was_lost(town: Town, world: World) -> None:
    world.fails["slack.post_entry"] = [RuntimeError("crashed after sending")]
    story = await start(town, world)

    await story.pass_time(minutes=1)

    keys = [order["entry"]["key"] for order in world.orders("slack.post_entry")]
    assert keys[0] == keys[1], "the same key, by which the far side is asked first"


async def test_hostile_labels_reach_slack_and_the_page_as_words_alone(
    town: Town, world: World
) -> None:
    hostile = alert(
        "HighDrill",
        severity="critical",
        service="a`b|c",
        instance="<script>alert(1)</script> [click](http://evil) ![x](y)\n# heading",
        annotations={"description": "x" * 5000},
    )
    world.library = library(drill(scale(asks=ASKS)))
    story = await town.fire(hostile, world=world)
    await story.until(lambda r: r.question is not None and bool(r.slack.ts))

    await story.act("note", text="<b>[bold](http://evil)</b>\n# `code`")

    shown = await story.handle.query("__temporal_workflow_metadata")
    page = str(shown)
    assert "<script>" not in page
    assert "[click](" not in page
    assert "[bold](" not in page


@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_what_is_owed_after_an_incident_is_asked_for_until_it_is_done(
    town: Town, world: World, severity: str
) -> None:
    story = await start(town, world, severity=severity)
    await story.act("resolve", text="done")
    await story.over()
    await story.ends()

    record = await story.record()
    assert record.aftermaths == (1 if severity == "critical" else 0)
