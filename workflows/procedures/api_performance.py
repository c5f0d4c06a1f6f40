"""Runbook, "API Performance Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Ladder, Probe
from workflows.procedures.circuit import BreaksCircuit
from workflows.procedures.dependencies import StandsOn
from workflows.procedures.deployments import RollsBack
from workflows.procedures.host_use import SeesHostUse
from workflows.procedures.indexing import MakesIndexes
from workflows.procedures.lasting import ShieldsUsers
from workflows.procedures.leaking import FreesMemory
from workflows.procedures.measured import known, number, over
from workflows.procedures.merging import TreatsTogether
from workflows.procedures.scaling import MOST_CONNECTIONS, ScalesOut
from workflows.procedures.sentry import SeesTransactions

_USES = (
    "database_slow_seconds", "llm_slow_seconds", "spike_ratio", "memory_growth_ratio",
    "memory_high_ratio", "load_high_ratio", "replicas_high", "replicas_most",
    "connections_reserve", "old_transaction_seconds", "disk_free_ratio",
)  # fmt: skip


class SeesLatency(
    ScalesOut, FreesMemory, BreaksCircuit, MakesIndexes, RollsBack, TreatsTogether, SeesTransactions
):
    """Knows how slowly the API answers, and the causes that both severities share."""

    p95 = Probe(Prometheus.value, Query(expression=promql.API_P95), why="p95 of the API now")
    failing = Probe(
        Prometheus.value, Query(expression=promql.FAILING_SHARE), why="share of requests failing"
    )
    routes = Probe(
        Prometheus.series, SeriesQuery(expression=promql.SLOWEST_ROUTES), why="ten slowest routes"
    )
    # A restart loses it: a short profile of what the processors do stands in the record first.
    busiest = SeesHostUse.busiest

    def database_slow(self, seen: Evidence) -> Cause | None:
        """Make the indexes that the evidence supports, where a type of query is slow."""
        slow = over(seen[self.queries], self.given.database_slow_seconds)
        if not slow:
            return None
        host = seen[self.capacity]
        steps, findings = self.make_indexes(seen, host.disk_free_ratio if host else None)
        return Cause(f"the database is slow: {slow}", steps, findings)

    def latency_seen(self, alert: Alert, seen: Evidence) -> tuple[str, ...]:
        """Say what people should look at, and what was deployed last."""
        findings = [*self.deployed(alert, seen)]
        connections = seen[self.connections]
        if connections is not None and connections.used_ratio >= MOST_CONNECTIONS:
            used = f"{connections.used} of {connections.max}"
            findings.append(f"{used} database connections are used: requests may wait for one")
        if slowest := over(seen[self.routes], self.threshold):
            findings.append(
                "look for N+1 or unbatched queries, missing time-outs and work to make "
                f"asynchronous on the slow routes: {slowest}"
            )
        return (*findings, *self.transactions_seen(seen, self.threshold))


class HighAPILatency(SeesLatency):
    """The API answers slowly: p95 over 0.5 seconds."""

    severity = Severity.WARNING
    impact = "Pages load slowly, the dashboard feels sluggish, and some requests time out."
    section = "high-api-latency-p95--500ms"
    recovered = Below(
        expression=promql.API_P95, threshold=0.5, unit="s", traffic=promql.API_RATE, floor=0.1
    )
    uses = (*_USES, "llm_first_percent", "llm_failing_ratio", "llm_hold_seconds")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Treat each cause that the evidence shows; without one, propose a rolling restart."""
        p95, for_people = number(seen[self.p95]), self.latency_seen(alert, seen)
        if p95 is not None and p95 < self.threshold:
            fine = f"p95 is {p95:.2f} s now, under {self.threshold:g} s"
            return Ladder(fine, (), for_people, f"{fine}: nothing was changed.")
        traffic = self.more_traffic(seen, self.given.replicas_high)
        causes = (
            self.database_slow(seen),
            self.provider_slow(seen),
            traffic,
            # With more traffic memory grows because it is needed.
            None if traffic else self.memory_grows(seen),
        )
        found = self.together(
            seen, [cause for cause in causes if cause] or [self._no_clear_cause(seen)]
        )
        return Ladder(
            cause=found.words,
            steps=found.steps,
            findings=(*found.findings, *for_people),
            when_out="The API is still slow and no step is left: please look at the slow routes.",
        )

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


class CriticalAPILatency(SeesLatency, StandsOn, ShieldsUsers):
    """CRITICAL: the API is extremely slow: p95 over 2 seconds."""

    severity = Severity.CRITICAL
    impact = "All users experience slow response times."
    section = "critical-api-latency-p95--2s"
    recovered = Below(
        expression=promql.API_P95, threshold=2.0, unit="s", traffic=promql.API_RATE, floor=0.1
    )
    uses = (*_USES, "replicas_critical", "outage_seconds")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Cut off what is slow, treat an overloaded database, scale out, shield users at last."""
        p95, for_people = number(seen[self.p95]), self.latency_seen(alert, seen)
        if p95 is not None and p95 < self.threshold:
            fine = f"p95 is {p95:.2f} s now, under {self.threshold:g} s"
            return Ladder(fine, (), for_people, f"{fine}: nothing was changed.")
        overloaded = [
            each for each in (self.database_fails(seen), self.database_slow(seen)) if each
        ]
        # More instances would only ask more of a database that is in trouble.
        more = [] if overloaded else [self._more(seen)]
        cut = self.provider_cut_off(seen)
        found = self.together(seen, [*([cut] if cut else []), *overloaded, *more])
        slow = "p95 could not be read" if p95 is None else f"p95 is {p95:.1f} s"
        shield = self.shield(seen, why="nothing has made it faster within minutes")
        return Ladder(
            cause=f"CRITICAL: API latency is extremely high, {slow}; {found.words}",
            steps=(*found.steps, *shield),
            findings=(*found.findings, *for_people),
            when_out="The API is still extremely slow and no step is left: ETA unknown. "
            "Escalate to the CTO or VP Engineering.",
        )

    def _more(self, seen: Evidence) -> Cause:
        steps, findings = self.scale_out(
            seen, self.given.replicas_critical, why="requests take seconds: more hands for them"
        )
        if known(seen[self.queries]):
            words = "the database is not what is slow"
        else:
            words = "whether the database is slow is not known"
        return Cause(words, steps, findings)
