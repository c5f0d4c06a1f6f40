"""Runbook, "Cache Performance Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.host import Host, RecentDeployments
from activities.redis import Redis
from activities.services import RestartService, Services
from activities.switches import SetSwitches, Switch, Switches
from activities.verification import Answering
from activities.words import Nothing, Risk, Severity
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step

_STAYS_DOWN = frozenset({"loading", "noauth", "wrong password", "max clients", "dns"})
"""Findings that no restart cures: Redis runs, or another thing is broken."""


class RedisConnectionFailure(Procedure):
    """The API cannot reach Redis."""

    severity = Severity.CRITICAL
    impact = "Nothing can be cached: pages get slow, and the database carries every request."
    section = "redis-connection-failure"
    recovered = Answering(checks=("redis.ping", "host.redis_ping"))

    from_worker = Probe(Redis.ping, Nothing(), why="PING from the worker", seconds=5)
    from_host = Probe(Host.redis_ping, Nothing(), why="PING from the API host")
    service = Probe(Host.redis_service, Nothing(), why="Redis as a service of the host")
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Restart it if it is ours and down for both vantage points; else serve from memory."""
        worker, host, service = seen[self.from_worker], seen[self.from_host], seen[self.service]
        said = {pong.finding.value for pong in (worker, host) if pong and pong.finding}
        in_memory = self._in_memory_cache()
        late = "Redis is not back: please provision a new instance."
        if worker is None or host is None:
            why = seen.why_not(self.from_worker) or seen.why_not(self.from_host)
            blind = (
                f"only one vantage point could be asked ({why}); nothing is restarted on one word"
            )
            return Ladder("Redis may be down", (in_memory,), (blind,), late)
        if worker.answered and host.answered:
            return Ladder(
                "Redis answers from the worker and from the API host",
                findings=(
                    "the API alone does not reach it: look at its REDIS_URL and its network",
                ),
                when_out="Redis answers, but the API does not reach it.",
            )
        if worker.answered or host.answered:
            where = "the API host" if worker.answered else "the worker"
            finding = f"Redis answers one of the two, and not {where}: look at the network between"
            return Ladder("Redis is reachable from one side only", (in_memory,), (finding,), late)
        if said & _STAYS_DOWN:
            cause = f"Redis does not serve: {', '.join(sorted(said & _STAYS_DOWN))}"
            return Ladder(cause, (in_memory,), (f"{cause}; a restart does not cure that",), late)
        if service is None or not service.self_hosted:
            why = seen.why_not(self.service) or "it is not a service of the API host"
            finding = f"not restarted: {why}; if it is Upstash, see its console"
            return Ladder("Redis is down", (in_memory,), (finding,), late)
        return Ladder("Redis is down", (self._restart(seen), in_memory), when_out=late)

    def _restart(self, seen: Evidence) -> Step:
        kept = self.given.redis_persists or self.given.redis_cache_only
        loss = "" if kept else "; what it held is lost, for it is not declared to persist"
        return step(
            Services.restart_service,
            RestartService(unit=self.given.redis_unit, requested_at=seen.at),
            target="redis",
            why="it answers neither the worker nor the API host",
            effect=f"restart {self.given.redis_unit} on the API host{loss}",
            expect="PING answers from both within seconds",
            risk=Risk.DISRUPTIVE if kept else Risk.DESTRUCTIVE,
            restarts=True,
        )

    def _in_memory_cache(self) -> Step:
        return step(
            Switches.set,
            SetSwitches(app=self.given.app, values={Switch.IN_MEMORY_CACHE: "true"}),
            target=self.given.app,
            why="users are served meanwhile; the database carries more, which is accepted and watched",
            effect=f"let {self.given.app} cache in memory instead of in Redis (restarts it once)",
            expect="requests succeed without Redis",
            risk=Risk.DISRUPTIVE,
            undo=True,
            restarts=True,
        )
