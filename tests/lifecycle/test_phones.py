"""Phones ring beside PagerDuty: once an occasion, and whatever becomes of it holds up nothing."""

import asyncio
from datetime import timedelta

import pytest

from activities.errors import NotConfigured, Refused, Unavailable
from activities.record import Phase
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told

PHONES = QUICK.model_copy(
    update={"phones": {"on-call": ("priya", "sam"), "engineering-lead": ("lee",)}}
)


@pytest.fixture
def expo(world: World) -> World:
    """A world where Expo takes pages, and has receipts for them."""
    world.library = library(drill())
    world.dead = set()
    world.lost = set()

    def page(order):
        phones = [name for name in order["phones"] if name not in world.dead]
        tickets = [{"phone": name, "id": f"{name}-{order['key']}"} for name in phones]
        dead = [name for name in order["phones"] if name in world.dead]
        return {"said": f"rings {', '.join(phones)}", "tickets": tickets, "dead": dead}

    def receipts(ask):
        names = [ticket["phone"] for ticket in ask["tickets"]]
        return {"said": f"received by {', '.join(names)}", "dead": [n for n in names if n in world.lost]}  # fmt: skip  # noqa: E501

    world.answers |= {"expo.page": page, "expo.receipts": receipts}
    return world


async def start(town: Town, world: World, policy=PHONES, severity="critical") -> Story:
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    return story


def rung(world: World) -> list[tuple[str, ...]]:
    """The phones of each occasion, however often it was tried."""
    return list({o["key"]: tuple(o["phones"]) for o in world.orders("expo.page")}.values())


async def test_a_page_of_high_urgency_rings_the_phones_of_its_level_once(
    town: Town, expo: World
) -> None:
    story = await start(town, expo)
    await story.until(lambda r: len(r.phone_receipts) >= 2)
    assert [pair for pair in expo.pages if pair[1] == "high"]
    assert len(rung(expo)) == len(expo.pages)
    order = expo.orders("expo.page")[0]
    assert order["phones"] == ["priya", "sam"]
    assert order["incident"] == story.id
    assert order["key"].startswith(f"{story.id}/{story.handle.first_execution_run_id}/phone-")
    assert "HighDrill" in order["title"]


async def test_the_next_level_rings_too_and_an_acknowledgement_ends_it(
    town: Town, expo: World
) -> None:
    story = await start(town, expo)
    await story.pass_time(minutes=16)
    assert ("lee",) in rung(expo)
    before = len(rung(expo))
    await story.act("acknowledge")
    await story.pass_time(minutes=20)
    assert len(rung(expo)) == before


async def test_a_page_of_low_urgency_rings_nobody(town: Town, expo: World) -> None:
    story = await start(town, expo, severity="warning")
    record = await story.pass_time(seconds=30)
    assert all(urgency == "low" for _, urgency in expo.pages[:1])
    assert rung(expo) == [("priya", "sam")] * sum(u == "high" for _, u in expo.pages)
    assert record.phones.unsent == []


async def test_without_phones_in_the_policy_nothing_is_asked_of_expo(
    town: Town, expo: World
) -> None:
    story = await start(town, expo, policy=QUICK)
    record = await story.pass_time(minutes=40)
    assert rung(expo) == []
    assert record.phones.sent == 0
    assert record.phone_receipts == []


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(lambda: Unavailable("no answer"), id="down"),
        pytest.param(lambda: Refused("the access token is refused"), id="refused"),
        pytest.param(lambda: RuntimeError("a bug"), id="a bug in the adapter"),
        pytest.param(lambda: NotConfigured("Expo", "a phone"), id="not set up"),
    ],
)
async def test_an_expo_that_fails_holds_up_no_page_and_no_end(
    town: Town, expo: World, failing
) -> None:
    expo.fails["expo.page"] = failing
    story = await start(town, expo)
    await story.pass_time(minutes=20)
    assert ("engineering-lead", "high") in expo.pages
    await story.act("resolve", text="done")
    await story.over()
    assert (await story.ends()).how == "resolved by a person"


async def test_an_expo_that_hangs_delays_no_page(town: Town, expo: World) -> None:
    expo.slow["expo.page"] = asyncio.Event()
    story = await start(town, expo)
    await story.until(lambda r: r.paged_at is not None)
    assert expo.pages
    assert (await story.record()).phones.sent == 0


async def test_a_page_too_late_to_be_of_use_rings_nobody(town: Town, expo: World) -> None:
    expo.fails["expo.page"] = lambda: Unavailable("no answer")
    story = await start(town, expo)
    first = expo.orders("expo.page")[0]["key"]
    record = await story.pass_time(minutes=35)
    assert first not in {message.key for message in record.phones.unsent}
    assert "the phones of on-call do not ring" in told(record)
    expo.calls.clear()
    await story.pass_time(minutes=20)
    assert first not in {order["key"] for order in expo.orders("expo.page")}


async def test_a_phone_without_the_app_is_said_and_not_rung_again(town: Town, expo: World) -> None:
    expo.dead.add("priya")
    story = await start(town, expo)
    await story.until(lambda r: "priya" in r.dead_phones)
    expo.calls.clear()
    await story.act("escalate")
    record = await story.pass_time(minutes=1)
    assert record.dead_phones == ["priya"]
    finding = "the phone of priya has the app no more: take it off the list of phones"
    assert record.findings.count(finding) == 1
    assert finding in expo.said or finding in told(record)
    assert all("priya" not in phones for phones in rung(expo))


async def test_a_quarter_of_an_hour_later_receipts_are_asked_for(town: Town, expo: World) -> None:
    expo.lost.add("sam")
    story = await start(town, expo)
    await story.act("acknowledge")
    await story.pass_time(minutes=14)
    assert expo.count("expo.receipts") == 0
    record = await story.pass_time(minutes=3)
    assert expo.count("expo.receipts") >= 1
    assert record.dead_phones == ["sam"]
    assert "received by priya, sam" in told(record)


async def test_receipts_of_an_incident_that_ends_before_are_asked_for_after_it(
    town: Town, expo: World
) -> None:
    story = await start(town, expo, severity="critical")
    await story.until(lambda r: bool(r.phone_receipts))
    await story.act("resolve", text="done")
    await story.over()
    assert (await story.ends()).how == "resolved by a person"
    assert expo.count("expo.receipts") == 0
    record = await story.record()
    after = town.env.client.get_workflow_handle(f"{story.id}/after/{record.run}-1")
    await town.env.fast_forward(after, timedelta(minutes=20))
    asked = [ticket["id"] for ask in expo.orders("expo.receipts") for ticket in ask["tickets"]]
    assert len(asked) == len(set(asked)) == 2 * len(rung(expo))


async def test_receipts_that_cannot_be_had_end_nothing(town: Town, expo: World) -> None:
    expo.fails["expo.receipts"] = lambda: Refused("no")
    story = await start(town, expo)
    await story.act("acknowledge")
    record = await story.pass_time(minutes=20)
    assert "whether phones received their pages: no" in told(record)
    assert record.phase is Phase.WATCHING


async def test_it_goes_on_over_a_continue_as_new(town: Town, expo: World) -> None:
    short = PHONES.model_copy(update={"run_events": 200})
    story = await start(town, expo, policy=short)
    await story.act("acknowledge")
    for number in range(30):
        await story.act("note", text=f"note {number}")
    record = await story.pass_time(hours=2)
    asked = [ticket["id"] for ask in expo.orders("expo.receipts") for ticket in ask["tickets"]]
    still = [each.id for each in record.phone_receipts]
    assert len(asked) == len(set(asked)) > 0, "each receipt is asked for once"
    assert len(asked) + len(still) == sum(len(phones) for phones in rung(expo))
    assert len(rung(expo)) == expo.count("expo.page"), "each rings once"
    runs = [r async for r in town.env.client.list_workflows(f"WorkflowId = '{story.id}'")]
    assert len(runs) > 1
