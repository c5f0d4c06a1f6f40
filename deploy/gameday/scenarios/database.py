"""Game days of the runbook's "Database Incidents"."""

from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario


async def _leak(day: Day) -> None:
    await day.platform.leak_connections()


SCENARIOS = (
    Scenario(
        name="connections",
        alert="HighDatabaseConnections",
        indicator="DatabaseConnections",
        story="A nightly report opens sessions and never gives them back; you are asked.",
        breaks=_leak,
    ),
)
