"""Expo is down: what is queued is sent as the undo of the queueing, and so after the settling."""

import pytest

from activities.errors import Unavailable
from activities.push_drain import Stopped
from activities.record import Phase, StepState
from tests.lifecycle.world import QUICK, Story, Town, World, alert, told

QUEUE, EMAIL = "push.queue_on", "push.email_urgent"
WAITING = {"waiting": 40, "urgent": 3, "expired": 0, "unknown": 0}


@pytest.fixture
def expo(world: World) -> World:
    """A world where Expo is down from both sides, and queueing works."""
    usual = world.answers["prometheus.value"]

    def value(ask):
        if "expo_push_up" in ask["expression"]:
            return {**usual(ask), "value": float(bool(world.up))}
        return usual(ask)

    world.answers |= {
        "prometheus.value": value,
        "expo.look": lambda ask: {
            "answers": bool(world.up),
            "sends": world.up,
            "finding": "" if world.up else "down",
            "milliseconds": 1.0,
        },
        "push.queue": lambda ask: WAITING,
        f"{QUEUE}.read": lambda order: {"values": {"push notifications queued": "false"}},
        QUEUE: lambda order, before: {"said": "set: push notifications queued = true"},
        f"{QUEUE}.undo": lambda order, before: {"said": "sent 40 queued notifications"},
        f"{EMAIL}.read": lambda order: WAITING,
        EMAIL: lambda order, before: {"said": "e-mailed 3 urgent notifications"},
    }
    return world


def done(world: World) -> list[str]:
    return [name for name, _ in world.calls if name in (QUEUE, EMAIL, f"{QUEUE}.undo")]


async def waits(town: Town, world: World) -> Story:
    """An incident whose ladder has run out, and Expo still down."""
    story = await town.fire(alert("ExpoPushServiceDown"), policy=QUICK, world=world)
    for _ in range(40):
        record = await story.pass_time(seconds=10)
        if record.phase is Phase.WATCHING:
            return story
    raise AssertionError(told(record))


async def test_it_queues_then_emails_then_waits_and_sends_what_waited_once_it_is_well(
    town: Town, expo: World
) -> None:
    story = await waits(town, expo)
    assert done(expo) == [QUEUE, EMAIL]
    assert "What is queued is sent once it has been well" in (await story.record()).when_out
    await story.pass_time(hours=3)
    assert done(expo) == [QUEUE, EMAIL], "nothing is sent while it is down"
    expo.up = True
    await story.over()

    closed = await story.ends()

    assert closed.how == "recovered"
    assert done(expo) == [QUEUE, EMAIL, f"{QUEUE}.undo"]
    record = await story.record()
    settled = next(e.at for e in record.timeline if e.text.startswith("Settling: recovered"))
    sent = next(e.at for e in record.timeline if "sent 40 queued" in e.text)
    assert sent >= settled


async def test_a_drain_that_fails_leaves_the_queueing_in_place_and_comes_again(
    town: Town, expo: World
) -> None:
    expo.fails[f"{QUEUE}.undo"] = [Unavailable("Expo answered 503")] * 6
    story = await waits(town, expo)
    expo.up = True
    await story.over()
    closed = await story.ends()
    record = await story.record()
    assert closed.how == "recovered"
    assert record.steps[0].undo_tries == 1
    assert "could not be undone" in told(record)
    assert record.steps[0].state is StepState.UNDONE


async def test_a_drain_that_is_stopped_is_not_taken_for_an_undo(town: Town, expo: World) -> None:
    expo.fails[f"{QUEUE}.undo"] = lambda: Stopped("the app's push credentials are refused")
    story = await waits(town, expo)
    expo.up = True
    await story.over()
    record = await story.pass_time(hours=1)
    assert record.steps[0].in_place
    assert record.steps[0].left == "the app's push credentials are refused"
    assert record.resolution is None, "people are asked, and what waits is not forgotten"
    assert ("on-call", "high") in expo.pages


async def test_whoever_takes_over_decides_when_it_is_sent(town: Town, expo: World) -> None:
    story = await waits(town, expo)
    await story.act("take-over")
    expo.up = True
    await story.over()
    record = await story.pass_time(hours=1)
    assert done(expo) == [QUEUE, EMAIL]
    assert "Hand back and I undo what is in place" in record.asks
    await story.act("hand-back")
    await story.ends()
    assert done(expo)[-1] == f"{QUEUE}.undo"
