"""Evidence for a slow PostgreSQL: its top statements, its sequential scans, the worst plan."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
from psycopg import sql
from pydantic import Field
from temporalio import activity

from activities.postgres_connection import WHY_BLIND, Connection, Database, sees
from activities.postgres_findings import said
from activities.postgres_sessions import shown
from activities.words import Answer, Order, cut

_PLAN_BYTES = 16 * 1024
_TRIED = 5
_GENERIC_PLAN = 160_000
NOT_INSTALLED = (
    "pg_stat_statements is not installed: CREATE EXTENSION, and shared_preload_libraries"
)


class Top(Order):
    """How many of the worst to show."""

    most: int = Field(default=10, ge=1, le=20)


class Scans(Order):
    """A question for tables of at least *over_rows* rows that are read from end to end."""

    over_rows: int = Field(default=10_000, ge=0)
    most: int = Field(default=10, ge=1, le=20)


class Statement(Answer):
    """One kind of statement and what it has cost since the statistics were reset."""

    query_id: int | None
    query: str
    user: str
    calls: int
    total_seconds: float
    mean_milliseconds: float
    max_milliseconds: float
    rows: int
    share: float
    """Of the time of all statements."""


class Statements(Answer):
    """The worst kinds of statements of this database, by time in all and by time a call."""

    by_total: tuple[Statement, ...] = ()
    by_mean: tuple[Statement, ...] = ()
    finding: str = ""
    """Why nothing, or not everything, is known."""


class Scanned(Answer):
    """A large table that is read from end to end."""

    table: str
    rows: int
    """Estimated."""
    size_bytes: int
    """Estimated, without its indexes."""
    sequential_scans: int
    index_scans: int
    rows_read_per_scan: int


class SequentialScans(Answer):
    """Large tables that are read from end to end, most rows read first."""

    tables: tuple[Scanned, ...]


class Plan(Answer):
    """How the server would carry out the worst SELECT; it was not carried out."""

    finding: str = ""
    """Why there is no plan."""
    query_id: int | None = None
    query: str = ""
    total_cost: float | None = None
    sequential: tuple[str, ...] = ()
    """Tables that it reads from end to end."""
    plan: str = ""
    """JSON, cut when long."""
    skipped: tuple[str, ...] = ()
    """Worse statements that could not be planned, and why."""


# Supabase keeps it in another schema, hence its name is looked up.
_WHERE = """
SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
_STATEMENTS = sql.SQL(
    """
SELECT s.queryid AS query_id, left(s.query, {characters}) AS query,
       coalesce(r.rolname, '') AS "user", s.calls,
       s.total_exec_time / 1000 AS total_seconds, s.mean_exec_time AS mean_milliseconds,
       s.max_exec_time AS max_milliseconds, s.rows,
       s.total_exec_time / nullif(sum(s.total_exec_time) OVER (), 0) AS share
FROM {view} s LEFT JOIN pg_roles r ON r.oid = s.userid
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.query !~ 'pg_stat_|pg_catalog'
ORDER BY {order} DESC NULLS LAST LIMIT {most}
"""
)
_BY_TOTAL, _BY_MEAN = sql.Identifier("total_exec_time"), sql.Identifier("mean_exec_time")
# Sizes as of the last vacuum: pg_relation_size waits for whoever has locked the table.
_SCANS = """
SELECT s.schemaname || '.' || s.relname AS "table",
       greatest(c.reltuples, s.n_live_tup)::bigint AS rows,
       c.relpages::bigint * current_setting('block_size')::int AS size_bytes,
       s.seq_scan AS sequential_scans, coalesce(s.idx_scan, 0) AS index_scans,
       s.seq_tup_read / s.seq_scan AS rows_read_per_scan
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE s.seq_scan > 0 AND greatest(c.reltuples, s.n_live_tup) >= %(over_rows)s
ORDER BY s.seq_tup_read DESC LIMIT %(most)s
"""
_SELECTS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
# A word too many loses a plan; a word too few could write.
_WRITES = re.compile(
    r";|\b(insert|update|delete|merge|into|share|call|do|copy|create|alter|drop|truncate|lock|grant"
    r"|nextval|setval|pg_(cancel|terminate)_backend|pg_(try_)?advisory\w*|dblink\w*|lo_\w+)\b",
    re.IGNORECASE,
)


class PostgresStatements:
    """Looks for what makes a PostgreSQL slow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="postgres.slow_statements")
    async def slow_statements(self, ask: Top) -> Statements:
        """List the kinds of statements that cost most, by time in all and by time a call."""
        async with self._database.session() as session:
            try:
                by_total = await _statements(session, _BY_TOTAL, ask.most)
                by_mean = await _statements(session, _BY_MEAN, ask.most)
            except _Missing as missing:
                return Statements(finding=str(missing))
            finding = "" if await sees(session) else WHY_BLIND
        return Statements(
            by_total=tuple(Statement.model_validate(_told(row)) for row in by_total),
            by_mean=tuple(Statement.model_validate(_told(row)) for row in by_mean),
            finding=finding,
        )

    @activity.defn(name="postgres.sequential_scans")
    async def sequential_scans(self, ask: Scans) -> SequentialScans:
        """List the large tables that are read from end to end."""
        async with self._database.session() as session:
            rows = await (await session.execute(_SCANS, ask.model_dump())).fetchall()
        return SequentialScans(tables=tuple(Scanned.model_validate(row) for row in rows))

    @activity.defn(name="postgres.plan")
    async def plan(self, ask: Top) -> Plan:
        """Plan the SELECT that cost most, without carrying it out."""
        async with self._database.session() as session:
            try:
                rows = await _statements(session, _BY_TOTAL, ask.most, characters=20_000)
            except _Missing as missing:
                return Plan(finding=str(missing))
            selects = [row for row in rows if pure_select(row["query"] or "")]
            skipped: list[str] = []
            for row in selects[:_TRIED]:
                try:
                    explained = await _explain(session, row["query"])
                except psycopg.Error as error:
                    if session.closed:
                        raise
                    skipped.append(f"{shown(row['query'])[:80]}: {said(error)}")
                    continue
                return Plan(
                    query_id=row["query_id"],
                    query=shown(row["query"]),
                    total_cost=explained["Total Cost"],
                    sequential=tuple(dict.fromkeys(_sequential(explained))),
                    plan=cut(json.dumps(explained), _PLAN_BYTES),
                    skipped=tuple(skipped),
                )
        why = "none of the top SELECTs could be planned" if selects else "no SELECT among the top"
        return Plan(finding=why, skipped=tuple(skipped))


def pure_select(query: str) -> bool:
    """Whether a statement is one SELECT and nothing that could write; in doubt it is not."""
    text = re.sub(r"/\*.*?\*/|--[^\n]*", " ", query, flags=re.DOTALL)
    return bool(_SELECTS.match(text)) and not _WRITES.search(query)


class _Missing(Exception):
    """pg_stat_statements cannot be read."""


async def _statements(
    session: Connection, order: sql.Identifier, most: int, *, characters: int = 4000
) -> list[dict[str, Any]]:
    found = await (await session.execute(_WHERE)).fetchone()
    if found is None:
        raise _Missing(NOT_INSTALLED)
    question = _STATEMENTS.format(
        view=sql.Identifier(found["schema"], "pg_stat_statements"),
        order=order,
        most=most,
        characters=characters,
    )
    try:
        return await (await session.execute(question)).fetchall()
    except psycopg.errors.ObjectNotInPrerequisiteState:
        raise _Missing(NOT_INSTALLED) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _Missing(said(error)) from None


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"query": shown(row["query"]), "share": row["share"] or 0.0}


async def _explain(session: Connection, query: str) -> dict[str, Any]:
    parameters = re.search(r"\$\d", query) is not None
    if parameters and session.info.server_version < _GENERIC_PLAN:
        raise psycopg.NotSupportedError("a statement with parameters needs PostgreSQL 16 to plan")
    options = "GENERIC_PLAN, FORMAT JSON" if parameters else "FORMAT JSON"
    async with session.transaction(force_rollback=True):
        # As its own users would have it planned: their schemas, not only ours.
        await session.execute("SET TRANSACTION READ ONLY; SET LOCAL search_path TO DEFAULT")
        # Bytes, and no parameters: the driver neither reads "%" in it nor numbers its "$1".
        cursor = await session.execute(f"EXPLAIN ({options}) {query}".encode())
        row = await cursor.fetchone()
    found: dict[str, Any] = (row or {})["QUERY PLAN"][0]["Plan"]
    return found


def _sequential(node: dict[str, Any]) -> list[str]:
    here = [node["Relation Name"]] if node.get("Node Type") == "Seq Scan" else []
    return here + [name for child in node.get("Plans", ()) for name in _sequential(child)]
