"""Runbook, "Database Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.verification import Below
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder
from workflows.procedures.connections import FreesConnections, used


class HighDatabaseConnections(FreesConnections):
    """More than 80 % of the database's connections are used."""

    severity = Severity.WARNING
    impact = "New requests may soon find no connection to the database, and fail."
    section = "high-database-connections--80-of-max"
    recovered = Below(expression=promql.DATABASE_CONNECTIONS, threshold=0.80, unit="%")
    uses = ("long_statement_seconds", "pool_size_most", "connections_reserve")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Name the sessions that hold on for long; ask; cancel, then terminate exactly those."""
        freeing = self.free_connections(seen, self.threshold)
        if freeing is None:
            findings = tuple(self.connections_seen(seen))
            fine = f"{used(seen[self.connections])}, under {self.threshold:.0%}"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        return Ladder(
            cause=freeing.words,
            steps=freeing.steps,
            findings=freeing.findings,
            when_out="Please decide about a larger database: no step is left.",
        )
