"""The runbook's indexes: which are missing, and which of them would help."""

from __future__ import annotations

from activities.postgres_indexes import SCHEMA, CreateIndex, IndexState, PostgresIndexes, State
from activities.postgres_indexing import PostgresIndexing
from activities.postgres_sessions import LongRunning, PostgresSessions
from activities.postgres_statements import PostgresStatements, Scanned, Scans, Top
from activities.prometheus import Prometheus, Query
from activities.record import Asks
from activities.words import Nothing, Risk
from workflows import promql
from workflows.procedures.base import Evidence, Probe, Procedure, Step, step
from workflows.procedures.measured import number


class MakesIndexes(Procedure):
    """Knows what makes a database slow, and plans the indexes that it lacks."""

    statements = Probe(PostgresStatements.slow_statements, Top(), why="most expensive statements")
    indexes = Probe(PostgresIndexes.missing_indexes, Nothing(), why="the runbook's five indexes")
    scans = Probe(
        PostgresStatements.sequential_scans, Scans(), why="large tables that are read whole"
    )
    worst = Probe(PostgresStatements.plan, Top(), why="plan of the worst SELECT")
    old_transactions = Probe(
        PostgresSessions.long_running,
        lambda given: LongRunning(over_seconds=given.old_transaction_seconds, most=5),
        why="transactions that have been open for long",
    )
    disk = Probe(
        Prometheus.value,
        Query(expression=promql.DATABASE_DISK_FREE),
        why="free share of the database's disk",
    )

    def make_indexes(
        self, seen: Evidence, disk_of_host: float | None
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan each missing index that the evidence supports; each is permanent, and asks."""
        findings = self._statement_findings(seen)
        indexes, scans = seen[self.indexes], seen[self.scans]
        if indexes is None or scans is None:
            why = seen.why_not(self.indexes) or seen.why_not(self.scans)
            return (), (*findings, f"no index is proposed: {why}")
        free = self._disk_free(seen, disk_of_host)
        against = self._against(seen, free)
        read_whole = {table.table: table for table in scans.tables}
        plan = seen[self.worst]
        steps = []
        for index in indexes.indexes:
            if not index.can_be_made:
                findings += _cannot(index)
                continue
            scanned = read_whole.get(f"{SCHEMA}.{index.table}")
            if scanned is None and (plan is None or index.table not in plan.sequential):
                findings.append(f"{index.name} is missing, but nothing shows that it would help")
            elif against:
                findings.append(f"{index.name} would help, but is not made: {against}")
            else:
                steps.append(_make(index, scanned, free))
                findings.append(
                    f"once {index.name} is made, write a migration: it is on this server alone"
                )
        return tuple(steps), tuple(findings)

    def _disk_free(self, seen: Evidence, disk_of_host: float | None) -> float | None:
        return disk_of_host if self.given.database_on_api_host else number(seen[self.disk])

    def _against(self, seen: Evidence, free: float | None) -> str:
        """Say what forbids any index now."""
        wanted = self.given.disk_free_ratio
        if free is None:
            return f"the database's disk is not known to be {wanted:.0%} free"
        if free < wanted:
            return f"{free:.0%} of the database's disk is free, and it takes {wanted:.0%}"
        old = seen[self.old_transactions]
        for session in old.sessions if old else ():
            if session.xact_start and session.age_seconds >= self.given.old_transaction_seconds:
                name = session.application or session.user
                return (
                    f"it would wait for pid {session.pid} ({name}), "
                    f"in a transaction for {session.age_seconds:.0f} s"
                )
        return ""

    def _statement_findings(self, seen: Evidence) -> list[str]:
        statements, plan = seen[self.statements], seen[self.worst]
        findings = []
        if statements is not None and statements.finding:
            findings.append(f"statements: {statements.finding}")
        if statements is not None and statements.by_total:
            top = statements.by_total[0]
            findings.append(
                f"optimise “{top.query[:100]}”: {top.share:.0%} of the database's time, "
                f"{top.calls} calls of {top.mean_milliseconds:.0f} ms"
            )
        if plan is not None and plan.sequential:
            findings.append(
                f"the worst SELECT reads {', '.join(plan.sequential)} whole: “{plan.query[:100]}”"
            )
        return [*findings, f"see the performance of the database: {self.given.database_console}"]


def _make(index: IndexState, scanned: Scanned | None, free: float | None) -> Step:
    columns = ", ".join(index.columns)
    seen = (
        f"read whole {scanned.sequential_scans} times, {scanned.rows_read_per_scan} rows each"
        if scanned
        else "read whole by the worst SELECT"
    )
    leftover = ", after dropping the invalid one" if index.state is State.INVALID else ""
    return step(
        PostgresIndexing.create_index,
        CreateIndex(name=index.name, disk_free_ratio=free),
        key=f"postgres.create_index@{index.name}",
        target="postgres",
        why=f"{index.table} was {seen}",
        effect=f"create index {index.name} on {index.table} ({columns}){leftover}, concurrently; "
        "writes go on meanwhile, and it stays",
        expect="database p95 falls once the index is valid",
        risk=Risk.DISRUPTIVE,
        asks=Asks.ALWAYS,
        apply_seconds=1800,
    )


def _cannot(index: IndexState) -> list[str]:
    """Say why a missing index is not made; nothing where it is there."""
    if index.state is State.VALID or index.covered_by:
        return []
    if not index.table_exists:
        return [f"{index.name} is missing, and so is its table {index.table}"]
    if index.state is State.BUILDING:
        return [f"{index.name} is being built by pid {index.builder}"]
    if index.state is State.TAKEN:
        return [f"something else is called {index.name}"]
    if index.partitioned:
        return [f"{index.name} is missing on the partitioned {index.table}: a person makes it"]
    return [f"{index.name}: {index.table} has no column {', '.join(index.missing_columns)}"]
