"""A channel of the incident's own: wanted by a setting, and never in the way of the response."""

import pytest

from activities.errors import Gone, Refused, Unavailable
from activities.record import Phase
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told

OWN = QUICK.model_copy(update={"own_channel": True})


@pytest.fixture
def world(world: World) -> World:
    world.answers["slack.open_channel"] = lambda order: {"channel_id": "C0OWN", "name": "inc-1"}
    world.answers["slack.announce"] = lambda order: {"channel_id": "C1", "ts": "9.1"}
    world.answers["slack.post_root"] = lambda order: {
        "channel_id": order["channel_id"] or "C1", "ts": f"1.{world.count('slack.post_root')}",
    }  # fmt: skip
    return world


async def start(town: Town, world: World) -> Story:
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity="critical"), policy=OWN, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING and bool(r.slack.ts))
    return story


async def test_root_and_thread_stand_in_it_and_all_are_told_where(town: Town, world: World) -> None:
    story = await start(town, world)

    await story.pass_time(seconds=30)

    [opened] = world.orders("slack.open_channel")
    record = await story.record()
    assert (opened["incident"], opened["run"]) == (story.id, record.run)
    assert opened["invite"] == ["S0ONCALL"]
    assert [order["channel_id"] for order in world.orders("slack.post_root")] == ["C0OWN"]
    assert {order["channel_id"] for order in world.orders("slack.post_entry")} == {"C0OWN"}
    [announced] = world.orders("slack.announce")
    assert announced["channel"] == "incidents"
    assert "Has a channel of its own: #inc-1" in str(announced)
    assert announced["entry"]["links"][0]["url"].endswith("channel=C0OWN")


@pytest.mark.parametrize(
    "fails",
    [
        pytest.param(Refused("restricted_action"), id="the bot may not open channels"),
        pytest.param(RuntimeError("a bug in the adapter"), id="a bug of ours"),
    ],
)
async def test_where_it_cannot_be_opened_the_incident_goes_where_all_go(
    town: Town, world: World, fails: Exception
) -> None:
    world.fails["slack.open_channel"] = [fails, Refused("restricted_action")]

    story = await start(town, world)

    record = await story.pass_time(seconds=30)
    assert "there is no channel of its own: restricted_action" in told(record)
    assert [order["channel_id"] for order in world.orders("slack.post_root")] == [""]
    assert world.count("slack.announce") == 0
    assert world.pages, "nobody waited for it"


async def test_slack_that_is_away_at_first_gets_both_when_it_is_back(
    town: Town, world: World
) -> None:
    world.fails["slack.open_channel"] = [Unavailable("no answer"), Unavailable("no answer")]

    story = await start(town, world)

    await story.pass_time(seconds=30)
    assert [order["channel_id"] for order in world.orders("slack.post_root")] == ["C0OWN"]
    assert world.count("slack.announce") == 1


async def test_once_it_is_archived_a_new_root_goes_where_all_go(town: Town, world: World) -> None:
    story = await start(town, world)
    await story.pass_time(seconds=10)
    post = world.answers["slack.post_root"]

    def archived(order):
        if order["channel_id"]:
            raise Refused("is_archived")
        return post(order)

    world.answers["slack.post_root"] = archived
    world.fails["slack.update_root"] = [Gone("is_archived")]
    await story.act("acknowledge")

    record = await story.pass_time(minutes=2)

    assert record.slack.channel_id == "C1", told(record)
    assert [o["channel_id"] for o in world.orders("slack.post_root")] == ["C0OWN", "C0OWN", ""]
    await story.act("note", text="where all see it")
    await story.pass_time(seconds=10)
    assert world.orders("slack.post_entry")[-1]["channel_id"] == "C1"
