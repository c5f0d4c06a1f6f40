"""Connections of the database: who holds them, and what sets some free."""

from __future__ import annotations

from activities.postgres import Connections, Postgres
from activities.postgres_sessions import LongRunning, PostgresSessions
from activities.switches import Switch
from activities.words import Nothing
from workflows.procedures.base import Cause, Evidence, Probe, Step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.sessions import MOST_NAMED, end, to_end

CONNECTIONS_HIGH = 0.80
"""Of the database's connections: the threshold of HighDatabaseConnections."""
_WORTH_A_RESTART = 1.25
"""So many times its size a pool must be able to get."""


class FreesConnections(ActsOnInstances):
    """Knows who holds the database's connections, and plans what sets some free."""

    connections = Probe(Postgres.connections, Nothing(), why="connections by state and application")
    sessions = Probe(
        PostgresSessions.long_running,
        lambda given: LongRunning(over_seconds=given.long_statement_seconds, most=MOST_NAMED),
        why="long statements, and who blocks whom",
    )

    def free_connections(self, seen: Evidence, over: float = CONNECTIONS_HIGH) -> Cause | None:
        """End what holds on for long, and give the API what the database has left.

        None where less than *over* of the connections are used.
        """
        connections, sessions = seen[self.connections], seen[self.sessions]
        if connections is not None and connections.used_ratio < over:
            return None
        ending, left_alone = to_end(sessions, self.given.long_statement_seconds)
        findings = [*self.connections_seen(seen), *left_alone]
        pooler = bool(connections and connections.pooler) or any(one.pooled for one in ending)
        steps = (*end(ending, pooler=pooler), *self.larger_pool(seen, findings, pooler=pooler))
        held = f"{len(ending)} are held for long and may be ended"
        if sessions is None or sessions.blind:
            held = "who holds on to them cannot be seen"
        return Cause(f"{used(connections)}; {held}", steps, tuple(findings))

    def connections_seen(self, seen: Evidence) -> list[str]:
        """Say who holds the connections, and what of that cannot be seen."""
        answers = (seen[self.connections], seen[self.sessions])
        blind = dict.fromkeys(each.why_blind for each in answers if each and each.blind)
        unread = [seen.why_not(probe) for probe in (self.connections, self.sessions)]
        return [*filter(None, unread), *blind, *_shares(seen[self.connections])]

    def larger_pool(
        self,
        seen: Evidence,
        findings: list[str],
        *,
        pooler: bool,
        most: int | None = None,
        also: dict[Switch, str] | None = None,
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
        size = min(most or self.given.pool_size_most, max(left, 0) // len(running.instances))
        if size < int(present) * _WORTH_A_RESTART:
            findings.append(
                f"the pool stays {present}: beside the others the database has {max(left, 0)} "
                f"connections for {len(running.instances)} instances"
            )
            return ()
        change = self.set_switches(
            seen,
            {Switch.DATABASE_POOL_MAX: str(size), **(also or {})},
            why="the API's own pools may be what runs out; this is as much as the database allows",
            expect="requests no longer wait for a connection",
        )
        return (change,)


def used(connections: Connections | None) -> str:
    """Say how many connections are used."""
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
    said = [f"{used(connections)}: {most}"] if most else []
    if connections.pooler:
        said.append("a pooler is in between: a backend is not a client, and idle means pooled")
    return said
