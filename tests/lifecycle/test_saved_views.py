"""The views of docs/temporal-ui.md find what they say, on a real Temporal server."""

import asyncio
import re
from pathlib import Path

import pytest

from activities.record import Phase
from tests.lifecycle.drills import ASKS, drill, scale
from tests.lifecycle.world import Story, Town, World, alert, library

PAGE = Path(__file__).parents[2] / "docs" / "temporal-ui.md"
VIEWS = dict(re.findall(r"^\| (.+?) \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE))


def view(words: str) -> str:
    [query] = [query for name, query in VIEWS.items() if words in name]
    return query


@pytest.fixture
async def asking(town: Town, world: World) -> Story:
    world.library = library(drill(scale(asks=ASKS)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world)
    await story.until(lambda r: r.phase is Phase.ASKING)
    return story


async def finds(story: Story, query: str) -> bool:
    narrowed = f"({query}) AND WorkflowId = '{story.id}'"
    return (await story.town.env.client.count_workflows(narrowed)).count == 1


async def found(story: Story, query: str) -> bool:
    """Whether it is found in the end: the list is a moment behind."""
    for _ in range(250):
        if await finds(story, query):
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize("name", VIEWS)
async def test_every_view_is_a_query_that_temporal_takes(town: Town, name: str) -> None:
    await town.env.client.count_workflows(VIEWS[name])


async def test_a_question_is_found_by_its_view_until_somebody_takes_over(asking: Story) -> None:
    waiting, in_hands = view("waiting for an approval"), view("in people's hands")
    assert await found(asking, waiting)
    for words in ("open incidents", "critical ones"):
        assert await found(asking, view(words))
    for query in (in_hands, view("at work"), view("joined"), view("frozen"), view("a bug")):
        assert not await finds(asking, query)

    await asking.act("take-over")

    assert await found(asking, in_hands)
    assert not await finds(asking, waiting)
