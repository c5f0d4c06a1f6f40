"""Game days of the runbook's "Cache Performance Incidents"."""

from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario


async def _kill_redis(day: Day) -> None:
    await day.platform.kill_redis()


SCENARIOS = (
    Scenario(
        name="redis",
        alert="RedisConnectionFailure",
        indicator="RedisConnectionFailure",
        story="Redis is killed with kill -9; nothing restarts it but the responder.",
        breaks=_kill_redis,
    ),
)
