"""The dashboard from outside: an empty page is down, and a name not found is our own trouble."""

import httpx
import pytest

from activities.dashboard import Dashboard, LookAtDashboard, Trouble
from deploy.gameday.standins.faults import dropped, hanging, outage
from deploy.gameday.standins.pages import WELCOME, PagesStandIn
from tests.activities.attempts import run

LOOK = LookAtDashboard(pause_seconds=0.01)


@pytest.fixture
async def site():
    async with PagesStandIn() as standing:
        yield standing


@pytest.fixture
async def dashboard(site):
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Dashboard(http, site.site_url, text=WELCOME, seconds=0.3)


async def test_it_is_well_when_it_says_what_it_should(dashboard):
    seen = await run(dashboard.look, LOOK)

    assert (len(seen.looks), seen.answers, seen.down) == (3, True, False)
    assert "cloudflare" in seen.server
    assert seen.ray == "8f0000000000abcd-LHR"
    assert (await dashboard.sample()).good is True


@pytest.mark.parametrize(
    ("fault", "trouble", "said"),
    [
        pytest.param(outage(522, times=4), Trouble.STATUS, "it answers 522", id="an error"),
        pytest.param(hanging(1, times=4), Trouble.SILENT, "did not answer within", id="silence"),
        pytest.param(dropped(done=False, times=4), Trouble.SILENT, "be reached", id="a lost line"),
    ],
)
async def test_three_bad_looks_are_down(site, dashboard, fault, trouble, said):
    site.fail(fault)

    seen = await run(dashboard.look, LOOK)
    sample = await dashboard.sample()

    assert [look.trouble for look in seen.looks] == [trouble] * 3
    assert (seen.answers, seen.down) == (False, True)
    assert said in seen.said
    assert sample.good is False


async def test_an_empty_page_is_no_dashboard(site, dashboard):
    site.deploy("Break it", html="<html></html>")

    seen = await run(dashboard.look, LOOK)

    assert seen.down
    assert seen.said == f"it answers 200, but without {WELCOME!r}"


async def test_a_blip_is_neither_down_nor_well(site, dashboard):
    site.fail(outage(503, method="site"))

    seen = await run(dashboard.look, LOOK)

    assert (seen.answers, seen.down) == (False, False)
    assert seen.said == "it answers 503; it answers as it should"


async def test_nobody_listening_is_down_and_a_name_not_found_is_unknown(site):
    await site.stop()
    async with httpx.AsyncClient(trust_env=False) as http:
        refused = await run(Dashboard(http, site.site_url, text="x").look, LOOK)
        nowhere = Dashboard(http, "https://dashboard.invalid", text="x")
        unnamed = await run(nowhere.look, LOOK)
        sample = await nowhere.sample()

    assert refused.down
    assert "refuses the connection" in refused.said
    assert {look.trouble for look in unnamed.looks} == {Trouble.NAME}
    assert (unnamed.answers, unnamed.down) == (False, False)
    assert sample.good is None
