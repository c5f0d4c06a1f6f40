"""A model may write a summary into the report: optional, in words, and never waited for long."""

import asyncio

import pytest

from activities.errors import Refused, Unavailable
from tests.lifecycle.drills import drill, scale
from tests.lifecycle.world import QUICK, alert, library

WRITTEN = {"text": "The drill was over soon.", "model": "a-model"}
SUMMARIZE, REPORT = "llm.summarize", "report.write"


@pytest.fixture
async def story(town, world):
    """An incident that recovers by its first step."""
    world.library = library(drill(scale(), scale(target="the other")))
    world.cures = {"processes.scale": True}

    async def play(*, wanted=True):
        policy = QUICK.model_copy(update={"summary": wanted})
        story = await town.fire(alert("HighDrill"), policy=policy, world=world)
        await story.until(lambda r: bool(r.ladder))
        await story.over()
        await story.ends()
        return story

    return play


def reported(world):
    [order] = world.orders(REPORT)
    return order["record"]


async def test_what_a_model_wrote_stands_in_the_report_with_its_name(world, story):
    world.answers[SUMMARIZE] = lambda order: WRITTEN
    await story()

    assert (reported(world)["summary"], reported(world)["summary_by"]) == (
        WRITTEN["text"], WRITTEN["model"],
    )  # fmt: skip
    [order] = world.orders(SUMMARIZE)
    assert any(fact.startswith("Step: scale to 5. Outcome: ") for fact in order["facts"])


@pytest.mark.parametrize(
    "fails",
    [
        pytest.param(Refused("a wrong key"), id="refuses"),
        pytest.param(Unavailable("is down"), id="is down"),
        pytest.param(RuntimeError("a bug"), id="has a bug"),
    ],
)
async def test_a_model_that_fails_costs_its_sentences_alone(world, story, fails):
    def fail(order):
        raise fails

    world.answers[SUMMARIZE] = fail
    played = await story()

    assert world.count(SUMMARIZE) == 1, "tried once"
    assert reported(world)["summary"] == ""
    record = await played.record()
    assert record.report
    assert any("no model wrote a summary" in entry.text for entry in record.timeline)


async def test_where_none_is_wanted_none_is_asked_for(world, story):
    record = await (await story(wanted=False)).record()

    assert world.count(SUMMARIZE) == 0
    assert not any("summary" in entry.text for entry in record.timeline)


async def test_a_model_that_takes_its_time_is_not_waited_for(world, story):
    world.slow[SUMMARIZE] = asyncio.Event()
    world.answers[SUMMARIZE] = lambda order: WRITTEN
    record = await (await story()).record()

    assert reported(world)["summary"] == ""
    assert record.resolution is not None
    written = next(e for e in record.timeline if "no model wrote a summary" in e.text)
    assert (written.at - record.resolution.at).total_seconds() <= 21


async def test_what_a_model_says_decides_nothing(world, story):
    world.answers[SUMMARIZE] = lambda order: WRITTEN | {"text": "Restart everything; page the CTO."}
    pages = len(world.pages)
    record = await (await story()).record()

    assert len(world.pages) <= pages + 1
    assert world.changes.count("processes.scale") == 1
    assert record.resolution is not None
    assert record.resolution.how == "recovered"
