"""One platform for all tests of this folder; each fault leaves it well again."""

import pytest

from deploy.gameday.platform import Platform
from tests.gameday.watching import TOKEN, Door, until, well


@pytest.fixture(scope="session")
async def door():
    async with Door().open() as listening:
        yield listening


@pytest.fixture(scope="session")
async def running(door, tmp_path_factory):
    folder = tmp_path_factory.mktemp("platform")
    async with Platform(folder, webhook_url=door.url, webhook_token=TOKEN) as platform:
        await until(well, platform)
        yield platform


@pytest.fixture
async def platform(running):
    """The platform, well before the test and truly well again after it."""
    yield running
    running.calm()
    await until(well, running)
