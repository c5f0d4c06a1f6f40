"""Who else hears of an incident: by severity, in words for that audience, once for each thing."""

import pytest

from activities.errors import Gone, NotConfigured, Refused, Unavailable
from activities.record import Phase
from activities.words import Severity
from tests.lifecycle.drills import SCALE, CriticalDrill, drill, scale
from tests.lifecycle.edge import Closed, page
from tests.lifecycle.world import QUICK, Story, Town, World, alert, later, library, told

AUDIENCES = {"engineering": Severity.WARNING, "product": Severity.CRITICAL}
HEARD = QUICK.model_copy(update={"audiences": AUDIENCES})


@pytest.fixture
def world(world: World) -> World:
    return with_channels(world)


def with_channels(world: World) -> World:
    world.answers["slack.announce"] = lambda order: {
        "channel_id": f"C0{order['channel'].upper()}",
        "ts": f"9.{world.count('slack.announce')}",
    }
    return world


def heard(world: World) -> list[tuple[str, str]]:
    """Role and title of everything that audiences were told, in order, a repeat once."""
    said: dict[str, tuple[str, str]] = {}
    for name, [order, *_] in world.calls:
        if name == "slack.announce":
            said[order["entry"]["key"]] = (order["channel"], order["entry"]["title"])
        elif name == "slack.post_entry" and order["entry"]["broadcast"]:
            role = order["channel_id"].removeprefix("C0").lower()
            said[order["entry"]["key"]] = (role, order["entry"]["title"])
    return list(said.values())


def texts(world: World, role: str) -> str:
    orders = [*world.orders("slack.announce"), *world.orders("slack.post_entry")]
    return "\n".join(
        part["text"]
        for order in orders
        if order.get("channel", "") == role or order.get("channel_id", "") == f"C0{role.upper()}"
        for part in order["entry"]["parts"]
    )


async def opened(town: Town, world: World, severity: str, *steps, policy=HEARD) -> Story:
    world.library = library(drill(*steps, kind=CriticalDrill), drill(*steps))
    name = "CriticalDrill" if severity == "critical" else "HighDrill"
    story = await town.fire(alert(name, severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase not in (Phase.OPENING, Phase.INVESTIGATING))
    return story


async def solved(story: Story) -> None:
    story.world.up = True
    await story.over()
    await story.ends()


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        pytest.param("critical", ["engineering", "product"], id="critical: both"),
        pytest.param("warning", ["engineering"], id="warning: engineering alone"),
        pytest.param("info", [], id="info: neither"),
    ],
)
async def test_each_audience_hears_from_its_severity_on_when_it_begins_and_when_it_is_over(
    town: Town, world: World, severity, expected
) -> None:
    world.cures = {SCALE: True}
    story = await opened(town, world, severity, scale())
    await solved(story)

    record = await story.record()
    assert sorted(role for role, _ in heard(world)) == sorted(2 * expected), told(record)
    assert [role for role, title in heard(world) if title.startswith("Over: ")] == expected
    assert world.count("slack.announce") == len(expected), "what follows stands in its thread"


async def test_engineers_read_what_was_done_and_others_what_it_means(
    town: Town, world: World
) -> None:
    world.cures = {SCALE: True}
    story = await opened(town, world, "critical", scale())
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await solved(story)

    engineers, others = texts(world, "engineering"), texts(world, "product")
    assert "Done: scale to 5 (undone since)" in engineers
    over = next(entry for entry in world.entries if "Over: recovered" in entry)
    assert "\nDone: scale to 5 (undone since)" in over
    assert "Status: " in engineers
    assert "\nActions: " in engineers
    assert "Impact: Nobody notices." in others
    assert "It lasted " in others
    for detail in ("scale to 5", "Actions", "looks True", "Report"):
        assert detail not in others


async def test_whoever_hears_of_critical_alone_hears_when_it_gets_critical(
    town: Town, world: World
) -> None:
    story = await opened(town, world, "warning")
    await story.until(lambda r: bool(heard(world)))
    assert [role for role, _ in heard(world)] == ["engineering"]
    worse = alert(
        "CriticalDrill", severity="critical", service=story.alert.service, fingerprint="b"
    )
    await story.notice(worse)

    record = await story.until(lambda r: len(heard(world)) == 3)

    assert sorted(heard(world)[1:]) == [
        ("engineering", f"CRITICAL: A drill for the worst ({story.alert.service})"),
        ("product", "CRITICAL: A drill for the worst"),
    ], told(record)


async def test_both_hear_when_users_are_kept_away_and_let_in_again(town: Town) -> None:
    world = Closed(town)
    with_channels(world)
    story = await opened(town, world, "critical", page())
    await story.until(lambda r: len(heard(world)) == 4)
    world.behind = True
    await solved(story)

    product = [title for role, title in heard(world) if role == "product"]
    assert product == [
        "CRITICAL: A drill for the worst",
        "OUTAGE: A drill for the worst",
        "Users are let in again. CRITICAL: A drill for the worst",
        "Over: A drill for the worst",
    ]
    assert "users see the maintenance page" in texts(world, "product")


async def test_what_comes_back_after_it_was_over_is_told_in_the_same_thread(
    town: Town, world: World
) -> None:
    story = await opened(town, world, "critical")
    await story.until(lambda r: len(heard(world)) == 2)
    await story.act("resolve", text="by hand")
    await story.until(lambda r: len(heard(world)) == 4)
    await story.notice(later(story.alert, minutes=5))

    record = await story.until(lambda r: len(heard(world)) == 6)

    assert heard(world)[-1][1].startswith("It is back. CRITICAL: "), told(record)
    assert world.count("slack.announce") == 2


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(Refused("not_in_channel"), id="the bot is not in the channel"),
        pytest.param(NotConfigured("Slack", "the channel"), id="no such channel is set"),
    ],
)
async def test_an_audience_that_cannot_be_told_holds_up_nobody(
    town: Town, world: World, refusal: Exception
) -> None:
    world.fails["slack.announce"] = lambda: refusal
    story = await opened(town, world, "critical")

    record = await story.until(lambda r: told(r).count("is not told") == 2)

    assert "Please take it from here: The drill has no more steps." in world.said, told(record)
    assert record.slack.off == ""
    assert world.count("slack.announce") == 2


async def test_a_deleted_first_message_is_posted_anew_and_slow_slack_is_told_once(
    town: Town, world: World
) -> None:
    world.fails["slack.announce"] = [Unavailable("slow"), Unavailable("slow")]
    story = await opened(town, world, "critical", policy=HEARD.model_copy(
        update={"audiences": {"engineering": Severity.WARNING}}
    ))  # fmt: skip
    await story.pass_time(seconds=30)
    assert len(heard(world)) == 1
    entries = world.answers["slack.post_entry"]

    def deleted(order):
        if order["channel_id"] == "C0ENGINEERING":
            raise Gone("the thread cannot take entries any more")
        return entries(order)

    world.answers["slack.post_entry"] = deleted
    await solved(story)

    assert world.orders("slack.announce")[-1]["entry"]["title"].startswith("Over: ")


async def test_without_the_setting_nobody_else_hears(town: Town, world: World) -> None:
    story = await opened(town, world, "critical", policy=QUICK)
    await solved(story)
    assert heard(world) == []
