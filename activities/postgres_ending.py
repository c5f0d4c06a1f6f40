"""The two changes to sessions of PostgreSQL: cancel a statement, terminate a session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import psycopg
from pydantic import Field
from temporalio import activity

from activities.changes import Attempt, Targets, attempt, heartbeats
from activities.errors import Refused
from activities.postgres_connection import WHY_BLIND, Connection, Database, sees
from activities.postgres_sessions import FROM_ACTIVITY, PROTECTED, SessionRef, shown
from activities.words import Answer, Done, Order

_TARGET = "postgres sessions"
_POLL_SECONDS = 0.1


class EndSessions(Order):
    """An order to cancel or terminate these sessions, as long as each does what it did."""

    sessions: tuple[SessionRef, ...] = Field(min_length=1, max_length=50)
    why: str = Field(max_length=500)


class Found(StrEnum):
    """What became of a session since somebody looked at it."""

    SAME = "same"
    GONE = "gone"
    OTHER = "something else"


class Backend(Answer):
    """One ordered session as it is now."""

    pid: int
    found: Found
    state: str = ""
    application: str = ""
    user: str = ""
    age_seconds: float | None = None
    query: str = ""
    protected: str = ""


class Backends(Answer):
    """The ordered sessions as they are now."""

    backends: tuple[Backend, ...]


Verb = Literal["cancel", "terminate"]
# The match, the protection and the signal are one statement: a pid is reused within moments.
_TRANSACTION = "a.xact_start IS NOT DISTINCT FROM %(xact_start)s::timestamptz"
# What was approved and then cancelled is idle, its transaction over, and holds its connection on.
_ENDED = "(a.state = 'idle' AND a.xact_start IS NULL)"


def _match(transaction: str) -> str:
    return f"""
a.backend_start = %(backend_start)s
AND a.query_start IS NOT DISTINCT FROM %(query_start)s::timestamptz
AND ({transaction})
AND a.query_id IS NOT DISTINCT FROM %(query_id)s::bigint
"""


_MATCH: dict[Verb, str] = {
    "cancel": _match(_TRANSACTION),
    "terminate": _match(f"{_TRANSACTION} OR {_ENDED}"),
}
_LOOK = {
    verb: f"""
SELECT a.pid, CASE WHEN a.backend_start <> %(backend_start)s THEN 'gone'
       WHEN {match} THEN 'same' ELSE 'something else' END AS found,
       coalesce(a.state, '') AS state, coalesce(a.application_name, '') AS application,
       coalesce(a.usename, '') AS "user",
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::float8
       AS age_seconds, left(a.query, 4000) AS query, {PROTECTED} AS protected
FROM {FROM_ACTIVITY} WHERE a.pid = %(pid)s
"""  # noqa: S608 (constants)
    for verb, match in _MATCH.items()
}
_ONLY: dict[Verb, str] = {"cancel": "AND a.state = 'active'", "terminate": ""}
_SIGNAL = {
    verb: f"""
WITH named AS MATERIALIZED (
    SELECT a.pid FROM {FROM_ACTIVITY}
    WHERE a.pid = %(pid)s AND {match} AND {PROTECTED} = '' {_ONLY[verb]}
)
SELECT pg_{verb}_backend(pid) AS sent FROM named
"""  # noqa: S608 (constants)
    for verb, match in _MATCH.items()
}
_DID: dict[Verb, str] = {"cancel": "cancelled", "terminate": "terminated"}


class PostgresEnding:
    """Cancels statements and terminates sessions that an order names."""

    def __init__(self, database: Database, targets: Targets, *, wait_seconds: float = 5.0) -> None:
        self._database = database
        self._targets = targets
        self._wait_seconds = wait_seconds

    @activity.defn(name="postgres.cancel.read")
    async def cancel_read(self, order: EndSessions) -> Backends:
        """Look which of the ordered sessions still do what they did."""
        return await self._read("cancel", order)

    @activity.defn(name="postgres.cancel")
    async def cancel(self, order: EndSessions, before: Backends) -> Done:
        """Cancel the statements of the ordered sessions; these stay connected."""
        with attempt() as this:
            return await self._end("cancel", order, before, this)

    @activity.defn(name="postgres.terminate.read")
    async def terminate_read(self, order: EndSessions) -> Backends:
        """Look which of the ordered sessions still do what they did."""
        return await self._read("terminate", order)

    @activity.defn(name="postgres.terminate")
    async def terminate(self, order: EndSessions, before: Backends) -> Done:
        """Terminate the ordered sessions; their transactions are rolled back."""
        with attempt() as this:
            return await self._end("terminate", order, before, this)

    async def _read(self, verb: Verb, order: EndSessions) -> Backends:
        async with self._database.session() as session:
            await _must_see(session)
            return Backends(
                backends=tuple([await _look(session, verb, ref) for ref in order.sessions])
            )

    async def _end(self, verb: Verb, order: EndSessions, before: Backends, this: Attempt) -> Done:
        was = {backend.pid: backend.found for backend in before.backends}
        seconds = self._wait_seconds + 0.5 * len(order.sessions) + self._database.statement_seconds
        told: dict[int, str] = {}
        signalled: list[SessionRef] = []
        denied: list[int] = []
        changed = False
        async with (
            self._targets.one_at_a_time(_TARGET),
            heartbeats(f"{verb} {len(order.sessions)} sessions"),
            self._database.session(seconds=seconds, writes=True) as session,
        ):
            await _must_see(session)
            for ref in order.sessions:
                try:
                    sent = await _signal(session, verb, ref)
                except psycopg.errors.InsufficientPrivilege:
                    denied.append(ref.pid)
                    told[ref.pid] = "not ours to end: grant pg_signal_backend to our role"
                    continue
                if sent:
                    signalled.append(ref)
                    this.acted()
                else:
                    seen = await _look(session, verb, ref)
                    earlier = not this.first and was.get(ref.pid) is Found.SAME
                    told[ref.pid] = _spared(verb, seen, earlier=earlier)
                    changed |= earlier and seen.found is not Found.SAME
            left = await self._wait(session, verb, signalled)
            row = await (await session.execute("SELECT clock_timestamp() AS at")).fetchone()
        if denied and not signalled and not changed:
            raise Refused(f"PostgreSQL: may not {verb} pid {denied}: grant pg_signal_backend")
        for ref in signalled:
            still = f"told to end, but still at it after {self._wait_seconds:g} s"
            told[ref.pid] = still if ref.pid in left else _DID[verb]
        return Done(
            said="; ".join(f"pid {ref.pid} {told[ref.pid]}" for ref in order.sessions),
            changed=changed or bool(signalled),
            at=row["at"] if row else datetime.now(UTC),
        )

    async def _wait(
        self, session: Connection, verb: Verb, signalled: Sequence[SessionRef]
    ) -> set[int]:
        """Wait until the sessions have obeyed, and give the pids of those that have not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_seconds
        left = list(signalled)
        while True:
            seen = [(ref, await _look(session, verb, ref)) for ref in left]
            left = [ref for ref, now in seen if not _obeyed(verb, now)]
            if not left or loop.time() >= deadline:
                return {ref.pid for ref in left}
            await asyncio.sleep(_POLL_SECONDS)


async def _must_see(session: Connection) -> None:
    if not await sees(session):
        raise Refused(f"PostgreSQL: {WHY_BLIND}")


async def _look(session: Connection, verb: Verb, ref: SessionRef) -> Backend:
    row = await (await session.execute(_LOOK[verb], ref.model_dump())).fetchone()
    if row is None or row["found"] == Found.GONE:
        return Backend(pid=ref.pid, found=Found.GONE)
    return Backend.model_validate(row | {"query": shown(row["query"])})


async def _signal(session: Connection, verb: Verb, ref: SessionRef) -> bool:
    row: dict[str, Any] | None
    row = await (await session.execute(_SIGNAL[verb], ref.model_dump())).fetchone()
    return bool(row and row["sent"])


def _obeyed(verb: Verb, now: Backend) -> bool:
    if verb == "terminate":
        return now.found is Found.GONE
    return now.found is not Found.SAME or now.state != "active"


def _spared(verb: Verb, seen: Backend, *, earlier: bool) -> str:
    """Say why a session got no signal; *earlier*: a lost attempt may have sent it."""
    if seen.found is Found.GONE:
        said = "is gone, ended since it was read" if earlier else "had already gone"
    elif verb == "cancel" and earlier and (seen.found is Found.OTHER or seen.state == "idle"):
        said = "no longer runs it, ended since it was read"
    elif seen.found is Found.OTHER:
        said = "now runs something else: left alone"
    elif seen.protected:
        said = f"is protected ({seen.protected}): left alone"
    elif verb == "cancel" and seen.state != "active":
        said = f"is {seen.state}, where a cancel does nothing: left alone"
    else:
        said = "could not be reached just then: left alone"
    return said
