"""Sends the urgent notifications of the push queue by e-mail; they leave the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import Field
from temporalio import activity

from activities.changes import Targets, attempt, heartbeats
from activities.errors import Failed, NotConfigured, Refused
from activities.postgres_connection import Database
from activities.push_drain import TARGET, claim
from activities.push_ledger import Ledger, Row
from activities.push_records import PushQueue, PushRecords
from activities.smtp import Letter, Session, Smtp
from activities.words import Done, Nothing, Order

_LOT = 20
_WHY = "You get this by e-mail because our push notifications are delayed."


class EmailUrgent(Order):
    """An order to e-mail the urgent notifications that wait."""

    most: int = Field(default=500, ge=1, le=5000)
    per_second: float = Field(default=5.0, gt=0, le=100)


class PushMail:
    """E-mails notifications to the people whose phones cannot be reached."""

    def __init__(self, database: Database, smtp: Smtp | None, targets: Targets) -> None:
        self._database = database
        self._records = PushRecords(database)
        self._smtp = smtp
        self._targets = targets

    @activity.defn(name="push.email_urgent.read")
    async def email_urgent_read(self, order: EmailUrgent) -> PushQueue:  # noqa: ARG002
        """Count what waits."""
        self._way()
        return await self._records.queue(Nothing())

    @activity.defn(name="push.email_urgent")
    async def email_urgent(self, order: EmailUrgent, before: PushQueue) -> Done:  # noqa: ARG002
        """E-mail each urgent notification once; what may have gone goes under the same id."""
        ledger = Ledger(self._database, claim("mail"))
        until, left = await ledger.clock(), order.most
        with attempt() as this:
            async with self._targets.one_at_a_time(TARGET), heartbeats("e-mailing"):
                # What an attempt that died has claimed: a letter is recognised by its Message-ID.
                rows = await ledger.held(order.most)
                while rows or (rows := await ledger.claim(min(_LOT, left), until, for_mail=True)):
                    this.acted()
                    await self._send(ledger, rows[:_LOT], 1 / order.per_second)
                    left -= len(rows[:_LOT])
                    rows = rows[_LOT:]
                    if left <= 0:
                        break
        tally = await ledger.tally()
        return Done(
            said=f"e-mailed {tally.emailed} urgent notifications; they have left the queue",
            changed=tally.emailed > 0,
        )

    async def _send(self, ledger: Ledger, rows: Sequence[Row], pause_seconds: float) -> None:
        """Send one lot over one connection; what is not sent goes back to the queue."""
        waiting = list(rows)
        try:
            async with self._way().session() as session:
                while waiting:
                    await self._letter(ledger, session, waiting[0])
                    waiting.pop(0)
                    await asyncio.sleep(pause_seconds)
        except Failed as failed:
            # Of one whose answer was lost the claim stays: the next attempt says it again.
            unsent = waiting[1:] if failed.type == "Ambiguous" else waiting
            await ledger.mark(unsent, "queued")
            raise

    async def _letter(self, ledger: Ledger, session: Session, row: Row) -> None:
        letter = Letter(
            message_id=self._way().message_id(f"push queue/{row.id}/{row.expires_at.isoformat()}"),
            to=(row.email,),
            subject=row.title,
            body=f"{row.body}\n\n{_WHY}\n",
        )
        try:
            await session.send(letter)
        except Refused as refused:
            # This address alone: the notification waits for the push that comes later.
            await ledger.mark([row], "queued", refused.message)
        else:
            await ledger.mark([row], "emailed")

    def _way(self) -> Smtp:
        if self._smtp is None:
            raise NotConfigured("E-mail", "RESPONDER_EMAIL__HOST")
        return self._smtp
