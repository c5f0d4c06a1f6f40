"""One game day for all tests here: each leaves the platform well, and no incident open."""

import asyncio

import psutil
import pytest

from deploy.gameday.day import Day
from tests.e2e.responding import calm
from tests.gameday.watching import until, well

PACE = 0.02
POLICY = {
    # Four seconds at this pace: long enough to be killed in, short enough to be waited for.
    "settle_seconds": 200,
    # Twelve seconds, of which few are used: rates need some to come down.
    "verify_seconds": 600,
}


@pytest.fixture(scope="session")
async def standing(tmp_path_factory):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    async with Day(tmp_path_factory.mktemp("day"), pace=PACE, policy=POLICY) as day:
        await until(well, day.platform)
        yield day
        ours = [it for it in psutil.Process().children(recursive=True) if it.pid not in before]
    await asyncio.sleep(0.3)  # sdk-python#300: an exit just after the last use may crash
    # The reaper stays for whatever else this process starts.
    left = [it for it in ours if it.is_running() and "reap" not in it.cmdline()]
    assert left == []


@pytest.fixture
async def day(standing):
    """The day, everything at rest before the test and again after it."""
    yield standing
    await calm(standing)
