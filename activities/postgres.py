"""PostgreSQL: whether it answers, and who holds its connections."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any

import psycopg
from pydantic import AwareDatetime
from temporalio import activity

from activities.postgres_connection import POOLER, SEES, WHY_BLIND, Database
from activities.postgres_findings import Finding, connect_failed, finding, said
from activities.verification import Sample
from activities.words import Answer, Nothing


class Answered(Answer):
    """Whether the database answered a new connection."""

    reachable: bool
    finding: Finding = Finding.NONE
    said: str = ""
    milliseconds: float
    """From the first packet to the first row."""
    server_time: AwareDatetime | None = None
    version: str = ""
    read_only: bool = False
    """Writes are refused: a replica, or a provider's lock on a full disk."""


class Held(Answer):
    """Connections alike."""

    state: str
    application: str
    user: str
    count: int


class Connections(Answer):
    """Connections against the limit."""

    used: int
    max: int
    reserved: int
    """Of *max*, kept back for superusers and the like."""
    used_ratio: float
    by: tuple[Held, ...] = ()
    pooler: bool = False
    """A pooler is in between: its clients are not seen here, and idle means pooled."""
    blind: bool = False
    """Without the right to see other people's sessions: *by* says nothing, health included."""
    why_blind: str = ""


_ANSWERS = """
SELECT clock_timestamp() AS server_time, current_setting('server_version') AS version,
       pg_is_in_recovery()
       OR (SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only')
       AS read_only
"""
# pg_stat_database counts for everybody, pg_stat_activity only for those who may see.
_LIMITS = f"""
SELECT {SEES} AS sees, current_setting('max_connections')::int AS max,
       current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
       (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database) AS backends
"""  # noqa: S608 (a constant)
_BY = """
SELECT coalesce(state, '') AS state, coalesce(application_name, '') AS application,
       coalesce(usename, '') AS "user", count(*)::int AS count
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2, 3
ORDER BY 4 DESC, 1, 2, 3
"""
_MOST_GROUPS = 50


class Postgres:
    """Asks PostgreSQL how it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="postgres.answers")
    async def answers(self, ask: Nothing) -> Answered:  # noqa: ARG002
        """Open a new connection and select the time; an unreachable database is an answer too."""
        begun = time.perf_counter()
        try:
            # New each time: a connection that is already open says nothing about the door.
            async with asyncio.timeout(self._database.statement_seconds * 2):
                async with await self._database.connect() as connection:
                    row = await (await connection.execute(_ANSWERS)).fetchone()
        except (psycopg.Error, OSError, TimeoutError) as error:
            kind = finding(error)
            return Answered(
                reachable=False,
                finding=kind,
                said=connect_failed(error).message if kind is Finding.DNS else said(error),
                milliseconds=_since(begun),
            )
        return Answered.model_validate(
            {**(row or {}), "reachable": True, "milliseconds": _since(begun)}
        )

    async def answers_sample(self) -> Sample:
        """Look once whether the database answers; unknown when it is we who cannot ask."""
        answered = await self.answers(Nothing())
        return Sample(
            at=datetime.now(UTC),
            good=None if answered.finding.blind else answered.reachable,
            value=answered.milliseconds / 1000 if answered.reachable else None,
            note=f"PostgreSQL: {answered.finding}: {answered.said}" if answered.finding else "",
        )

    @activity.defn(name="postgres.connections")
    async def connections(self, ask: Nothing) -> Connections:  # noqa: ARG002
        """Count the connections against the limit, by state, application and user."""
        async with self._database.session() as session:
            limits = await (await session.execute(_LIMITS)).fetchone() or {}
            if not limits["sees"]:
                return _against(limits, limits["backends"], blind=True, why_blind=WHY_BLIND)
            groups = [
                Held.model_validate(row) for row in await (await session.execute(_BY)).fetchall()
            ]
        pooler = any(re.search(POOLER, f"{g.application} {g.user}", re.IGNORECASE) for g in groups)
        rest = groups[_MOST_GROUPS:]
        shown = groups[:_MOST_GROUPS]
        if rest:
            others = sum(group.count for group in rest)
            shown.append(Held(state="(others)", application="", user="", count=others))
        used = sum(group.count for group in groups)
        return _against(limits, used, by=tuple(shown), pooler=pooler)


def _against(limits: dict[str, Any], used: int, **more: Any) -> Connections:
    return Connections(
        used=used,
        max=limits["max"],
        reserved=limits["reserved"],
        used_ratio=round(used / limits["max"], 4),
        **more,
    )


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
