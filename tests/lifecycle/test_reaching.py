"""A page is meant to reach somebody: by the next way, and then the next level."""

import pytest

from activities.errors import NotConfigured, Refused, Unavailable
from activities.paging import Way
from activities.record import Phase
from tests.lifecycle.world import POLICY, Story, Town, World, alert, minutes, told
from workflows.policy import Policy

EVERYWAY = POLICY.model_copy(
    update={
        "phones": {"on-call": ("priya",), "engineering-lead": ("lee",)},
        "addresses": {
            "on-call": ("on-call@pravado.example",),
            "engineering-lead": ("lead@pravado.example",),
        },
    }
)


async def nobody_there(
    town: Town, world: World, severity: str = "critical", policy: Policy = EVERYWAY
) -> Story:
    story = await town.fire(alert("Unheard", severity=severity), world=world, policy=policy)
    await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    return story


def pursued(record) -> list[tuple[int, str]]:
    """Minute and words of every way that was taken after the first."""
    return [(at, text) for at, text in minutes(record, "escalation") if "called by" in text]


def once(orders: list[dict]) -> list[dict]:
    return list({order["key"]: order for order in orders}.values())


async def test_silence_takes_one_way_after_the_other_and_then_the_next_level(
    town: Town, outside: World
) -> None:
    story = await nobody_there(town, outside)
    record = await story.pass_time(minutes=29)

    assert [(level, urgency) for level, urgency in outside.pages] == [
        ("on-call", "high"),
        ("engineering-lead", "high"),
    ]
    assert pursued(record) == [
        (5, "on-call has not acknowledged: called by e-mail"),
        (10, "on-call has not acknowledged: called by Slack"),
        (20, "engineering-lead has not acknowledged: called by e-mail"),
    ], told(record)
    letters = once(outside.orders("email.send"))
    assert [order["to"] for order in letters] == [
        ["on-call@pravado.example"],
        ["lead@pravado.example"],
    ]
    assert letters[0]["subject"].startswith("[CRITICAL] Unheard on service-")
    assert f"responder ack {story.id}" in letters[0]["body"]
    assert len(once(outside.orders("expo.page"))) == 2, "phones ring with the page, once"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param((Way.SLACK, Way.EMAIL), ["Slack", "e-mail"], id="Slack first"),
        pytest.param((Way.EMAIL,), ["e-mail"], id="e-mail alone"),
        pytest.param((), [], id="no other way"),
    ],
)
async def test_the_order_is_a_setting(town: Town, outside: World, order, expected) -> None:
    chosen = EVERYWAY.model_copy(update={"reach_by": order, "reach_seconds": 120.0})
    story = await nobody_there(town, outside, policy=chosen)
    record = await story.pass_time(minutes=14)
    assert [text.rpartition(" ")[2] for _, text in pursued(record)] == expected
    assert [at for at, _ in pursued(record)] == [2 * (n + 1) for n in range(len(expected))]


@pytest.mark.parametrize("act", ["acknowledge", "take-over", "hold"])
async def test_whoever_is_there_ends_it(town: Town, outside: World, act) -> None:
    story = await nobody_there(town, outside)
    await story.pass_time(minutes=6)
    await story.act(act)
    record = await story.pass_time(minutes=20)
    assert len(pursued(record)) == 1
    assert record.clocks.reach_at is None
    assert record.paging.reaches == []


async def test_what_is_over_pursues_nobody(town: Town, outside: World) -> None:
    story = await nobody_there(town, outside)
    await story.act("resolve", text="done")
    record = await story.pass_time(minutes=30)
    assert pursued(record) == []
    assert outside.count("email.send") == 0


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(lambda: Unavailable("PagerDuty: no answer"), id="down"),
        pytest.param(lambda: Refused("the key is refused"), id="refused"),
        pytest.param(lambda: NotConfigured("PagerDuty", "a key"), id="not set up"),
        pytest.param(lambda: RuntimeError("a bug"), id="a bug in the adapter"),
    ],
)
async def test_a_page_that_is_not_taken_goes_the_next_way_long_before_the_next_level(
    town: Town, outside: World, failing
) -> None:
    outside.fails["pagerduty.page"] = failing
    no_phones = EVERYWAY.model_copy(update={"phones": {}})
    story = await town.fire(alert("Unheard"), world=outside, policy=no_phones)
    record = await story.pass_time(minutes=4)
    assert once(outside.orders("email.send")), told(record)
    assert record.people.level == 0


async def test_a_phone_that_rings_is_given_its_time_although_pagerduty_is_down(
    town: Town, outside: World
) -> None:
    outside.fails["pagerduty.page"] = lambda: Unavailable("no answer")
    story = await town.fire(alert("Unheard"), world=outside, policy=EVERYWAY)
    record = await story.pass_time(minutes=4)
    assert once(outside.orders("expo.page"))
    assert outside.count("email.send") == 0, told(record)
    record = await story.pass_time(minutes=4)
    assert once(outside.orders("email.send")), told(record)


async def test_who_cannot_be_reached_at_all_is_passed_over_at_once(
    town: Town, outside: World
) -> None:
    lead_alone = EVERYWAY.model_copy(
        update={"phones": {}, "addresses": {"engineering-lead": ("lead@pravado.example",)}}
    )
    outside.fails["pagerduty.page"] = lambda: NotConfigured("PagerDuty", "a routing key")
    for name in ("slack.post_root", "slack.post_entry"):
        outside.fails[name] = lambda: NotConfigured("Slack", "a token")
    story = await town.fire(alert("Unheard"), world=outside, policy=lead_alone)
    record = await story.pass_time(minutes=5)

    assert "on-call cannot be reached by any way" in told(record)
    [letter] = once(outside.orders("email.send"))
    assert letter["to"] == ["lead@pravado.example"]
    # And it comes to an end: nobody is above the last, and the chain is not run through in circles.
    record = await story.pass_time(hours=1)
    assert len(record.timeline) < 80, told(record)


async def test_a_page_of_low_urgency_pursues_nobody_who_sleeps(town: Town, outside: World) -> None:
    story = await nobody_there(town, outside, severity="warning")
    record = await story.pass_time(minutes=40)
    assert pursued(record) == []
    assert outside.count("expo.page") == 0


async def test_a_page_of_low_urgency_that_is_lost_goes_the_next_way_and_rings_no_phone(
    town: Town, outside: World
) -> None:
    outside.fails["pagerduty.page"] = lambda: Refused("no")
    story = await town.fire(alert("Unheard", severity="warning"), world=outside, policy=EVERYWAY)
    await story.pass_time(minutes=20)
    assert once(outside.orders("email.send"))
    assert outside.count("expo.page") == 0


async def test_a_lead_who_was_asked_for_is_still_sought_although_somebody_acknowledges(
    town: Town, outside: World
) -> None:
    story = await nobody_there(town, outside, policy=EVERYWAY.model_copy(update={"phones": {}}))
    outside.fails["pagerduty.page"] = lambda: Refused("no")
    outside.fails["slack.post_entry"] = lambda: NotConfigured("Slack", "a token")
    await story.act("escalate", text="I need you")
    await story.act("acknowledge")
    record = await story.pass_time(minutes=5)
    assert ["lead@pravado.example"] in [o["to"] for o in outside.orders("email.send")], told(record)


async def test_it_goes_on_where_it_was_over_a_continue_as_new(town: Town, outside: World) -> None:
    short = EVERYWAY.model_copy(update={"run_events": 200})
    story = await nobody_there(town, outside, policy=short)
    for number in range(30):
        await story.act("note", text=f"note {number}")
    record = await story.pass_time(minutes=29)
    runs = [r async for r in town.env.client.list_workflows(f"WorkflowId = '{story.id}'")]
    assert len(runs) > 1
    assert [text for _, text in pursued(record)].count(
        "on-call has not acknowledged: called by e-mail"
    ) == 1
    assert len(outside.orders("email.send")) == len(once(outside.orders("email.send"))) == 2


ASKED = EVERYWAY.model_copy(update={"names_on_call": True})


async def test_who_is_on_call_is_shown_by_name(town: Town, outside: World) -> None:
    story = await nobody_there(town, outside, policy=ASKED)
    record = await story.until(lambda r: bool(r.paging.on_call))
    assert "on call is on-call: Priya; cto: nobody" in told(record)
    await story.pass_time(seconds=30)
    shown = {fact["label"]: fact["value"] for fact in outside.root["facts"]}
    assert shown["on call"] == "on-call: Priya; cto: nobody"
    assert shown["who is awake"] == "nobody has acknowledged (called: on-call Priya)"


async def test_who_is_on_call_stays_unknown_where_it_cannot_be_had(
    town: Town, outside: World
) -> None:
    outside.fails["pagerduty.on_call"] = lambda: Refused("PagerDuty answered 401")
    story = await nobody_there(town, outside, policy=ASKED)
    record = await story.until(lambda r: bool(r.paging.on_call_unknown))
    await story.pass_time(minutes=16)
    shown = {fact["label"]: fact["value"] for fact in outside.root["facts"]}
    assert shown["on call"] == "unknown: PagerDuty answered 401"
    assert ("engineering-lead", "high") in outside.pages, "nobody waits for names"
    # Known again, it is said; and names of before are not kept once it is not.
    del outside.fails["pagerduty.on_call"]
    record = await story.pass_time(minutes=10)
    assert record.paging.on_call == {"on-call": ["Priya"], "cto": []}


async def test_nobody_is_asked_where_it_is_not_wanted(town: Town, outside: World) -> None:
    story = await nobody_there(town, outside)
    await story.pass_time(minutes=16)
    assert outside.count("pagerduty.on_call") == 0


async def test_it_ends_although_a_letter_does_not_get_through(town: Town, outside: World) -> None:
    outside.fails["email.send"] = lambda: Unavailable("the mail server is away")
    story = await nobody_there(town, outside)
    await story.pass_time(minutes=6)
    await story.over()
    await story.pass_time(minutes=25)
    assert (await story.ends()).how == "recovered"
