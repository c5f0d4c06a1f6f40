"""Runbook, "Database Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.record import Asks
from activities.verification import Below, Every
from activities.words import Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder
from workflows.procedures.connections import FreesConnections, used
from workflows.procedures.database_outage import BOTH_SIDES, WHOLE, RidesOutDatabaseOutage

_WAITING = (
    "ETA: waiting for Supabase to restore service. I watch the database, check the data once it "
    "is back, and let users in by shares."
)


class SupabaseDown(RidesOutDatabaseOutage):
    """OUTAGE: the database is unreachable."""

    severity = Severity.CRITICAL
    impact = "All users are affected: nothing can be read or saved."
    section = "supabase-down"
    recovered = Every(conditions=(BOTH_SIDES, WHOLE))
    back_after_seconds = 300

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Down from both sides: keep users away at once, write to support, watch until it is back.

        Where the two sides do not agree, a person decides about the page; where they are refused
        for another reason than an outage, nothing is changed.
        """
        findings = (*self.database_seen(seen), *self.other_ways())
        if self.answers(seen):
            look = "The database answers both sides: look at the API's DATABASE_URL and its pool."
            return Ladder("the database answers the worker and the API host", (), findings, look)
        if self.down(seen):
            shown = self.maintenance(
                seen, why="the database is unreachable; all users are affected", asks=Asks.NEVER
            )
            return Ladder(
                cause="OUTAGE: the database is unreachable from the worker and the API host",
                steps=(*shown, *self.write_to_support(alert, seen)),
                findings=findings,
                when_out=_WAITING,
                waits=True,
            )
        if self.one_side_down(seen):
            shown = self.maintenance(
                seen, why="one side sees the database down, the other does not say so",
                asks=Asks.ALWAYS,
            )  # fmt: skip
            cause = "the database is not seen to be down from both sides, so nothing is done alone"
            return Ladder(cause, shown, findings, _WAITING)
        if seen[self.from_worker] is None and seen[self.from_host] is None:
            return Ladder(
                cause="whether the database answers could not be seen from either side",
                findings=findings,
                when_out="Please look from both sides, and show the maintenance page if it is down "
                "from both.",
            )
        return Ladder(
            cause="the database is not seen to be down: whoever asks it is refused, or cannot ask",
            findings=findings,
            when_out="Wrong credentials, DNS or too many connections are no outage, and the page "
            "would not help: please look at what was found.",
        )


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
