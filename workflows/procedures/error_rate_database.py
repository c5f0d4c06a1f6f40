"""Runbook, "Error Rate Incidents": the database does not give connections."""

from __future__ import annotations

from dataclasses import replace

from activities.alerts import Alert
from activities.failover import TARGET, Failover, Fence
from activities.postgres_findings import Finding
from activities.prometheus import Prometheus, Query
from activities.record import Asks
from activities.switches import Switch
from activities.verification import Answering, Below, Every
from activities.words import Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.connections import CONNECTIONS_HIGH, FreesConnections
from workflows.procedures.database_outage import BOTH_SIDES, RidesOutDatabaseOutage
from workflows.procedures.lasting import ShieldsUsers
from workflows.procedures.measured import number
from workflows.procedures.sessions import end, to_end

_IDLE = "idle in transaction"


class DatabaseConnectionErrors(FreesConnections, RidesOutDatabaseOutage, ShieldsUsers):
    """The API cannot get connections to the database."""

    severity = Severity.CRITICAL
    impact = "Requests that need the database answer 503."
    section = "database-connection-errors"
    recovered = Every(
        conditions=(
            BOTH_SIDES,
            Below(expression=promql.DATABASE_AWAY_SOMEWHERE, threshold=0.5),
            Below(expression=promql.DATABASE_POOL, threshold=0.80, unit="%"),
        )
    )
    uses = ("idle_in_transaction_seconds", "pool_size_recover", "connections_reserve",
            "outage_seconds")  # fmt: skip

    pool = Probe(
        Prometheus.value, Query(expression=promql.DATABASE_POOL), why="use of the fullest pool"
    )

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Free an exhausted pool and enlarge it; shield users from a database that is down.

        What is neither is a person's: no restart gives a connection back.
        """
        findings = [*self._pool_seen(seen), *self.database_seen(seen)]
        if self.down(seen):
            shown = self.shield(seen, why="the database is unreachable from both sides")
            letter = self.write_to_support(alert, seen)
            return Ladder(
                cause="the database is unreachable from the worker and the API host",
                steps=(*shown, *letter, *self._fail_over(seen, findings)),
                findings=(*findings, *self.other_ways()),
                when_out="ETA: waiting for Supabase to restore service.",
                waits=True,
            )
        findings += self.connections_seen(seen)
        if exhausted := self._exhausted(seen):
            return Ladder(
                cause=exhausted,
                steps=(*self._end_forgotten(seen, findings), *self._enlarge(seen, findings)),
                findings=tuple(findings),
                when_out="The pool is still exhausted and no step is left: look for what holds "
                "its connections, or decide about a larger database.",
            )
        if self.one_side_down(seen):
            shown = self.maintenance(
                seen, why="one side sees the database down, the other does not say so",
                asks=Asks.ALWAYS,
            )  # fmt: skip
            cause = "the database is not seen to be down from both sides, so nothing is done alone"
            return Ladder(cause, shown, tuple(findings), "Please look from both sides.")
        cause = "the database is not down and no pool is seen to be exhausted"
        if not self.answers(seen):
            cause = "connections are refused for a reason that no step of ours removes"
        if seen[self.from_worker] is None and seen[self.from_host] is None:
            cause = "why the API gets no connections could not be seen from either side"
        look = "look at DATABASE_URL, credentials, DNS, and what the API logs."
        return Ladder(cause, (), tuple(findings), f"Please {look}")

    def _exhausted(self, seen: Evidence) -> str:
        """Say which connections have run out; empty where none are seen to have."""
        used, server = number(seen[self.pool]), seen[self.connections]
        if used is not None and used >= CONNECTIONS_HIGH:
            return f"the API's pool is exhausted: {used:.0%} of it is in use"
        sides = (seen[self.from_worker], seen[self.from_host])
        if any(side is not None and side.finding is Finding.TOO_MANY for side in sides):
            return "the database takes no more connections"
        if server is not None and server.used_ratio >= CONNECTIONS_HIGH:
            return f"{server.used} of the database's {server.max} connections are used"
        return ""

    def _pool_seen(self, seen: Evidence) -> list[str]:
        used = number(seen[self.pool])
        unread = seen.why_not(self.pool) or "use of the fullest pool: no data"
        return [f"{used:.0%} of the fullest pool is in use" if used is not None else unread]

    def _end_forgotten(self, seen: Evidence, findings: list[str]) -> tuple[Step, ...]:
        """Plan to end sessions that idle in a transaction; what works for long is left."""
        over = self.given.idle_in_transaction_seconds
        chosen, left = to_end(seen[self.sessions], over)
        forgotten = [one for one in chosen if one.state.startswith(_IDLE)]
        findings += left
        if not forgotten:
            findings.append(f"no session idles in a transaction for over {over:g} s")
        return end(forgotten, pooler=self._pooled(seen) or any(one.pooled for one in forgotten))

    def _enlarge(self, seen: Evidence, findings: list[str]) -> tuple[Step, ...]:
        wait = str(self.given.connect_timeout_milliseconds)
        return self.larger_pool(
            seen,
            findings,
            pooler=self._pooled(seen),
            most=self.given.pool_size_recover,
            also={Switch.DATABASE_CONNECT_TIMEOUT_MS: wait},
        )

    def _pooled(self, seen: Evidence) -> bool:
        server = seen[self.connections]
        return bool(server and server.pooler)

    def _fail_over(self, seen: Evidence, findings: list[str]) -> tuple[Step, ...]:
        """Plan the change to the backup database; the old one is fenced first, and proves it."""
        backup = self.given.database_backup
        if not backup:
            findings.append("no backup database is configured to fail over to")
            return ()
        if self.present(seen, Switch.DATABASE_PROFILE) == backup:
            findings.append(f"the API uses its backup database ({backup}) already")
            return ()
        fence = step(
            Failover.fence,
            Fence(),
            target=TARGET,
            why="two databases that both take writes tear the data apart",
            effect="fence the primary database: nobody writes to it until people open it again",
            risk=Risk.DESTRUCTIVE,
            asks=Asks.ALWAYS,
        )
        fence = replace(fence, proves=Answering(checks=("failover.fenced",)))
        change = self.set_switches(
            seen,
            {Switch.DATABASE_PROFILE: backup},
            why="the backup database serves users; WHAT IT HAS NOT RECEIVED IS MISSING THERE",
            expect="requests succeed on the backup database",
            asks=Asks.ALWAYS,
        )
        switch = replace(
            change,
            key=f"{change.key}:failover",
            risk=Risk.DESTRUCTIVE,
            undo=False,
            needs=fence.key,
            approved_with=fence.key,
        )
        return (fence, switch)
