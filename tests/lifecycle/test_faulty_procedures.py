"""A procedure that is missing, wrong, slow or edited holds up no response."""

import threading

import pytest

from activities.alerts import Alert
from activities.record import Phase
from tests.lifecycle.drills import CriticalDrill, HighDrill, drill, restart, scale
from tests.lifecycle.world import QUICK, Town, World, alert, library, minutes, told
from workflows.procedures.base import Evidence, Ladder

RELEASED = threading.Event()


@pytest.fixture(autouse=True)
def _release():
    RELEASED.clear()
    yield
    RELEASED.set()


class Raises(HighDrill):
    """It has a bug."""

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        raise ZeroDivisionError("division by zero")


class Hangs(HighDrill):
    """It never answers."""

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        RELEASED.wait(20)
        return Ladder("too late")


class SaysTooMuch(HighDrill):
    """It answers more than anybody can keep."""

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        return Ladder("a lot", findings=("x" * 70_000,))


@pytest.mark.parametrize(
    ("procedure", "why"),
    [
        pytest.param(Raises, "division by zero", id="it raises"),
        pytest.param(Hangs, "it took too long", id="it hangs"),
        pytest.param(SaysTooMuch, "more than 65536", id="it answers too much"),
    ],
)
async def test_when_a_procedure_fails_people_take_over_and_it_watches_on(
    town: Town, world: World, procedure, why
) -> None:
    world.library = library(procedure)
    story = await town.fire(alert(procedure.__name__, severity="critical"), world=world)

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert record.asks.startswith("Please take it from here: the procedure could not be read: ")
    assert why in record.asks
    assert [text for _, text in minutes(record, "page")][-1].startswith("on-call is paged, high")
    world.up = True
    await story.over()
    assert (await story.ends()).how == "recovered", "its condition is known"


async def test_an_alert_without_a_procedure_is_communicated_and_closed_by_its_resolve(
    town: Town, world: World
) -> None:
    story = await town.fire(alert("NobodyWroteIt", severity="critical"), world=world)
    record = await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    assert record.no_procedure == "there is no procedure for NobodyWroteIt"
    assert world.pages == [("on-call", "high")]
    await story.act("acknowledge")
    await story.over()

    closed = await story.ends()

    assert (closed.how, closed.reason) == ("recovered", "every alert is resolved")
    assert world.count("report.write") == 1
    assert "there is no procedure for NobodyWroteIt: people handle it" in world.said


async def test_of_two_alerts_the_one_with_a_procedure_is_followed(town: Town, world: World) -> None:
    unknown = alert("CriticalDrillX", severity="critical", service="two", fingerprint="u")
    known = alert("HighDrillX", severity="warning", service="two", fingerprint="k")

    class HighDrillX(HighDrill):
        """A drill."""

    world.library = library(HighDrillX)
    story = await town.fire(unknown, known, world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert record.facts.name == "HighDrillX"
    assert record.severity.value == "critical"


async def test_an_alert_without_a_severity_has_its_procedures(town: Town, world: World) -> None:
    class RedisDrill(CriticalDrill):
        """A drill whose name tells no severity."""

    world.library = library(RedisDrill)
    story = await town.fire(alert("RedisDrill", severity=None), world=world)

    record = await story.until(lambda r: r.phase is Phase.VERIFYING and len(world.pages) == 2)

    assert record.severity.value == "critical"
    assert world.pages == [("on-call", "low"), ("on-call", "high")]


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param((), id="emptied of its procedures"),
        pytest.param((drill(),), id="with a ladder that is empty"),
        pytest.param((drill(restart(), restart(key="two", target="two")),), id="with others"),
    ],
)
async def test_an_open_incident_goes_on_with_the_ladder_it_was_given(
    town: Town, world: World, edited
) -> None:
    world.library = library(drill(scale(), restart()))
    world.cures = {"host.restart_service": True}
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    world.library = library(*edited)
    await story.pass_time(minutes=1, seconds=30)
    await story.over()
    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered", told(record)
    assert world.changes == ["processes.scale", "host.restart_service", "processes.scale.undo"]


async def test_looking_again_after_a_procedure_was_removed_people_have_it(
    town: Town, world: World
) -> None:
    story = await town.fire(alert("HighDrill", severity="critical"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    world.library = library()
    await story.act("take-over")
    await story.act("hand-back")

    record = await story.pass_time(minutes=2)

    assert record.phase is Phase.WATCHING
    assert "there is no procedure for HighDrill" in record.asks
    assert record.facts is None, "nothing is measured by what another procedure meant"
