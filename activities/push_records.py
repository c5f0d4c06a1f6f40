"""The platform's own records of push notifications: tokens, what became of each, and its queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncCursor
from pydantic import Field
from temporalio import activity

from activities.postgres_connection import Database
from activities.words import Answer, Nothing, Order

MOST_TOKENS = 1000
"""How many dead tokens are named, and so removed, at a time."""

# Said since it was last registered, and since it last got anything; twice, a day apart.
DEAD = """
SELECT t.id, max(r.at) AS last FROM push_tokens t
JOIN push_receipts r ON r.token_id = t.id AND r.error = 'DeviceNotRegistered'
WHERE r.at > t.registered_at AND r.at > coalesce(
  (SELECT max(g.at) FROM push_receipts g WHERE g.token_id = t.id AND g.error = ''), '-infinity')
GROUP BY t.id HAVING max(r.at) - min(r.at) >= interval '24 hours'
"""
_DEAD = f"SELECT id FROM ({DEAD}) AS dead ORDER BY last, id LIMIT %(most)s"  # noqa: S608
_COUNTED = f"""
SELECT (SELECT count(*) FROM push_tokens)::int AS total,
       (SELECT count(*) FROM ({DEAD}) AS dead)::int AS dead,
       (SELECT count(DISTINCT r.token_id) FROM push_receipts r JOIN push_tokens t
          ON t.id = r.token_id AND r.at > t.registered_at
        WHERE r.error = 'DeviceNotRegistered')::int AS said
"""  # noqa: S608 (constants)
_BY_ERROR = """
SELECT error, count(*)::int AS count FROM push_receipts
WHERE at > now() - make_interval(mins => %(minutes)s) GROUP BY error ORDER BY 2 DESC, 1 LIMIT 30
"""
_TOO_BIG = """
SELECT kind, max(bytes)::int AS bytes, count(*)::int AS count FROM push_receipts
WHERE error = 'MessageTooBig' AND at > now() - make_interval(mins => %(minutes)s)
GROUP BY kind ORDER BY 3 DESC, 1 LIMIT 20
"""
_QUEUE = """
SELECT count(*) FILTER (WHERE state = 'queued' AND expires_at > now())::int AS waiting,
       count(*) FILTER (WHERE state = 'queued' AND expires_at > now() AND urgent)::int AS urgent,
       count(*) FILTER (WHERE state = 'queued' AND expires_at <= now())::int AS expired,
       count(*) FILTER (WHERE state = 'unknown')::int AS unknown,
       extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'queued'))::float8 / 60
         AS oldest_minutes
FROM push_queue WHERE state IN ('queued', 'unknown')
"""


class DeadTokens(Answer):
    """Push tokens whose phones have said that they have the app no more, twice, a day apart."""

    total: int
    """Of all tokens that there are."""
    dead: int
    once: int
    """Those that said so, and not yet a day apart."""
    ids: tuple[int, ...] = ()
    """Of the dead ones, those that said so first; never the tokens themselves."""

    @property
    def ratio(self) -> float:
        """Their share of all tokens."""
        return self.dead / self.total if self.total else 0.0


class Lately(Order):
    """A question about the last minutes."""

    minutes: int = Field(default=60, ge=1, le=1440)


class ErrorCount(Answer):
    """How often one error was said; none is success."""

    error: str
    count: int


class TooBig(Answer):
    """Notifications of one kind that were too large."""

    kind: str
    bytes: int
    """Of the largest."""
    count: int


class PushReceipts(Answer):
    """What became of the notifications of the last minutes, by the platform's own record."""

    minutes: int
    by_error: tuple[ErrorCount, ...] = ()
    too_big: tuple[TooBig, ...] = ()

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(each.count for each in self.by_error)


class PushQueue(Answer):
    """What waits to be sent."""

    waiting: int
    urgent: int
    """Of those that wait."""
    expired: int
    """Too late to be of use: these are never sent."""
    unknown: int
    """It is not known whether these were sent, so they are not sent again."""
    oldest_minutes: float | None = None


class PushRecords:
    """Reads what the platform wrote down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="push.dead_tokens")
    async def dead_tokens(self, ask: Nothing) -> DeadTokens:  # noqa: ARG002
        """Count the tokens that are surely dead, and name the first of them by their ids."""
        async with self._database.session() as session:
            row = await (await session.execute(_COUNTED)).fetchone() or {}
            found = await session.execute(_DEAD, {"most": MOST_TOKENS})
            ids = tuple(each["id"] for each in await found.fetchall())
        return DeadTokens(
            total=row["total"], dead=row["dead"], once=max(row["said"] - row["dead"], 0), ids=ids
        )

    @activity.defn(name="push.receipts")
    async def receipts(self, ask: Lately) -> PushReceipts:
        """Count what became of the last notifications."""
        span = {"minutes": ask.minutes}
        async with self._database.session() as session:
            by = await (await session.execute(_BY_ERROR, span)).fetchall()
            big = await (await session.execute(_TOO_BIG, span)).fetchall()
        return PushReceipts(
            minutes=ask.minutes,
            by_error=tuple(ErrorCount.model_validate(each) for each in by),
            too_big=tuple(TooBig.model_validate(each) for each in big),
        )

    @activity.defn(name="push.queue")
    async def queue(self, ask: Nothing) -> PushQueue:  # noqa: ARG002
        """Count what waits."""
        async with self._database.session() as session:
            row = await (await session.execute(_QUEUE)).fetchone()
        return PushQueue.model_validate(row)


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[AsyncCursor[dict[str, Any]]]:
    """Lend a cursor in one transaction that may write; it is committed at the end."""
    async with (
        database.session(writes=True, keep=False) as connection,
        connection.transaction(),
        # Not the connection's own execute: behind a pooler that one only reads.
        connection.cursor() as cursor,
    ):
        limits = [f"SET LOCAL {name} TO {value}" for name, value in connection.limits.items()]
        await cursor.execute(";".join(["SET TRANSACTION READ WRITE", *limits]).encode())
        yield cursor
