"""Game days of the runbook's "Database Incidents"."""

import asyncio

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario
from deploy.gameday.standins.faults import outage

_FOR_LONG = 10_000
_POLL_SECONDS = 0.2
_OUTAGE_SECONDS = 5.0


async def _leak(day: Day) -> None:
    await day.platform.leak_connections()


async def _leak_again(day: Day) -> None:
    await day.platform.leak_connections(again=True)


async def _stop_leak(day: Day) -> None:
    await day.platform.plug_leak()


async def _lose_database(day: Day) -> None:
    await day.platform.stop_database()
    day.outside.status_pages.report("supabase", "major_outage", "Database connectivity")


async def _lose_database_and_the_page(day: Day) -> None:
    day.outside.kv.fail(outage(times=_FOR_LONG))
    await _lose_database(day)


async def _restore_behind_the_page(day: Day) -> None:
    while not day.outside.closed:
        await asyncio.sleep(_POLL_SECONDS)
    await asyncio.sleep(_OUTAGE_SECONDS)
    await _restore(day)


async def _restore(day: Day) -> None:
    await day.platform.start_database()
    day.outside.status_pages.mend("supabase")
    day.outside.kv.faults.clear()


SCENARIOS = (
    Scenario(
        name="database-down",
        alert="SupabaseDown",
        story="The database is gone: users are kept away at once, Supabase is written to.",
        breaks=_lose_database,
        after={Phase.MITIGATING: _restore_behind_the_page},
        later="Supabase works on it, and restores the database.",
    ),
    Scenario(
        name="database-down-people",
        alert="SupabaseDown",
        story="The database is gone, and so is Cloudflare's API: no page can be shown.",
        breaks=_lose_database_and_the_page,
        after={Phase.WATCHING: _restore},
        later="People wait for Supabase, which restores the database.",
        people=True,
    ),
    Scenario(
        name="connections",
        alert="HighDatabaseConnections",
        story="A nightly report opens sessions and never gives them back; you are asked.",
        breaks=_leak,
    ),
    Scenario(
        name="connections-people",
        alert="HighDatabaseConnections",
        story="A nightly report opens its sessions anew, as often as they are ended.",
        breaks=_leak_again,
        after={Phase.WATCHING: _stop_leak},
        later="People stop the report.",
        people=True,
    ),
)
