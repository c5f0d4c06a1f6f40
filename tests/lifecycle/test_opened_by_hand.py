"""What a person has opened here ends without a rule that would say so."""

from datetime import UTC, datetime
from itertools import count

from activities.errors import NotConfigured
from activities.record import Phase
from activities.words import Severity
from starters.opening import by_hand
from tests.lifecycle.drills import drill, restart
from tests.lifecycle.world import QUICK, Story, Town, World, library, told

_numbers = count(1)


async def opened(town: Town, world: World, name: str) -> Story:
    """As `responder start` opens it, where Alertmanager cannot be asked."""
    world.fails["alertmanager.open_alerts"] = lambda: NotConfigured("Alertmanager", "its address")
    service = f"by-hand-{next(_numbers)}"
    at = datetime.now(UTC)
    first = by_hand(name, service, Severity.WARNING, "test", why="it is slow", who="lee", at=at)
    return await town.fire(first, policy=QUICK, world=world)


async def test_once_a_person_resolves_it_nothing_is_left_open(town: Town, world: World) -> None:
    story = await opened(town, world, "Unheard")
    await story.until(lambda r: r.phase is Phase.WATCHING)

    await story.act("resolve", text="it was the router")

    closed = await story.ends()
    record = await story.record()
    assert record.resolution.by == "dana"
    assert record.firing == [], told(record)
    assert closed.how == record.resolution.how


async def test_once_it_has_recovered_and_settled_it_closes(town: Town, world: World) -> None:
    world.library = library(drill(restart()))
    world.cures = {"host.restart_service": True}
    story = await opened(town, world, "HighDrill")

    await story.ends()

    record = await story.record()
    assert record.resolution.how == "recovered", told(record)
    assert "a person has opened it, so no rule will end it" in told(record)
