"""What can be broken on a game day, and how each story goes on once somebody looks after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from activities.record import Phase
from deploy.gameday.platform import Platform

_SPIKE = 4.0


@dataclass(frozen=True)
class Scenario:
    """One way to break the platform, and the alert that must notice it."""

    name: str
    alert: str
    indicator: str
    """What its incident is about, also once a more severe alert has taken over."""
    story: str
    """What happens, in a sentence for the terminal."""
    breaks: Callable[[Platform], Awaitable[object]]
    after: dict[Phase, Callable[[Platform], Awaitable[object]]]
    """What the world does by itself once the incident is in a phase for the first time."""
    later: str = ""
    """What that is, in a sentence for the terminal."""
    normal_seconds: float = 0.0
    """How long users must have had answers before, for those who compare with it."""


async def _spike(platform: Platform) -> None:
    platform.spike(_SPIKE)


async def _calm(platform: Platform) -> None:
    platform.calm()


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="redis",
            alert="RedisConnectionFailure",
            indicator="RedisConnectionFailure",
            story="Redis is killed with kill -9; nothing restarts it but the responder.",
            breaks=Platform.kill_redis,
            after={},
        ),
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
        Scenario(
            name="connections",
            alert="HighDatabaseConnections",
            indicator="DatabaseConnections",
            story="A nightly report opens sessions and never gives them back; you are asked.",
            breaks=Platform.leak_connections,
            after={},
        ),
    )
}
