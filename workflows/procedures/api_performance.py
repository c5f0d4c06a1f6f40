"""Runbook, "API Performance Incidents"."""

from __future__ import annotations

from activities.alerts import Alert
from activities.host import Capacity, Host, RecentDeployments
from activities.postgres import Postgres
from activities.postgres_indexes import CreateIndex, PostgresIndexes
from activities.postgres_indexing import PostgresIndexing
from activities.postgres_statements import PostgresStatements, Scans, Top
from activities.processes import App, ProcessManager, RollingRestart, Scale
from activities.prometheus import Prometheus, Query, Series, SeriesAnswer, SeriesQuery
from activities.record import Asks
from activities.switches import SetSwitches, Switch, Switches
from activities.verification import Below
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step

_MOST_CONNECTIONS = 0.8
_MEMORY_LEFT = 0.1
_OTHER = {"openai": "anthropic", "anthropic": "openai"}
_LLM_TIMEOUT_MS = "10000"


class HighAPILatency(Procedure):
    """The API answers slowly: p95 over 0.5 seconds."""

    severity = Severity.WARNING
    impact = "Pages load slowly, the dashboard feels sluggish, and some requests time out."
    section = "high-api-latency-p95--500ms"
    recovered = Below(
        expression=promql.API_P95, threshold=0.5, unit="s", traffic=promql.API_RATE, floor=0.1
    )

    p95 = Probe(Prometheus.value, Query(expression=promql.API_P95), why="p95 of the API now")
    routes = Probe(
        Prometheus.series, SeriesQuery(expression=promql.SLOWEST_ROUTES), why="ten slowest routes"
    )
    queries = Probe(
        Prometheus.series, SeriesQuery(expression=promql.DATABASE_P95), why="p95 by type of query"
    )
    providers = Probe(
        Prometheus.series, SeriesQuery(expression=promql.LLM_P95), why="p95 by LLM provider"
    )
    rate = Probe(Prometheus.value, Query(expression=promql.API_RATE), why="requests a second now")
    baseline = Probe(
        Prometheus.value,
        lambda given: Query(expression=promql.api_rate(offset=given.baseline_offset)),
        why="requests a second an hour ago",
    )
    slope = Probe(
        Prometheus.value, Query(expression=promql.MEMORY_SLOPE), why="growth of the API's memory"
    )
    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")
    instances = Probe(ProcessManager.processes, App(), why="API instances")
    connections = Probe(Postgres.connections, Nothing(), why="database connections")
    statements = Probe(PostgresStatements.slow_statements, Top(), why="most expensive statements")
    indexes = Probe(PostgresIndexes.missing_indexes, Nothing(), why="the runbook's five indexes")
    scans = Probe(
        PostgresStatements.sequential_scans, Scans(), why="large tables that are read whole"
    )
    worst = Probe(PostgresStatements.plan, Top(), why="plan of the worst SELECT")
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Treat the cause that the evidence shows; without one, propose a rolling restart."""
        findings = self._findings(seen)
        if slow := _over(seen[self.queries], self.given.database_slow_seconds):
            cause = f"the database is slow: {slow}"
            return self._ladder(cause, index_steps(self, seen, findings), findings)
        if slow := _over(seen[self.providers], self.given.llm_slow_seconds):
            return self._ladder(f"an LLM provider is slow: {slow}", self._llm(seen), findings)
        if spike := self._spike(seen):
            return self._ladder(spike, self._scale(seen, findings), findings)
        capacity, slope = seen[self.capacity], seen[self.slope]
        if (
            _short_of_memory(capacity, self.given.memory_high_ratio)
            and slope
            and (slope.value or 0) > 0
        ):
            return self._ladder("memory is short and grows", [self._restart(seen)], findings)
        proposed = self._restart(seen, asks=Asks.ALWAYS)
        return self._ladder("no clear cause", [proposed], findings)

    def _ladder(self, cause: str, steps: list[Step], findings: list[str]) -> Ladder:
        advice = "Look for N+1 queries, missing time-outs and work to make asynchronous on the slow routes."
        return Ladder(cause, tuple(steps), (*findings, advice), "The API is still slow.")

    def _findings(self, seen: Evidence) -> list[str]:
        deployed, routes = seen[self.deployment], seen[self.routes]
        findings = []
        if deployed is not None and deployed.last and deployed.newest_minutes_ago is not None:
            last = deployed.last[0]
            ago = f"{deployed.newest_minutes_ago:.0f} minutes ago"
            findings.append(f"last deployment {last.release} by {last.author or 'unknown'}, {ago}")
        if slowest := _over(routes, self.recovered.threshold):
            findings.append(f"slow routes: {slowest}")
        return findings

    def _llm(self, seen: Evidence) -> list[Step]:
        slow = {
            series.labels.get("provider", "")
            for series in _slow(seen[self.providers], self.given.llm_slow_seconds)
        }
        values = {Switch.LLM_TIMEOUT_MS: _LLM_TIMEOUT_MS}
        other = next((_OTHER[name] for name in sorted(slow) if name in _OTHER), "")
        if other and other not in slow:
            values[Switch.LLM_ROUTING] = f"forcedProvider:{other}"
        to = f", all calls to {other}" if Switch.LLM_ROUTING in values else ""
        return [
            step(
                Switches.set,
                SetSwitches(app=self.given.app, values=values),
                target=self.given.app,
                why="requests wait for the provider",
                effect=f"LLM time-out {_LLM_TIMEOUT_MS} ms{to} (restarts {self.given.app} once)",
                risk=Risk.DISRUPTIVE,
                undo=True,
                restarts=True,
            )
        ]

    def _spike(self, seen: Evidence) -> str:
        now, before = seen[self.rate], seen[self.baseline]
        if now is None or before is None or now.value is None or not before.value:
            return ""
        times = now.value / before.value
        if times < self.given.spike_ratio:
            return ""
        return f"traffic is {times:.1f} times that of {self.given.baseline_offset} ago"

    def _scale(self, seen: Evidence, findings: list[str]) -> list[Step]:
        """Scale to 5, never down, and only where the host and the database can carry it."""
        running, connections = seen[self.instances], seen[self.connections]
        capacity = seen[self.capacity]
        wanted = min(
            max(self.given.replicas_high, running.online if running else 0),
            self.given.replicas_most,
        )
        asks = Asks.POLICY
        if running is None or connections is None or connections.blind or not _known(capacity):
            asks = Asks.ALWAYS
            findings.append(
                "not everything could be read that says whether scaling is safe: asking"
            )
        elif refusal := self._no_room(
            running.online,
            wanted,
            connections.max - connections.reserved,
            connections.used_ratio,
            capacity,
        ):
            findings.append(f"not scaled: {refusal}")
            return []
        now = str(running.online) if running else "?"
        return [
            step(
                ProcessManager.scale,
                Scale(app=self.given.app, replicas=wanted, most=self.given.replicas_most),
                target=self.given.app,
                why="more requests come than the instances can take",
                effect=f"scale {self.given.app} from {now} to {wanted} instances",
                expect="p95 falls as soon as the new instances answer",
                risk=Risk.REVERSIBLE,
                asks=asks,
                undo=True,
            )
        ]

    def _no_room(
        self, now: int, wanted: int, room: int, used: float, capacity: Capacity | None
    ) -> str:
        needed = wanted * self.given.pool_size
        if wanted <= now:
            return f"{now} instances run already"
        if needed > room - self.given.connections_reserve:
            return (
                f"{wanted} instances may open {needed} connections, more than the database has left"
            )
        if used >= _MOST_CONNECTIONS:
            return f"{used:.0%} of the database connections are used"
        if capacity is not None and (capacity.cpu_busy_ratio or 0) > self.given.load_high_ratio:
            return "the host has no CPU left"
        if _short_of_memory(capacity, 1 - _MEMORY_LEFT):
            return "the host has no memory left"
        return ""

    def _restart(self, seen: Evidence, asks: Asks = Asks.POLICY) -> Step:
        return step(
            ProcessManager.rolling_restart,
            RollingRestart(app=self.given.app, requested_at=seen.at),
            target=self.given.app,
            why="a restart clears what has piled up in memory; the leak itself is for people to find",
            effect=f"restart {self.given.app}, one instance after the other",
            risk=Risk.DISRUPTIVE,
            asks=asks,
            restarts=True,
            apply_seconds=300,
        )


def index_steps(procedure: HighAPILatency, seen: Evidence, findings: list[str]) -> list[Step]:
    """Plan each missing index of the runbook that the evidence supports; permanent, so a migration must follow."""
    indexes, scans, host = seen[procedure.indexes], seen[procedure.scans], seen[procedure.capacity]
    if indexes is None or scans is None:
        why = seen.why_not(procedure.indexes) or seen.why_not(procedure.scans)
        findings.append(f"no index is proposed: {why}")
        return []
    scanned = {table.table.rpartition(".")[2] for table in scans.tables}
    steps = []
    for index in indexes.missing:
        if index.table not in scanned or not index.can_be_made:
            findings.append(f"{index.name.value} is missing, but nothing shows that it would help")
            continue
        findings.append(f"write a migration for {index.name.value}: it is made on the server alone")
        steps.append(
            step(
                PostgresIndexing.create_index,
                CreateIndex(
                    name=index.name, disk_free_ratio=host.disk_free_ratio if host else None
                ),
                key=f"postgres.create_index@{index.name.value}",
                target="postgres",
                why=f"{index.table} is read whole, again and again",
                effect=f"create index {index.name.value} on {index.table}, concurrently; it stays",
                risk=Risk.DISRUPTIVE,
                asks=Asks.ALWAYS,
                apply_seconds=1800,
            )
        )
    return steps


def _slow(answer: SeriesAnswer | None, seconds: float) -> list[Series]:
    return [s for s in answer.series if s.value is not None and s.value > seconds] if answer else []


def _over(answer: SeriesAnswer | None, seconds: float) -> str:
    return ", ".join(
        f"{'/'.join(series.labels.values()) or 'all'} {series.value:.2f} s"
        for series in _slow(answer, seconds)
    )


def _known(capacity: Capacity | None) -> bool:
    return (
        capacity is not None
        and capacity.cpu_busy_ratio is not None
        and bool(capacity.memory_total_bytes)
        and capacity.memory_available_bytes is not None
    )


def _short_of_memory(capacity: Capacity | None, ratio: float) -> bool:
    if (
        capacity is None
        or not capacity.memory_total_bytes
        or capacity.memory_available_bytes is None
    ):
        return False
    return 1 - capacity.memory_available_bytes / capacity.memory_total_bytes > ratio
