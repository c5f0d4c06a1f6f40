"""Runbook, "API Performance Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.host import Host, RecentDeployments
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Ladder, Probe
from workflows.procedures.deployments import last_deployment
from workflows.procedures.indexing import MakesIndexes
from workflows.procedures.leaking import FreesMemory
from workflows.procedures.llm import TurnsFromProvider
from workflows.procedures.measured import number, over
from workflows.procedures.scaling import MOST_CONNECTIONS, ScalesOut


class HighAPILatency(ScalesOut, FreesMemory, TurnsFromProvider, MakesIndexes):
    """The API answers slowly: p95 over 0.5 seconds."""

    severity = Severity.WARNING
    impact = "Pages load slowly, the dashboard feels sluggish, and some requests time out."
    section = "high-api-latency-p95--500ms"
    recovered = Below(
        expression=promql.API_P95, threshold=0.5, unit="s", traffic=promql.API_RATE, floor=0.1
    )
    uses = (
        "database_slow_seconds", "llm_slow_seconds", "spike_ratio", "memory_growth_ratio",
        "memory_high_ratio", "load_high_ratio", "replicas_high", "replicas_most",
        "connections_reserve", "old_transaction_seconds", "disk_free_ratio",
    )  # fmt: skip

    p95 = Probe(Prometheus.value, Query(expression=promql.API_P95), why="p95 of the API now")
    failing = Probe(
        Prometheus.value, Query(expression=promql.FAILING_SHARE), why="share of requests failing"
    )
    routes = Probe(
        Prometheus.series, SeriesQuery(expression=promql.SLOWEST_ROUTES), why="ten slowest routes"
    )
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Treat each cause that the evidence shows; without one, propose a rolling restart."""
        p95 = number(seen[self.p95])
        if p95 is not None and p95 < self.threshold:
            fine = f"p95 is {p95:.2f} s now, under {self.threshold:g} s"
            return Ladder(fine, (), self._for_people(seen), f"{fine}: nothing was changed.")
        traffic = self.more_traffic(seen, self.given.replicas_high)
        causes = (
            self._database_slow(seen),
            self.provider_slow(seen),
            traffic,
            # With more traffic memory grows because it is needed.
            None if traffic else self.memory_grows(seen),
        )
        found = [cause for cause in causes if cause] or [self._no_clear_cause(seen)]
        of_causes = tuple(finding for cause in found for finding in cause.findings)
        return Ladder(
            cause="; ".join(cause.words for cause in found),
            steps=tuple(step for cause in found for step in cause.steps),
            findings=(*of_causes, *self._for_people(seen)),
            when_out="The API is still slow and no step is left: please look at the slow routes.",
        )

    def _database_slow(self, seen: Evidence) -> Cause | None:
        slow = over(seen[self.queries], self.given.database_slow_seconds)
        if not slow:
            return None
        host = seen[self.capacity]
        steps, findings = self.make_indexes(seen, host.disk_free_ratio if host else None)
        return Cause(f"the database is slow: {slow}", steps, findings)

    def _no_clear_cause(self, seen: Evidence) -> Cause:
        probes = (self.queries, self.providers, self.rate, self.baseline, self.memory, self.slope)
        unread = seen.unread(probes)
        steps, findings = self.rolling_restart(
            seen,
            why="no cause is clear; it frees what may have piled up in memory",
            asks=Asks.ALWAYS,
        )
        words = "no clear cause" + (", and not all of the evidence could be read" if unread else "")
        return Cause(words, steps, (*findings, *unread))

    def _for_people(self, seen: Evidence) -> tuple[str, ...]:
        findings = [*last_deployment(seen[self.deployment])]
        connections = seen[self.connections]
        if connections is not None and connections.used_ratio >= MOST_CONNECTIONS:
            used = f"{connections.used} of {connections.max}"
            findings.append(f"{used} database connections are used: requests may wait for one")
        if slowest := over(seen[self.routes], self.threshold):
            findings.append(
                "look for N+1 or unbatched queries, missing time-outs and work to make "
                f"asynchronous on the slow routes: {slowest}"
            )
        if self.given.sentry:
            findings.append(f"slow transactions: {self.given.sentry}")
        return tuple(findings)
