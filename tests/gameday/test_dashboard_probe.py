"""The game day's own look at the dashboard, which no API instance could make."""

from pathlib import Path

import pytest

from deploy.gameday.collector import Settings
from deploy.gameday.probe_collector import TEXT, URL, DashboardProbe
from deploy.gameday.standins.pages import WELCOME, PagesStandIn


@pytest.fixture
async def site():
    async with PagesStandIn() as standing:
        yield standing


def settings(environment):
    return Settings(port=1, redis_port=1, host_folder=Path(), environment=environment)


@pytest.fixture
async def probed(site):
    probe = DashboardProbe(settings({URL: site.site_url, TEXT: WELCOME}))

    async def look():
        await probe.look()
        return probe.registry.get_sample_value("probe_success")

    yield look
    await probe.close()


async def test_the_series_follows_what_users_see(site, probed):
    assert await probed() == 1

    site.deploy("Break it", html="<html></html>")
    assert await probed() == 0
    assert site.unwell() == ["'Break it' is live"]

    site.canonical = site.deployments[2].id
    assert await probed() == 1
    assert site.unwell() == []

    site.down = True
    assert await probed() == 0
    assert site.unwell() == ["Cloudflare is down"]

    await site.stop()
    assert await probed() == 0


async def test_a_platform_without_a_dashboard_has_no_series():
    probe = DashboardProbe(settings({}))

    with pytest.raises(KeyError):
        await probe.look()
    await probe.close()
