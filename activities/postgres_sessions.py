"""Sessions of PostgreSQL: the long ones, who blocks whom, and which are never to be ended."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.postgres_connection import APPLICATION, POOLER, WHY_BLIND, Database, sees
from activities.redaction import beginning
from activities.words import Answer, Order

_QUERY = 300
_QUERY_READ = 4000
"""Of a statement; the server cuts it there."""
_SECRET = re.compile(r"(\bpassword\s+)('[^']*'?)", re.IGNORECASE)
"""As in ALTER ROLE; what has an equals sign is redacted with the rest."""


class LongRunning(Order):
    """A question for the sessions that have been at it longer than *over_seconds*."""

    over_seconds: float = Field(default=60.0, ge=0)
    most: int = Field(default=20, ge=1, le=30)


class SessionRef(Order):
    """One session doing one thing: a later statement, or a later owner of the pid, is another."""

    pid: int
    backend_start: AwareDatetime
    query_start: AwareDatetime | None = None
    xact_start: AwareDatetime | None = None
    query_id: int | None = None


class Session(Answer):
    """One session at work, in an open transaction, or in the way of others."""

    pid: int
    backend_start: AwareDatetime
    query_start: AwareDatetime | None = None
    xact_start: AwareDatetime | None = None
    query_id: int | None = None
    state: str
    database: str = ""
    application: str
    user: str
    client: str
    age_seconds: float
    """Since its transaction began, or its statement where there is no transaction."""
    query_seconds: float | None = None
    """Since its statement began; None when none runs."""
    idle_in_transaction_seconds: float | None = None
    query: str
    """The statement that runs, or the last one that ran."""
    waits_for: str = ""
    blocked_by: tuple[int, ...] = ()
    """0 stands for a prepared transaction, which has no session."""
    blocks: int = 0
    """How many sessions wait for it, directly or behind another."""
    root_blocker: bool = False
    """It blocks others and waits for nobody."""
    protected: str = ""
    """Why it must never be ended; empty: it may be."""
    pooled: bool = False
    """It belongs to a pooler: ending it hits whichever client holds it just then."""

    @property
    def ref(self) -> SessionRef:
        """Name this session and what it is doing now, for an order to end it."""
        return SessionRef(
            pid=self.pid,
            backend_start=self.backend_start,
            query_start=self.query_start,
            xact_start=self.xact_start,
            query_id=self.query_id,
        )


class Sessions(Answer):
    """The long sessions and the blockers, longest first."""

    sessions: tuple[Session, ...] = ()
    left_out: int = 0
    """How many more there were."""
    blind: bool = False
    """Without the right to see other people's sessions: an empty list means nothing."""
    why_blind: str = ""


FROM_ACTIVITY = r"""
pg_stat_activity a CROSS JOIN LATERAL (
    SELECT regexp_replace(a.query, '/\*([^*]|\*+[^*/])*\*+/|--[^\n]*', ' ', 'g') AS query
) AS bare
"""
"""Sessions, and beside each its statement without comments."""
# No percent sign in it: it stands in statements with parameters too.
PROTECTED = rf"""
CASE
WHEN a.backend_type IS NULL THEN 'not visible to us'
WHEN a.pid = pg_backend_pid() OR a.application_name ^@ '{APPLICATION}' THEN 'ours'
WHEN a.backend_type = 'walsender' OR a.backend_type ^@ 'logical replication'
    THEN 'replication'
WHEN a.backend_type = 'autovacuum worker' AND a.query ~ 'to prevent wraparound'
    THEN 'autovacuum against wraparound'
WHEN a.backend_type <> 'client backend' THEN a.backend_type
WHEN EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.usesysid AND r.rolsuper) THEN 'superuser'
WHEN a.application_name ~* '^pg_(dump|restore|basebackup|receivewal|recvlogical)'
    OR bare.query ~* '^\s*copy\M.*\mto\s+stdout' THEN 'dump'
WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.pid = a.pid)
    OR EXISTS (SELECT FROM pg_stat_progress_cluster p WHERE p.pid = a.pid)
    OR bare.query ~* '^\s*(reindex|cluster|vacuum)\M'
    OR bare.query ~* '\mcreate\s+(unique\s+)?index\M' THEN 'index build'
WHEN a.application_name ~* 'migrat|flyway|liquibase|alembic|sqitch|dbmate'
    OR bare.query ~* '\m(alter|create|drop)\s+(table|schema|type|function|view|policy)\M'
    THEN 'migration'
ELSE '' END
"""  # noqa: S608 (constants)
"""Why a session of *FROM_ACTIVITY* must never be ended; empty when it may be."""

# pg_blocking_pids stops the lock manager for a moment: asked only for those that wait.
_LISTING = f"""
WITH waiting AS MATERIALIZED (
    SELECT pid, pg_blocking_pids(pid) AS blocked_by
    FROM pg_stat_activity WHERE wait_event_type = 'Lock'
)
SELECT a.pid, a.backend_start, a.query_start, a.xact_start, a.query_id, a.state,
       coalesce(a.datname, '') AS database, coalesce(a.application_name, '') AS application,
       coalesce(a.usename, '') AS "user", coalesce(host(a.client_addr), 'local') AS client,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8
       AS age_seconds,
       CASE WHEN a.state = 'active'
       THEN extract(epoch FROM clock_timestamp() - a.query_start)::float8 END AS query_seconds,
       CASE WHEN a.state LIKE 'idle in transaction%'
       THEN extract(epoch FROM clock_timestamp() - a.state_change)::float8 END
       AS idle_in_transaction_seconds,
       left(a.query, 4000) AS query,
       coalesce(a.wait_event_type || ' ' || a.wait_event, '') AS waits_for,
       coalesce(w.blocked_by, '{{}}') AS blocked_by,
       a.application_name || ' ' || a.usename ~* '{POOLER}' AS pooled,
       {PROTECTED} AS protected
FROM {FROM_ACTIVITY} LEFT JOIN waiting w ON w.pid = a.pid
WHERE a.pid <> pg_backend_pid() AND a.leader_pid IS NULL
  AND a.backend_type IN ('client backend', 'autovacuum worker')
  AND a.state <> 'idle' AND a.query_start IS NOT NULL
"""  # noqa: S608 (constants)


class PostgresSessions:
    """Looks at the sessions of a PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="postgres.long_running")
    async def long_running(self, ask: LongRunning) -> Sessions:
        """List long statements, long open transactions and blockers, longest first."""
        async with self._database.session() as session:
            if not await sees(session):
                return Sessions(blind=True, why_blind=WHY_BLIND)
            rows = await (await session.execute(_LISTING)).fetchall()
        found = _chains(rows)
        wanted = [one for one in found if one.age_seconds >= ask.over_seconds or one.blocks]
        # Roots first where the list is cut: they are what everybody waits for.
        wanted.sort(key=lambda one: (not one.root_blocker, -one.age_seconds))
        kept = sorted(wanted[: ask.most], key=lambda one: -one.age_seconds)
        return Sessions(sessions=tuple(kept), left_out=len(wanted) - len(kept))


def shown(query: str | None) -> str:
    """Give a statement for people: one short line, without passwords."""
    query = query or ""
    text = _SECRET.sub(r"\1'…'", " ".join(query.split()))
    return beginning(text, _QUERY, cut=len(query) >= _QUERY_READ)


def _chains(rows: list[dict[str, Any]]) -> list[Session]:
    waits_for = {row["pid"]: set(row["blocked_by"]) - {row["pid"]} for row in rows}
    waiters: defaultdict[int, set[int]] = defaultdict(set)
    for waiter, blockers in waits_for.items():
        for blocker in blockers:
            waiters[blocker].add(waiter)
    sessions = []
    for row in rows:
        pid = row["pid"]
        behind: set[int] = set()
        edge = set(waiters[pid])
        while edge:
            behind |= edge
            edge = {next_ for waiter in edge for next_ in waiters[waiter]} - behind
        blocked_by = tuple(sorted(waits_for[pid]))
        more = {
            "query": shown(row["query"]),
            "blocked_by": blocked_by,
            "blocks": len(behind - {pid}),
            "root_blocker": bool(behind) and not blocked_by,
        }
        sessions.append(Session.model_validate(row | more))
    return sessions
