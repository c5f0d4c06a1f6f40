"""Runbook, "API Performance Incidents": the database's share in it."""

from __future__ import annotations

from activities.alerts import Alert
from activities.host import Host
from activities.prometheus import Prometheus, SeriesQuery
from activities.verification import Below
from activities.words import Nothing, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe
from workflows.procedures.indexing import MakesIndexes
from workflows.procedures.measured import known, over

_NO_INDEX = "no missing index explains it"


class SlowDatabaseQueries(MakesIndexes):
    """Database queries are slow: p95 over a second."""

    severity = Severity.WARNING
    impact = "Whatever needs the database gets slow, and may soon run into its time-outs."
    section = "slow-database-queries"
    recovered = Below(
        expression=promql.DATABASE_SLOWEST, threshold=1.0, unit="s",
        traffic=promql.DATABASE_RATE, floor=0.1,
    )  # fmt: skip
    uses = ("old_transaction_seconds", "disk_free_ratio")

    queries = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.DATABASE_P95),
        why="database p95 by type of query",
    )
    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Make each missing index that the evidence supports, after asking; else a person."""
        host, queries = seen[self.capacity], seen[self.queries]
        steps, findings = self.make_indexes(seen, host.disk_free_ratio if host else None)
        slow = over(queries, self.threshold)
        if known(queries) and not slow:
            fine = f"no type of query is over {self.threshold:g} s now"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        words = f"slow queries: {slow}" if slow else "which queries are slow is not known"
        unread = seen.unread((self.queries, self.statements, self.scans, self.worst))
        return Ladder(
            cause=words if steps or seen[self.indexes] is None else f"{words}; {_NO_INDEX}",
            steps=steps,
            findings=(*findings, *unread),
            when_out="Queries are still slow and no step is left: please optimise the worst.",
        )
