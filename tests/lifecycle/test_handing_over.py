"""What people are told and asked once they have it, and what still closes or does not."""

import pytest

from activities.record import Phase
from activities.words import Mode
from tests.lifecycle.drills import CriticalDrill, drill, restart, scale
from tests.lifecycle.world import (
    QUICK,
    Story,
    Town,
    World,
    alert,
    library,
    minutes,
    resolved,
    told,
)  # fmt: skip


def paged(record) -> list[str]:
    return [text for _, text in minutes(record, "page")]


async def start(town: Town, world: World, *steps, policy=QUICK, severity="critical") -> Story:
    world.library = library(drill(*steps))
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase in (Phase.VERIFYING, Phase.WATCHING))
    return story


async def test_who_acknowledged_the_warning_has_not_acknowledged_the_critical(
    town: Town, world: World
) -> None:
    world.library = library(drill(), drill(kind=CriticalDrill))
    warning = alert("HighDrill", severity="warning", fingerprint="w")
    story = await town.fire(warning, world=world)
    await story.until(lambda r: r.told_at is not None and r.phase is Phase.WATCHING)
    await story.act("acknowledge")
    await story.pass_time(minutes=2)
    critical = alert("CriticalDrill", severity="critical", service=warning.service, fingerprint="c")
    await story.notice(critical)
    record = await story.until(lambda r: r.severity.value == "critical")
    assert record.people.acknowledged_by == ""

    record = await story.pass_time(minutes=40)

    levels = [text.split(" is paged")[0] for text in paged(record)]
    assert [level for level in levels if level != "on-call"] == ["engineering-lead", "cto"]
    await story.act("acknowledge")
    before = len(paged(await story.record()))
    assert len(paged(await story.pass_time(minutes=29))) == before


async def test_a_page_that_has_not_left_yet_is_dropped_when_somebody_is_there(
    town: Town, world: World
) -> None:
    world.library = library(drill())
    async with town.without("pages"):
        story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
        await story.until(lambda r: len(paged(r)) == 2)
        await story.act("acknowledge")
        await story.act("escalate", text="I cannot reach the host")
        await story.act("acknowledge", by="lee")
    await story.pass_time(minutes=1)

    whys = {order["summary"].split(": ", 1)[1] for order in world.orders("pagerduty.page")}
    assert "dana asks for you: I cannot reach the host" in whys, "a person has wanted it"
    assert "The drill has no more steps." not in whys


@pytest.mark.parametrize(
    ("steps", "changes", "urgency"),
    [
        pytest.param((), {}, "low", id="an empty ladder"),
        pytest.param((scale(),), {"mode": Mode.OBSERVE}, "low", id="observe mode"),
        pytest.param((scale(),), {}, "high", id="a step was tried in vain"),
    ],
)
async def test_a_warning_wakes_somebody_only_if_something_was_tried_in_vain(
    town: Town, world: World, steps, changes, urgency
) -> None:
    world.cures = {}
    policy = QUICK.model_copy(update=changes)
    story = await start(town, world, *steps, policy=policy, severity="warning")

    record = await story.pass_time(minutes=2)

    assert record.phase is Phase.WATCHING
    assert paged(record)[-1].startswith(f"on-call is paged, {urgency} urgency"), told(record)


async def test_the_next_level_reads_what_nobody_has_answered(town: Town, world: World) -> None:
    world.cures = {}
    story = await start(town, world, scale())
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")

    record = await story.pass_time(minutes=9)

    said = "nobody has answered the hand-over: The drill has no more steps"
    assert [text for _, text in minutes(record, "escalation")] == [
        f"{said}: engineering-lead is called"
    ], told(record)


async def test_an_owner_who_does_not_renew_is_named_and_others_are_called(
    town: Town, world: World
) -> None:
    story = await start(town, world, scale())
    await story.until(lambda r: r.told_at is not None)
    await story.act("take-over")

    record = await story.pass_time(minutes=46)

    said = "dana did not renew the acknowledgement, and dana has taken it over: no step is taken"
    assert f"{said}: engineering-lead is called" in told(record)
    assert record.people.acknowledged_at is None
    assert record.asks == "", "nobody is asked to take what dana has"


async def test_a_lapsed_acknowledgement_at_the_top_pages_on_call(town: Town, world: World) -> None:
    story = await town.fire(alert("Unheard", severity="warning"), world=world)
    await story.until(lambda r: r.told_at is not None)
    await story.act("escalate", text="please look too")
    await story.act("acknowledge")

    record = await story.pass_time(hours=3, minutes=5)

    assert "did not renew the acknowledgement: on-call is called again" in told(record)
    assert paged(record)[-2].startswith("on-call is paged, low urgency: is dana still on it?")
    assert paged(record)[-1].startswith("on-call is paged, high urgency: dana did not renew")


async def test_that_it_has_recovered_is_taken_back_when_it_is_not(town: Town, world: World) -> None:
    world.cures = {}
    story = await start(town, world, scale(), restart())
    await story.act("take-over")
    world.up = True
    record = await story.pass_time(minutes=10)
    assert record.asks == (
        "It has recovered. Hand back and I undo what is in place: scale to 5. "
        "Or resolve it, with a reason"
    )
    world.up = False

    record = await story.pass_time(minutes=40)

    assert record.asks == "", told(record)
    assert "it is not seen to be well any more" in told(record)


async def test_well_under_a_firing_alert_people_are_asked_after_two_settling_times(
    town: Town, world: World
) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    world.listed = {story.alert.fingerprint}

    record = await story.pass_time(minutes=10)

    assert record.phase is Phase.WATCHING, told(record)
    assert record.asks.startswith("It has recovered by its condition, but 1 alerts still fire")
    assert paged(record)[-1].startswith("on-call is paged, low urgency: it is well by its")
    await story.act("acknowledge")
    before = len(world.pages)
    record = await story.pass_time(minutes=29)
    assert record.phase is Phase.WATCHING
    assert len(record.timeline) < 25, "it does not go round and round"
    assert len(world.pages) == before
    await story.over()
    world.listed = set()
    assert (await story.ends()).how == "recovered"


async def test_well_and_twice_not_listed_it_closes_although_no_resolve_came(
    town: Town, world: World
) -> None:
    world.cures = {"processes.scale": True}
    world.listed = set()
    story = await start(town, world, scale())

    closed = await story.ends()

    assert closed.how == "recovered"
    record = await story.record()
    assert "it has recovered, and Alertmanager does not list it" in told(record)


async def test_what_alertmanager_still_lists_is_not_closed(town: Town, world: World) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    world.listed = {story.alert.fingerprint}
    await story.over()

    record = await story.pass_time(minutes=10)

    assert record.resolution is None, told(record)
    assert "1 still fire by what Alertmanager says" in told(record)
    assert world.changes == ["processes.scale"], "nothing is undone under a firing alert"


@pytest.mark.parametrize(
    ("listed", "closes"),
    [
        pytest.param(set(), True, id="nothing more fires there"),
        pytest.param({"unknown-to-us"}, False, id="another alert of it fires there"),
        pytest.param(None, False, id="it cannot say"),
    ],
)
async def test_after_a_truncated_delivery_alertmanager_has_the_last_word(
    town: Town, world: World, listed, closes
) -> None:
    world.cures = {"processes.scale": True}
    story = await start(town, world, scale())
    world.listed = listed
    await story.notice(resolved(story.alert), incomplete=True)

    record = await story.pass_time(minutes=12)

    assert (record.resolution is not None) is closes, told(record)
    if not closes:
        assert record.asks.startswith("It has recovered by its condition, but ")


async def test_nobody_up_the_chain_is_woken_for_steps_that_ran_out_once_it_is_well(
    town: Town, world: World
) -> None:
    world.cures = {}
    story = await start(town, world, restart())
    await story.pass_time(minutes=2)
    await story.until(lambda r: r.phase is Phase.WATCHING)

    world.up = True
    record = await story.pass_time(minutes=6)

    assert record.phase in (Phase.SETTLING, Phase.WATCHING, Phase.RESOLVED), told(record)
    assert not [text for text in paged(record) if text.startswith("engineering-lead")]
