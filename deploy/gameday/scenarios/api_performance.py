"""Game days of the runbook's "API Performance Incidents"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario

_SPIKE = 4.0


async def _spike(day: Day) -> None:
    day.platform.spike(_SPIKE)


async def _calm(day: Day) -> None:
    day.platform.calm()


SCENARIOS = (
    Scenario(
        name="latency",
        alert="HighAPILatency",
        indicator="APILatency",
        story=f"{_SPIKE:g} times the users come, more than two instances carry.",
        breaks=_spike,
        after={Phase.SETTLING: _calm},
        later="The extra users leave: as many come as on a normal day.",
        normal_seconds=13.0,
    ),
)
