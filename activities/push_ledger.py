"""The ledger of the platform's push queue: a row is claimed before it is sent, and only once.

    queued -> claimed -> sent | failed | unknown          by push
    queued -> claimed -> emailed                          by e-mail
    queued -> expired

A row that was claimed by an attempt which died is unknown: it may have been sent, and is not sent
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import AwareDatetime, JsonValue

from activities.expo_api import Ticket
from activities.postgres_connection import Database
from activities.push_records import writing
from activities.words import Answer

_CLAIM = """
UPDATE push_queue q SET state = 'claimed', claimed_by = %(by)s, claimed_at = now()
FROM push_tokens t, users u
WHERE t.id = q.token_id AND u.id = t.user_id AND q.id IN (
  SELECT id FROM push_queue
  WHERE state = 'queued' AND expires_at > now() AND created_at <= %(until)s
    AND (NOT %(mail)s OR urgent AND error = '')
  ORDER BY urgent DESC, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
RETURNING q.id, q.token_id, t.token, u.email, q.kind, q.title, q.body, q.data, q.urgent,
  q.expires_at
"""
_HELD = """
SELECT q.id, q.token_id, t.token, u.email, q.kind, q.title, q.body, q.data, q.urgent,
  q.expires_at
FROM push_queue q JOIN push_tokens t ON t.id = q.token_id JOIN users u ON u.id = t.user_id
WHERE q.state = 'claimed' AND q.claimed_by = %(by)s ORDER BY q.id LIMIT %(most)s
"""
_ABANDON = "UPDATE push_queue SET state = 'unknown' WHERE state = 'claimed'"
_EXPIRE = (
    "UPDATE push_queue SET state = 'expired', claimed_by = %(by)s"
    " WHERE state = 'queued' AND expires_at <= now()"
)
_MARK = """
UPDATE push_queue q SET state = n.state, ticket = n.ticket, error = n.error
FROM unnest(%(id)s::bigint[], %(state)s::text[], %(ticket)s::text[], %(error)s::text[])
  AS n (id, state, ticket, error)
WHERE q.id = n.id AND q.claimed_by = %(by)s AND q.state IN ('claimed', 'unknown')
"""
_NOTE = """
INSERT INTO push_receipts (token_id, kind, bytes, error)
SELECT * FROM unnest(%(token_id)s::bigint[], %(kind)s::text[], %(bytes)s::int[], %(error)s::text[])
"""
_AWAITED = """
SELECT id, token_id, kind, ticket FROM push_queue
WHERE state = 'sent' AND receipt = '' AND claimed_by = %(by)s ORDER BY id LIMIT %(most)s
"""
_RECEIVED = """
UPDATE push_queue q SET receipt = n.receipt
FROM unnest(%(id)s::bigint[], %(receipt)s::text[]) AS n (id, receipt) WHERE q.id = n.id
"""
_COUNTS = """
SELECT state, receipt, count(*)::int AS count FROM push_queue WHERE claimed_by = %(by)s
GROUP BY 1, 2
"""
_MOST_ERROR = 200


class Row(Answer):
    """One queued notification."""

    id: int
    token_id: int
    token: str
    email: str
    kind: str
    title: str
    body: str
    data: dict[str, JsonValue]
    urgent: bool
    expires_at: AwareDatetime


class Awaited(Answer):
    """One notification that Expo has taken, whose receipt has not come."""

    id: int
    token_id: int
    kind: str
    ticket: str


class Tally(Answer):
    """What became of the rows of one claim."""

    sent: int = 0
    confirmed: int = 0
    """Of those sent, those with a receipt that is good."""
    rejected: int = 0
    """Of those sent, those with a receipt that is not."""
    failed: int = 0
    expired: int = 0
    emailed: int = 0
    unknown: int = 0


class Ledger:
    """Claims rows for *by*, which is the same in every attempt of one change."""

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by[:200]

    async def clock(self) -> AwareDatetime:
        """Give the database's own time: by no other clock is a row older than now."""
        async with self._database.session() as session:
            row = await (await session.execute("SELECT now() AS now")).fetchone() or {}
        now: AwareDatetime = row["now"]
        return now

    async def claim(self, most: int, until: AwareDatetime, *, for_mail: bool = False) -> list[Row]:
        """Claim the next rows, the urgent ones first; nobody else gets them."""
        given = {"by": self._by, "most": most, "until": until, "mail": for_mail}
        rows = [Row.model_validate(each) for each in await self._write(_CLAIM, given)]
        return sorted(rows, key=lambda row: (not row.urgent, row.id))

    async def held(self, most: int) -> list[Row]:
        """Give the rows that an earlier attempt of the same change has claimed."""
        async with self._database.session() as session:
            found = await session.execute(_HELD, {"by": self._by, "most": most})
            return [Row.model_validate(each) for each in await found.fetchall()]

    async def abandon(self) -> None:
        """Give up what a dead attempt has claimed: it may have been sent."""
        await self._write(_ABANDON, {})

    async def expire(self) -> None:
        """Drop what is too late to be of use."""
        await self._write(_EXPIRE, {"by": self._by})

    async def mark(self, rows: Sequence[Row], state: str, error: str = "") -> None:
        """Say what became of *rows*, all alike; "queued" gives them back."""
        await self._mark([(row, state, Ticket(error=error)) for row in rows])

    async def ticketed(self, told: Sequence[tuple[Row, Ticket]], sizes: Mapping[int, int]) -> None:
        """Write down what Expo said of each row at once."""
        await self._mark([(row, "sent" if t.taken else "failed", t) for row, t in told])
        refused = [(row, ticket.error) for row, ticket in told if not ticket.taken]
        await self._many(
            _NOTE,
            [
                {"token_id": row.token_id, "kind": row.kind, "bytes": sizes[row.id], "error": error}
                for row, error in refused
            ],
        )

    async def awaited(self, most: int) -> list[Awaited]:
        """Give what Expo has taken and not confirmed."""
        async with self._database.session() as session:
            found = await session.execute(_AWAITED, {"by": self._by, "most": most})
            return [Awaited.model_validate(each) for each in await found.fetchall()]

    async def received(self, told: Sequence[tuple[Awaited, str]]) -> None:
        """Write down receipts, each an error or empty."""
        await self._many(_RECEIVED, [{"id": a.id, "receipt": error or "ok"} for a, error in told])
        await self._many(
            _NOTE,
            [
                {"token_id": a.token_id, "kind": a.kind, "bytes": 0, "error": error}
                for a, error in told
            ],
        )

    async def tally(self) -> Tally:
        """Count what became of all rows of this claim, whichever attempt it was."""
        found: dict[str, int] = {}
        async with self._database.session() as session:
            counted = await session.execute(_COUNTS, {"by": self._by})
            for row in await counted.fetchall():
                found[row["state"]] = found.get(row["state"], 0) + row["count"]
                if row["state"] == "sent" and row["receipt"]:
                    kind = "confirmed" if row["receipt"] == "ok" else "rejected"
                    found[kind] = found.get(kind, 0) + row["count"]
        return Tally.model_validate(found)

    async def _mark(self, told: Sequence[tuple[Row, str, Ticket]]) -> None:
        await self._many(
            _MARK,
            [
                {
                    "id": row.id,
                    "state": state,
                    "ticket": ticket.id,
                    "error": ticket.error[:_MOST_ERROR],
                }
                for row, state, ticket in told
            ],
            by=self._by,
        )

    async def _write(self, statement: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with writing(self._database) as cursor:
            await cursor.execute(statement.encode(), given)
            return await cursor.fetchall() if cursor.description else []

    async def _many(self, statement: str, given: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Carry out one statement about many rows: a column of values for each name."""
        if given:
            columns = {name: [each[name] for each in given] for name in given[0]}
            await self._write(statement, columns | more)
