"""Removes push tokens whose phones have the app no more."""

from __future__ import annotations

from pydantic import Field
from temporalio import activity

from activities.changes import Targets, attempt
from activities.errors import Refused
from activities.postgres_connection import Database
from activities.push_records import DEAD, MOST_TOKENS, writing
from activities.words import Answer, Done, Order

TARGET = "push tokens"
_STILL = f"SELECT count(*)::int AS dead FROM ({DEAD}) AS dead WHERE id = ANY(%(ids)s)"  # noqa: S608
# In the statement that deletes: a phone may have registered anew since it was looked at.
_REMOVE = f"""
DELETE FROM push_tokens WHERE id = ANY(%(ids)s) AND id IN (SELECT id FROM ({DEAD}) AS dead)
"""  # noqa: S608 (constants)
_LEFT = "SELECT count(*)::int AS left FROM push_tokens WHERE id = ANY(%(ids)s)"


class RemoveTokens(Order):
    """An order to remove these tokens, as far as they are still dead."""

    ids: tuple[int, ...] = Field(min_length=1, max_length=MOST_TOKENS)


class TokensBefore(Answer):
    """How many of the ordered tokens were there to be removed."""

    dead: int


class PushTokens:
    """Removes push tokens."""

    def __init__(self, database: Database, targets: Targets) -> None:
        self._database = database
        self._targets = targets

    @activity.defn(name="push.remove_tokens.read")
    async def remove_tokens_read(self, order: RemoveTokens) -> TokensBefore:
        """Count those that are still dead."""
        async with self._database.session() as session:
            row = await (await session.execute(_STILL, {"ids": list(order.ids)})).fetchone() or {}
        if not row["dead"]:
            raise Refused("none of these push tokens is there and dead any more")
        return TokensBefore(dead=row["dead"])

    @activity.defn(name="push.remove_tokens")
    async def remove_tokens(self, order: RemoveTokens, before: TokensBefore) -> Done:
        """Remove those that are still dead; what is gone already stays gone."""
        ids = {"ids": list(order.ids)}
        with attempt() as this:
            async with self._targets.one_at_a_time(TARGET):
                async with writing(self._database) as cursor:
                    await cursor.execute(_REMOVE.encode(), ids)
                    removed = cursor.rowcount
                this.acted()
                async with self._database.session() as session:
                    row = await (await session.execute(_LEFT, ids)).fetchone() or {}
        gone = removed if this.first else max(before.dead - row["left"], removed)
        alive = f"; {row['left']} are alive again and stay" if row["left"] else ""
        return Done(said=f"removed {gone} push tokens{alive}", changed=gone > 0)
