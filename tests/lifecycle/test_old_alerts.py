"""Alerts that were old when they came, and those that we hold for over although nobody said so."""

from datetime import timedelta

import pytest

from activities.alerts import Alert
from activities.record import Phase
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told

LONG_AGO = {"days": 3}


def old(name: str = "HighDrill", severity: str = "critical", **more) -> Alert:
    young = alert(name, severity=severity, **more)
    return young.model_copy(update={"starts_at": young.starts_at - timedelta(**LONG_AGO)})


def says(world: World, *answers: bool | None) -> None:
    """What the expression says at each look; the last one for ever."""
    left = list(answers)

    def answer(ask):
        return {"holds": left.pop(0) if len(left) > 1 else left[0]}

    world.answers["prometheus.alert_state"] = answer


async def test_a_fresh_alert_beside_old_ones_wakes_at_once(town: Town, world: World) -> None:
    world.expression = False
    first = old(fingerprint="old")
    fresh = alert("HighDrill", severity="critical", service=first.service, fingerprint="fresh")
    story = await town.fire(first, fresh, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert world.pages == [("on-call", "high")]
    assert not record.people.only_on_call


async def test_every_old_alert_is_asked_about(town: Town, world: World) -> None:
    ask = world.answers["prometheus.alert_state"]
    world.answers["prometheus.alert_state"] = lambda asked: (
        {"holds": True} if asked["labels"].get("instance") == "host-4" else ask(asked)
    )
    world.expression = False
    first = old(fingerprint="f0", instance="host-0")
    others = [
        old(service=first.service, fingerprint=f"f{n}", instance=f"host-{n}") for n in range(1, 5)
    ]
    story = await town.fire(first, *others, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert world.pages == [("on-call", "high")]
    assert not record.people.only_on_call, "one of them is true"


async def test_of_a_storm_of_old_alerts_some_count_as_fresh(town: Town, world: World) -> None:
    world.expression = False
    first = old(fingerprint="f0")
    others = [old(service=first.service, fingerprint=f"f{n}") for n in range(1, 12)]
    story = await town.fire(first, *others, world=world)

    await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert world.pages == [("on-call", "high")]


@pytest.mark.parametrize(
    ("answers", "listed", "woken"),
    [
        pytest.param([False], "nothing", False, id="false, and Alertmanager does not list it"),
        pytest.param([False, True], "unknown", True, id="false for a moment only"),
        pytest.param([False, None], "unknown", True, id="false, and then no answer"),
        pytest.param([False], "unknown", False, id="false at two looks apart"),
        pytest.param([False], "it", True, id="false, but Alertmanager lists it all the time"),
    ],
)
async def test_an_old_alert_is_held_for_over_only_on_proof(
    town: Town, world: World, answers, listed, woken
) -> None:
    world.library = library(drill())
    first = old()
    says(world, *answers)
    world.listed = {"nothing": set(), "unknown": None, "it": {first.fingerprint}}[listed]
    story = await town.fire(first, policy=QUICK, world=world)

    record = await story.pass_time(minutes=2)

    assert bool(world.pages) is woken, told(record)
    assert (record.phase is Phase.RESOLVED) is not woken


async def stale(town: Town, world: World) -> Story:
    world.library = library(drill())
    world.expression = False
    story = await town.fire(old(), policy=QUICK, world=world)
    record = await story.pass_time(minutes=2)
    assert record.resolution.how == "stale", told(record)
    assert world.pages == []
    return story


@pytest.mark.parametrize(
    ("expression", "listed"),
    [
        pytest.param(True, None, id="its expression is true after all"),
        pytest.param(None, "it", id="Alertmanager lists it, and the expression says nothing"),
    ],
)
async def test_what_was_held_for_stale_is_looked_at_once_more_and_reopens(
    town: Town, world: World, expression, listed
) -> None:
    story = await stale(town, world)
    world.expression = expression
    world.listed = {story.alert.fingerprint} if listed else None

    record = await story.pass_time(minutes=16)

    assert record.recurrence == 1, told(record)
    assert record.resolution is None
    assert world.pages


async def test_what_was_held_for_stale_reopens_when_it_is_delivered_again_and_is_true(
    town: Town, world: World
) -> None:
    story = await stale(town, world)
    world.expression = True
    await story.notice(story.alert)

    record = await story.until(lambda r: r.recurrence == 1)

    assert record.resolution is None


async def test_delivered_again_while_its_expression_is_false_it_wakes_nobody(
    town: Town, world: World
) -> None:
    story = await stale(town, world)
    await story.notice(story.alert)

    closed = await story.ends()

    assert closed.how == "stale"
    assert world.pages == []


@pytest.mark.parametrize(
    ("name", "label", "severity"),
    [
        pytest.param("CriticalThing", None, "critical", id="its name says critical"),
        pytest.param("HighThing", None, "warning", id="its name says high"),
        pytest.param("CriticalThing", "info", "info", id="the label counts more than the name"),
        pytest.param("Thing", "nonsense", "warning", id="nothing says anything"),
    ],
)
async def test_an_alert_is_as_severe_as_its_label_or_its_name(
    town: Town, world: World, name, label, severity
) -> None:
    story = await town.fire(alert(name, severity=label), world=world)

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert record.severity.value == severity


async def test_of_two_alerts_without_a_label_the_critical_one_is_followed(
    town: Town, world: World
) -> None:
    high = alert("HighDrill", severity=None, fingerprint="h")
    critical = alert("CriticalDrill", severity=None, service=high.service, fingerprint="c")
    story = await town.fire(critical, high, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert (record.title, record.facts.name, record.severity.value) == (
        "CriticalDrill", "CriticalDrill", "critical",
    )  # fmt: skip
