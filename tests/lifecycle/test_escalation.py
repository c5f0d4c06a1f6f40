"""Who is called when nobody answers, to the minute."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.record import Phase
from activities.words import Severity
from tests.lifecycle.drills import drill, scale
from tests.lifecycle.world import POLICY, Story, Town, World, alert, library, minutes, told


async def nobody_there(town: Town, world: World, severity: Severity | None) -> Story:
    """An incident without a procedure, so that only the clocks run."""
    return await town.fire(alert("Unheard", severity=severity), world=world)


def paged(record) -> list[tuple[int, str, str]]:
    """Minute, level and urgency of each page."""
    said = [(at, *text.split(" is paged, ")) for at, text in minutes(record, "page")]
    return [(at, level, rest.split(" ")[0]) for at, level, rest in said]


@pytest.mark.parametrize(
    ("severity", "hours", "expected"),
    [
        pytest.param(
            "critical",
            2.9,
            [
                (0, "on-call", "high"),
                (15, "engineering-lead", "high"),
                (30, "cto", "high"),
                *((45 * n, "on-call", "high") for n in (1, 2, 3)),
                *((45 * n + 15, "engineering-lead", "high") for n in (1, 2, 3)),
                *((45 * n + 30, "cto", "high") for n in (1, 2, 3)),
            ],
            id="critical: on-call, the lead after 15 minutes, the CTO after 30, and all anew",
        ),
        pytest.param(
            "warning",
            5,
            [(0, "on-call", "low"), (45, "on-call", "high"), (60, "engineering-lead", "high")],
            id="warning: low at first, high after 45 minutes, the lead after an hour",
        ),
        pytest.param(
            "info",
            9,
            [(240, "engineering-lead", "low")],
            id="info: nobody is paged for four hours",
        ),
    ],
)
async def test_silence_calls_the_next_level(
    town: Town, world: World, severity, hours, expected
) -> None:
    story = await nobody_there(town, world, severity)
    await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)

    record = await story.pass_time(hours=hours)

    assert paged(record) == sorted(expected), told(record)
    assert world.pages == [(level, urgency) for _, level, urgency in sorted(expected)]
    assert record.people.level == len(POLICY.severities[record.severity].levels)


async def test_an_acknowledgement_stops_the_clock_and_all_pages_are_acknowledged(
    town: Town, world: World
) -> None:
    story = await nobody_there(town, world, "critical")
    await story.until(lambda r: r.told_at is not None)
    await story.pass_time(minutes=16)

    said = await story.act("acknowledge")

    assert said == "acknowledged; it holds for 30 minutes"
    record = await story.pass_time(minutes=29)
    assert [level for _, level, _ in paged(record)] == ["on-call", "engineering-lead"]
    keys = [order["dedup_key"] for order in world.orders("pagerduty.page")]
    assert [order["dedup_key"] for order in world.orders("pagerduty.acknowledge")] == keys


async def test_an_acknowledgement_runs_out_and_is_asked_for_again(town: Town, world: World) -> None:
    story = await nobody_there(town, world, "critical")
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")

    record = await story.pass_time(minutes=100)

    assert paged(record) == [
        (0, "on-call", "high"),
        (30, "on-call", "high"),
        (45, "engineering-lead", "high"),
        (60, "cto", "high"),
        (75, "on-call", "high"),
        (90, "engineering-lead", "high"),
    ], told(record)
    assert "is dana still on it?" in minutes(record, "page")[1][1]
    assert record.people.acknowledged_by == ""


async def test_an_acknowledgement_that_is_renewed_holds_on(town: Town, world: World) -> None:
    story = await nobody_there(town, world, "critical")
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")
    await story.pass_time(minutes=31)
    await story.act("acknowledge")

    record = await story.pass_time(minutes=29)

    assert [at for at, _, _ in paged(record)] == [0, 30]
    renewal = world.orders("pagerduty.page")[-1]["dedup_key"]
    assert world.orders("pagerduty.acknowledge")[-1]["dedup_key"] == renewal


async def test_a_renewal_of_an_info_incident_pages_nobody(town: Town, world: World) -> None:
    story = await nobody_there(town, world, "info")
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")

    await story.pass_time(hours=9)

    assert world.pages == []
    assert "is dana still on it?" in world.said


async def test_a_bots_acknowledgement_does_not_count(town: Town, world: World) -> None:
    story = await nobody_there(town, world, "critical")
    await story.until(lambda r: r.told_at is not None)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.act("acknowledge", by="robin", person=False)

    assert "a bot's or an integration's word does not count" in refused.value.cause.message
    record = await story.pass_time(minutes=16)
    assert record.people.acknowledged_by == ""
    assert len(world.pages) == 2


async def test_an_update_is_promised_and_given_until_it_is_over(town: Town, world: World) -> None:
    story = await nobody_there(town, world, "critical")
    await story.until(lambda r: r.told_at is not None)
    await story.act("acknowledge")

    await story.pass_time(minutes=46)

    updates = [entry for entry in world.entries if entry.startswith("Update: ")]
    assert len(updates) == 3
    assert "\nETA: unknown\nUpdates: every 15 minutes, the next by " in updates[0]


async def test_a_ladder_that_ran_out_pages_and_the_next_level_follows_after_five_minutes(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale()))
    story = await town.fire(alert("HighDrill", severity="warning"), world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.act("acknowledge")

    record = await story.pass_time(minutes=12)

    assert paged(record) == [
        (0, "on-call", "low"),
        (5, "on-call", "high"),
        (10, "engineering-lead", "high"),
    ], told(record)
    assert "The drill has no more steps." in minutes(record, "page")[1][1]


async def test_a_change_of_severity_to_the_worse_pages_and_hastens(
    town: Town, world: World
) -> None:
    warning = alert("HighUnheard", severity="warning", fingerprint="a")
    story = await town.fire(warning, world=world)
    await story.until(lambda r: r.told_at is not None and r.phase is Phase.WATCHING)
    await story.pass_time(minutes=10)
    critical = alert(
        "CriticalUnheard", severity="critical", service=warning.service, fingerprint="b"
    )
    await story.notice(critical)

    record = await story.pass_time(minutes=36)

    assert paged(record) == [
        (0, "on-call", "low"),
        (10, "on-call", "high"),
        (25, "engineering-lead", "high"),
        (40, "cto", "high"),
    ], told(record)


async def test_when_the_critical_alert_resolves_and_the_warning_fires_on_it_is_a_warning(
    town: Town, world: World
) -> None:
    warning = alert("HighUnheard", severity="warning", fingerprint="a")
    critical = alert(
        "CriticalUnheard", severity="critical", service=warning.service, fingerprint="b"
    )
    story = await town.fire(critical, warning, world=world)
    await story.until(lambda r: r.told_at is not None)
    await story.pass_time(minutes=31)
    assert len(world.pages) == 3
    await story.over()

    record = await story.until(lambda r: r.severity is Severity.WARNING)

    assert record.phase is not Phase.RESOLVED
    assert record.title == "HighUnheard"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.act("escalate")
    assert "there is no higher level" in refused.value.cause.message
    record = await story.pass_time(hours=2)
    assert len(world.pages) == 3, "everybody has been called already"


async def test_an_old_alert_that_cannot_be_checked_wakes_on_call_alone(
    town: Town, world: World
) -> None:
    world.expression = None
    old = alert("Unheard", severity="critical")
    old = old.model_copy(update={"starts_at": old.starts_at.replace(year=2025)})
    story = await town.fire(old, world=world)
    await story.until(lambda r: r.told_at is not None)

    record = await story.pass_time(hours=2)

    assert {level for _, level, _ in paged(record)} == {"on-call"}
    assert "nobody has acknowledged: on-call is called again" in world.said


async def test_as_soon_as_an_old_alert_is_known_to_be_true_everybody_may_be_called(
    town: Town, world: World
) -> None:
    world.expression = None
    old = alert("HighDrill", severity="critical")
    old = old.model_copy(update={"starts_at": old.starts_at.replace(year=2025)})
    story = await town.fire(old, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    record = await story.pass_time(minutes=60)

    assert [level for _, level, _ in paged(record)] == [
        "on-call", "on-call", "engineering-lead", "cto", "on-call", "engineering-lead",
    ], told(record)  # fmt: skip


async def test_an_old_alert_that_is_no_longer_true_wakes_nobody(town: Town, world: World) -> None:
    world.expression = False
    old = alert("HighDrill", severity="critical")
    old = old.model_copy(update={"starts_at": old.starts_at.replace(year=2025)})
    story = await town.fire(old, world=world)

    closed = await story.ends()

    assert closed.how == "stale"
    assert world.pages == []
    assert world.changes == []
    assert "no longer true" in world.said
