"""Runbook, "Cache Performance Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.host import Host, HostPong, RecentDeployments
from activities.record import Asks
from activities.redis import Pong, Redis
from activities.redis_pings import Pings
from activities.services import RestartService, Services, Unit
from activities.status_pages import StatusOf, StatusPages
from activities.switches import Switch
from activities.verification import Answering
from activities.words import Nothing, Risk, Severity
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.deployments import last_deployment
from workflows.procedures.instances import ActsOnInstances

_LATE = "Redis is not back: provision a new instance, and move the API to it."


_SURE = Pings(times=3)
"""Three failures within a minute, from either side, before it counts as down."""


class RedisConnectionFailure(ActsOnInstances):
    """The API cannot reach Redis."""

    severity = Severity.CRITICAL
    impact = "Nothing can be cached: pages get slow, and the database carries every request."
    section = "redis-connection-failure"
    recovered = Answering(checks=("redis.ping", "host.redis_ping"))

    from_worker = Probe(Redis.ping, _SURE, why="PING from the worker", seconds=25)
    from_host = Probe(Host.redis_ping, _SURE, why="PING from the API host", seconds=25)
    provider = Probe(
        StatusPages.status, StatusOf(provider="upstash"), why="status page of the Redis provider"
    )
    service = Probe(Host.redis_service, Nothing(), why="Redis as a service of the API host")
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Restart it where it is ours and down from both sides; serve from memory meanwhile."""
        worker, host = seen[self.from_worker], seen[self.from_host]
        findings = (
            *(
                said
                for probe in (self.from_worker, self.from_host)
                if (said := seen.why_not(probe))
            ),
            *(
                f"from {where}: {pong.finding}: {pong.said}"
                for where, pong in (("the worker", worker), ("the API host", host))
                if pong and pong.finding
            ),
            *_flapping(worker, host),
            *self._provider_says(seen),
            *(["the in-memory cache is on already"] if self._cached_in_memory(seen) else []),
            *last_deployment(seen[self.deployment]),
        )
        if _answers(worker) and _answers(host):
            look = "Redis answers from both sides: look at the API's REDIS_URL and what it logs."
            return Ladder("Redis answers the worker and the API host", (), findings, look)
        if _answers(host):
            cause = "Redis answers the API host, and not the worker"
            return Ladder(cause, self._in_memory(seen, Asks.ALWAYS), findings, _LATE)
        if not (_down(worker) and _down(host)):
            # Every instance restarts for the switch: that is not done on one side's word alone.
            cause = "Redis is not seen to be down from both sides, so it is not restarted"
            return Ladder(cause, self._in_memory(seen, Asks.ALWAYS), findings, _LATE)
        unit = seen[self.service]
        against = self._against_restart(unit, seen.why_not(self.service))
        restart = () if unit is None or against else (self._restart(seen, unit),)
        return Ladder(
            cause="Redis is down: it answers neither the worker nor the API host",
            steps=(*restart, *self._in_memory(seen, Asks.POLICY)),
            findings=(*([f"not restarted: {against}"] if against else []), *findings),
            when_out=_LATE,
        )

    def _provider_says(self, seen: Evidence) -> list[str]:
        """Repeat the provider's own word, where Redis is a provider's."""
        status, unit = seen[self.provider], seen[self.service]
        if unit is not None and unit.self_hosted:
            return []
        if status is None:
            return [seen.why_not(self.provider)]
        return [f"the provider's status page says {status.state}: {status.said} ({status.url})"]

    def _against_restart(self, unit: Unit | None, unread: str) -> str:
        """Say why a restart would be wrong or cannot be made."""
        console = f"look at the provider's console: {self.given.redis_console}"
        if not self.given.redis_unit:
            return f"it is managed; {console}"
        if unit is None:
            return unread
        if not unit.self_hosted:
            return f"{self.given.redis_unit} is no service of the API host; if managed, {console}"
        if unit.sub_state == "auto-restart" or unit.result == "start-limit-hit":
            return f"it crashes over and over ({unit.state}, {unit.result}); read its log"
        return ""

    def _restart(self, seen: Evidence, unit: Unit) -> Step:
        given = self.given
        if given.redis_cache_only:
            loss = "what it held is lost, and is declared to be only a cache"
        elif given.redis_persists:
            loss = "it reads its data back from disk, but for the last moments"
        else:
            loss = "WHAT IT HELD IS LOST: it is not declared to persist"
        kept = given.redis_persists or given.redis_cache_only
        runs = f"process {unit.pid}" if unit.pid else "no process"
        return step(
            Services.restart_service,
            RestartService(unit=given.redis_unit, requested_at=seen.at),
            target="redis",
            why="it answers neither the worker nor the API host",
            effect=f"restart {given.redis_unit} on the API host ({unit.state}, {runs}); {loss}",
            expect="PING answers from both sides within seconds",
            risk=Risk.DISRUPTIVE if kept else Risk.DESTRUCTIVE,
            restarts=True,
        )

    def _in_memory(self, seen: Evidence, asks: Asks) -> tuple[Step, ...]:
        """Plan to cache in memory until Redis is back, where that is not so already."""
        if self._cached_in_memory(seen):
            return ()
        change = self.set_switches(
            seen,
            {Switch.IN_MEMORY_CACHE: "true"},
            why="users are served meanwhile; the database carries more, so watch its load",
            expect="requests succeed without Redis",
            asks=asks,
        )
        return (change,)

    def _cached_in_memory(self, seen: Evidence) -> bool:
        return self.present(seen, Switch.IN_MEMORY_CACHE) == "true"


def _flapping(worker: Pong | HostPong | None, host: Pong | HostPong | None) -> list[str]:
    """Say from where Redis answered only after it had failed to."""
    return [
        f"from {where} it answered only after {pong.failures} pings had failed"
        for where, pong in (("the worker", worker), ("the API host", host))
        if pong and pong.answered and pong.failures
    ]


def _answers(pong: Pong | HostPong | None) -> bool:
    return pong is not None and pong.answered


def _down(pong: Pong | HostPong | None) -> bool:
    """Whether it refuses or is silent; LOADING, NOAUTH and the like come from one that runs."""
    return pong is not None and not pong.answered and pong.finding.means_down
