"""A verification keeps its samples in what it heartbeats: nothing else may stand there."""

import asyncio
from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities.changes import heartbeats
from activities.errors import NotYet
from activities.verification import Answering, Outcome, Sample, Verification, Watch, recover

ASK = Watch(condition=Answering(checks=("point",)), window_seconds=600, every_seconds=15)


async def test_a_look_that_would_heartbeat_by_itself_leaves_the_samples_where_they_are():
    told = []

    async def beating(_):
        async with heartbeats("looking", every_seconds=0.01):
            await asyncio.gather(asyncio.sleep(0.05), inner())
        return Sample(at=datetime.now(UTC), good=True)

    async def inner():
        async with heartbeats("looking closely", every_seconds=0.01):
            await asyncio.sleep(0.05)

    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: told.append(details)

    with pytest.raises(NotYet):
        await environment.run(Verification({"answering": beating}).watch, ASK)

    assert [[sample["good"] for sample in details[0]] for details in told] == [[True]]


async def test_a_change_heartbeats_as_long_as_it_goes_on():
    told = []

    async def change():
        async with heartbeats("restarting", every_seconds=0.01):
            await asyncio.sleep(0.05)

    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: told.append(details)
    await environment.run(change)

    assert set(told) == {("restarting",)}


@pytest.mark.parametrize(
    ("looks", "outcome"),
    [
        pytest.param([False, True, True], None, id="not over while it may yet be long enough"),
        pytest.param(
            [False, True, True, True], Outcome.RECOVERED, id="recovered once it was good for long"
        ),
        pytest.param(
            [True, True, False], Outcome.NOT_RECOVERED, id="a bad look at the end ends it"
        ),
        pytest.param([True, True, None], Outcome.UNKNOWN, id="no data at the end is no health"),
    ],
)
def test_what_is_good_only_as_the_window_ends_is_looked_at_on(looks, outcome):
    at = datetime.now(UTC)
    samples = [Sample(at=at, good=good) for good in looks]

    verdict = recover(ASK.model_copy(update={"needed": 3}), samples, over=True)

    assert (verdict and verdict.outcome) == outcome
