"""Runbook, "Database Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.postgres import Connections, Postgres
from activities.postgres_ending import EndSessions, PostgresEnding
from activities.postgres_sessions import LongRunning, PostgresSessions, Session
from activities.processes import App, ProcessManager
from activities.record import Asks
from activities.switches import SetSwitches, Switch, Switches
from activities.verification import Below
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step

_MOST_NAMED = 20
_LARGER_POOL = 100


class HighDatabaseConnections(Procedure):
    """More than 80 % of the database's connections are used."""

    severity = Severity.WARNING
    impact = "New requests may soon find no connection to the database, and fail."
    section = "high-database-connections--80-of-max"
    recovered = Below(expression=promql.DATABASE_CONNECTIONS, threshold=0.80)

    connections = Probe(Postgres.connections, Nothing(), why="connections by state and application")
    sessions = Probe(
        PostgresSessions.long_running,
        lambda given: LongRunning(over_seconds=given.long_statement_seconds),
        why="long statements, and who blocks whom",
    )
    instances = Probe(ProcessManager.processes, App(), why="API instances and their pool size")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Name the sessions that hold on for long; ask; cancel, then terminate exactly those."""
        connections, sessions = seen[self.connections], seen[self.sessions]
        human = "Please decide about a larger database: no step is left."
        if connections is None or sessions is None or sessions.blind or connections.blind:
            blind = (
                (sessions.why_blind if sessions else "")
                or (connections.why_blind if connections else "")
                or seen.why_not(self.sessions)
                or seen.why_not(self.connections)
            )
            return Ladder("Who holds the connections cannot be seen", (), (blind,), human)
        findings = [_share(connections)]
        if connections.pooler or any(session.pooled for session in sessions.sessions):
            findings.append(
                "a pooler sits in between: a backend is not a client, so ending one may hit another"
            )
        findings += [
            f"left alone: {_named(s)}: {s.protected}" for s in sessions.sessions if s.protected
        ]
        ours = [session for session in sessions.sessions if not session.protected][:_MOST_NAMED]
        steps = [*self._end(ours), *self._larger_pool(connections, seen, findings)]
        cause = f"{len(ours)} sessions hold on for long" if ours else "no session holds on for long"
        return Ladder(f"{_share(connections)}; {cause}", tuple(steps), tuple(findings), human)

    def _end(self, sessions: list[Session]) -> list[Step]:
        active = [session for session in sessions if session.state == "active"]
        steps: list[Step] = []
        cancel = ""
        if active:
            first = step(
                PostgresEnding.cancel,
                EndSessions(
                    sessions=tuple(s.ref for s in active), why="connections are running out"
                ),
                target="postgres",
                why="cancelling is the mildest way to end a statement",
                effect=f"cancel {len(active)} statements: {'; '.join(map(_named, active))}",
                risk=Risk.DESTRUCTIVE,
                asks=Asks.ALWAYS,
            )
            cancel = first.key
            steps.append(first)
        if sessions:
            steps.append(
                step(
                    PostgresEnding.terminate,
                    EndSessions(sessions=tuple(s.ref for s in sessions), why="connections run out"),
                    target="postgres",
                    why="they hold their connections, and an idle transaction cannot be cancelled",
                    effect=f"terminate {len(sessions)} backends: {'; '.join(map(_named, sessions))}",
                    risk=Risk.DESTRUCTIVE,
                    asks=Asks.ALWAYS,
                    approved_with=cancel,
                )
            )
        return steps

    def _larger_pool(
        self, connections: Connections, seen: Evidence, findings: list[str]
    ) -> list[Step]:
        running = seen[self.instances]
        if running is None:
            findings.append(f"pool size left alone: {seen.why_not(self.instances)}")
            return []
        room = connections.max - connections.reserved - self.given.connections_reserve
        size = min(_LARGER_POOL, room // max(running.online, 1))
        now = int(running.environment.get("DB_POOL_MAX") or self.given.pool_size)
        if size <= now:
            findings.append(
                f"pool size stays {now}: {running.online} instances would need more than the "
                f"{room} connections that max_connections leaves"
            )
            return []
        return [
            step(
                Switches.set,
                SetSwitches(app=self.given.app, values={Switch.DATABASE_POOL_MAX: str(size)}),
                target=self.given.app,
                why="the pool may be what runs out, not the database",
                effect=f"pool size {now} to {size} an instance (restarts {self.given.app} once)",
                risk=Risk.DISRUPTIVE,
                undo=True,
                restarts=True,
            )
        ]


def _share(connections: Connections) -> str:
    return f"{connections.used} of {connections.max} connections are used"


def _named(session: Session) -> str:
    """Name a session exactly: what a person approves must be what is ended."""
    who = session.application or session.user
    blocks = f", blocks {session.blocks}" if session.blocks else ""
    query = " ".join(session.query.split())[:60]
    return f"pid {session.pid} {who} {session.state} {session.age_seconds:.0f} s{blocks} “{query}”"
