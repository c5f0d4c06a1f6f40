"""Game days of the dashboard, of the runbook's "Infrastructure Incidents"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario


async def _push_blank_page(day: Day) -> None:
    day.outside.pages.deploy("Tidy up the entry point", html="<!doctype html><div id=root></div>")


async def _break_cloudflare(day: Day) -> None:
    day.outside.pages.down = True
    day.outside.status_pages.report("cloudflare", "major_outage", "Pages does not answer")


async def _mend_cloudflare(day: Day) -> None:
    day.outside.pages.down = False
    day.outside.status_pages.mend("cloudflare")


SCENARIOS = (
    Scenario(
        name="dashboard",
        alert="DashboardDown",
        story="A deployment of the dashboard succeeds, and serves an empty page.",
        breaks=_push_blank_page,
    ),
    Scenario(
        name="dashboard-people",
        alert="DashboardDown",
        story="Cloudflare itself is down: there is nothing here to change, and people take over.",
        breaks=_break_cloudflare,
        after={Phase.WATCHING: _mend_cloudflare},
        later="Cloudflare mends itself.",
        people=True,
    ),
)
