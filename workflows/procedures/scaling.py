"""More instances of the API, only where host and database can carry them."""

from __future__ import annotations

from activities.host import Host
from activities.postgres import Postgres
from activities.processes import ProcessManager, Scale
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.supervisor import Processes
from activities.switches import Switch
from activities.words import Nothing, Risk
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Probe, Step, step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import (
    known,
    load_ratio,
    mebibytes,
    memory_free_ratio,
    number,
    over,
)

MOST_CONNECTIONS = 0.8
MEMORY_LEFT = 0.1
"""Of the host's memory, what new instances must leave."""


class ScalesOut(ActsOnInstances):
    """Knows what more instances would need, and plans them."""

    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")
    connections = Probe(Postgres.connections, Nothing(), why="database connections")
    queries = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.DATABASE_P95),
        why="database p95 by type of query",
    )
    rate = Probe(Prometheus.value, Query(expression=promql.API_RATE), why="requests a second now")
    baseline = Probe(
        Prometheus.value,
        lambda given: Query(expression=promql.api_rate(offset=given.baseline_offset)),
        why="requests a second an hour ago",
    )

    def more_traffic(self, seen: Evidence, replicas: int) -> Cause | None:
        """Scale to *replicas* where far more requests come than an hour ago."""
        now, before = number(seen[self.rate]), number(seen[self.baseline])
        if now is None or not before or now / before < self.given.spike_ratio:
            return None
        ago = self.given.baseline_offset
        steps, findings = self.scale_out(
            seen, replicas, why="more requests come than the instances can take"
        )
        words = f"traffic grew {now / before:.1f} times in {ago}: {before:.1f}/s to {now:.1f}/s"
        return Cause(words, steps, findings)

    def scale_out(
        self, seen: Evidence, replicas: int, *, why: str
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan at least *replicas* instances, never fewer than run, or say what stands against."""
        given, running = self.given, seen[self.instances]
        now = len(running.instances) if running else 0
        wanted = max(now, min(replicas, given.replicas_most))
        if running and wanted == now:
            return (), (f"not scaled: {now} instances run already",)
        # A cluster finds room for a pod, or says that it has none.
        clustered = running is not None and running.on_cluster
        against = self._database_against(seen, wanted)
        if not clustered:
            against = against or self._host_against(seen, wanted - now)
        if against:
            return (), (f"not scaled from {now if running else '?'} to {wanted}: {against}",)
        unknown = self._not_known(seen)
        scale = step(
            ProcessManager.scale,
            Scale(app=given.app, replicas=wanted, most=given.replicas_most),
            target=given.app,
            why=why,
            effect=f"scale {given.app} from {now if running else '?'} to {wanted} instances",
            details=running.notes if running else (),
            expect="p95 falls as soon as the new instances answer",
            risk=Risk.REVERSIBLE,
            asks=Asks.ALWAYS if unknown else Asks.POLICY,
            undo=True,
        )
        return (scale,), tuple(f"scaling asks first: {reason}" for reason in unknown)

    def _database_against(self, seen: Evidence, wanted: int) -> str:
        connections = seen[self.connections]
        if slow := over(seen[self.queries], self.given.database_slow_seconds):
            return f"the database is slow ({slow})"
        if connections is None:
            return ""
        if connections.used_ratio >= MOST_CONNECTIONS:
            return f"{connections.used} of {connections.max} database connections are used"
        pool = self.pool_size(seen)
        left = connections.max - connections.reserved - self.given.connections_reserve
        if pool is not None and wanted * pool > left:
            return (
                f"{wanted} instances may open {wanted * pool} connections, "
                f"and the database has {left} for them"
            )
        return ""

    def _host_against(self, seen: Evidence, more: int) -> str:
        host = seen[self.capacity]
        load = load_ratio(host)
        if load is not None and load > self.given.load_high_ratio:
            return f"the host's load is {load:.2f} for each processor"
        if (
            host is None
            or not (total := host.memory_total_bytes)
            or (left := host.memory_available_bytes) is None
        ):
            return ""
        needed = more * (largest(seen[self.instances]) or 0)
        if left - needed < MEMORY_LEFT * total:
            return (
                f"the host has {mebibytes(left)} of {mebibytes(total)} left, "
                f"and {more} more instances need {mebibytes(needed)}"
            )
        return ""

    def _not_known(self, seen: Evidence) -> list[str]:
        """List what could not be read of that which says whether scaling is safe."""
        running, connections, queries = (
            seen[self.instances],
            seen[self.connections],
            seen[self.queries],
        )
        unknown = seen.unread((self.instances, self.connections, self.queries))
        if connections is not None and connections.blind:
            unknown.append(connections.why_blind)
        if connections is not None and connections.pooler:
            unknown.append("a pooler is in between, and what it may open is not known")
        if queries is not None and not known(queries):
            unknown.append("database p95: no data")
        if running is not None and self.pool_size(seen) is None:
            unknown.append("the instances' pool size")
        if running is not None and running.on_cluster:
            return unknown
        return unknown + self._not_known_of_host(seen)

    def _not_known_of_host(self, seen: Evidence) -> list[str]:
        host, running = seen[self.capacity], seen[self.instances]
        unknown = seen.unread((self.capacity,))
        if host is not None and None in (load_ratio(host), memory_free_ratio(host)):
            unknown.append(f"API host: {'; '.join(host.unread) or 'no load or memory'}")
        if running is not None and largest(running) is None:
            unknown.append("the instances' memory")
        return unknown

    def pool_size(self, seen: Evidence) -> int | None:
        """Give how many connections one instance may open."""
        present = self.present(seen, Switch.DATABASE_POOL_MAX)
        return int(present) if present.isdecimal() else None


def largest(running: Processes | None) -> int | None:
    """Give the memory of the largest instance."""
    sizes = (
        [each.memory_bytes for each in running.instances if each.memory_bytes] if running else []
    )
    return max(sizes, default=None)
