"""Runbook, "Database Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.postgres import Connections, Postgres
from activities.postgres_sessions import LongRunning, PostgresSessions
from activities.switches import Switch
from activities.verification import Below
from activities.words import Nothing, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.sessions import MOST_NAMED, end, to_end

_WORTH_A_RESTART = 1.25
"""So many times its size a pool must be able to get."""


class HighDatabaseConnections(ActsOnInstances):
    """More than 80 % of the database's connections are used."""

    severity = Severity.WARNING
    impact = "New requests may soon find no connection to the database, and fail."
    section = "high-database-connections--80-of-max"
    recovered = Below(expression=promql.DATABASE_CONNECTIONS, threshold=0.80, unit="%")
    uses = ("long_statement_seconds", "pool_size_most", "connections_reserve")

    connections = Probe(Postgres.connections, Nothing(), why="connections by state and application")
    sessions = Probe(
        PostgresSessions.long_running,
        lambda given: LongRunning(over_seconds=given.long_statement_seconds, most=MOST_NAMED),
        why="long statements, and who blocks whom",
    )

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Name the sessions that hold on for long; ask; cancel, then terminate exactly those."""
        connections, sessions = seen[self.connections], seen[self.sessions]
        findings = [*self._not_seen(seen), *_shares(connections)]
        if connections is not None and connections.used_ratio < self.threshold:
            fine = f"{_used(connections)}, under {self.threshold:.0%}"
            return Ladder(fine, (), tuple(findings), f"{fine}: nothing was changed.")
        ending, left_alone = to_end(sessions, self.given.long_statement_seconds)
        findings += left_alone
        pooler = bool(connections and connections.pooler) or any(one.pooled for one in ending)
        steps = (*end(ending, pooler=pooler), *self._larger_pool(seen, findings, pooler=pooler))
        held = f"{len(ending)} are held for long and may be ended"
        if sessions is None or sessions.blind:
            held = "who holds on to them cannot be seen"
        return Ladder(
            cause=f"{_used(connections)}; {held}",
            steps=steps,
            findings=tuple(findings),
            when_out="Please decide about a larger database: no step is left.",
        )

    def _not_seen(self, seen: Evidence) -> list[str]:
        answers = (seen[self.connections], seen[self.sessions])
        blind = dict.fromkeys(each.why_blind for each in answers if each and each.blind)
        unread = [seen.why_not(probe) for probe in (self.connections, self.sessions)]
        return [*filter(None, unread), *blind]

    def _larger_pool(
        self, seen: Evidence, findings: list[str], *, pooler: bool
    ) -> tuple[Step, ...]:
        """Plan a larger pool within what max_connections leaves beside the others."""
        connections, running = seen[self.connections], seen[self.instances]
        present = self.present(seen, Switch.DATABASE_POOL_MAX)
        if running is None or not running.instances or not present.isdecimal():
            unread = seen.why_not(self.instances) or "its size is not the same in all instances"
            findings.append(f"the pool is left alone: {unread}")
            return ()
        if connections is None or connections.blind:
            findings.append("the pool is left alone: who holds the connections cannot be seen")
            return ()
        if pooler:
            findings.append("the pool is left alone: the pooler's limit is not known")
            return ()
        ours = sum(held.count for held in connections.by if held.application == self.given.app)
        left = connections.max - connections.reserved - self.given.connections_reserve
        left -= connections.used - ours
        size = min(self.given.pool_size_most, max(left, 0) // len(running.instances))
        if size < int(present) * _WORTH_A_RESTART:
            findings.append(
                f"the pool stays {present}: beside the others the database has {max(left, 0)} "
                f"connections for {len(running.instances)} instances"
            )
            return ()
        change = self.set_switches(
            seen,
            {Switch.DATABASE_POOL_MAX: str(size)},
            why="the API's own pools may be what runs out; this is as much as the database allows",
            expect="requests no longer wait for a connection",
        )
        return (change,)


def _used(connections: Connections | None) -> str:
    if connections is None:
        return "how many connections are used cannot be read"
    return f"{connections.used} of {connections.max} connections are used"


def _shares(connections: Connections | None) -> list[str]:
    """Say who holds the connections, and that a pooler hides it."""
    if connections is None:
        return []
    most = ", ".join(
        f"{held.count} {held.application or held.user or 'unnamed'} {held.state or 'unknown'}"
        for held in connections.by[:5]
    )
    said = [f"{_used(connections)}: {most}"] if most else []
    if connections.pooler:
        said.append("a pooler is in between: a backend is not a client, and idle means pooled")
    return said
