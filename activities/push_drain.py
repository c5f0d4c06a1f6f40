"""Sends what has waited in the platform's push queue, slowly at first, each row at most once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field, SecretStr
from temporalio import activity

from activities.changes import Targets, attempt, heartbeats
from activities.errors import Ambiguous, Failed
from activities.expo_api import CREDENTIALS, MOST_BYTES, MOST_RECEIPTS, ExpoApi, Message, Ticket
from activities.postgres_connection import Database
from activities.push_ledger import Ledger, Row, Tally
from activities.push_records import PushQueue, PushRecords
from activities.words import Done, Nothing, Order

TARGET = "push queue"
_TOO_BIG = "MessageTooBig"
_RECEIPT_POLL_SECONDS = 1.0


class Stopped(Failed):
    """It goes no further until a person has mended something; what waits still waits."""

    def __init__(self, said: str) -> None:
        super().__init__(said, type="Stopped", non_retryable=True)


class DrainQueue(Order):
    """An order to send what waits."""

    per_second: float = Field(default=100.0, ge=1, le=500)
    """The most; Expo takes 600 a second of one project, the platform's own among them."""


@dataclass(frozen=True)
class Ramp:
    """How a drain begins, and what it waits for."""

    first: int = 10
    """Notifications in the first request; each next one has twice as many, up to 100."""
    most: int = 100
    first_per_second: float = 10.0
    receipt_seconds: float = 10.0
    """Given to the receipts of the first request, and to all in the end."""


_RAMP = Ramp()


class PushDrain:
    """Empties the queue through Expo."""

    def __init__(
        self, database: Database, api: ExpoApi, targets: Targets, *, ramp: Ramp = _RAMP
    ) -> None:
        self._database = database
        self._records = PushRecords(database)
        self._api = api
        self._targets = targets
        self._ramp = ramp

    @activity.defn(name="push.drain.read")
    async def drain_read(self, order: DrainQueue) -> PushQueue:  # noqa: ARG002
        """Count what waits."""
        return await self._records.queue(Nothing())

    @activity.defn(name="push.drain")
    async def drain(self, order: DrainQueue, before: PushQueue) -> Done:  # noqa: ARG002
        """Send what waits; what an attempt that died may have sent is not sent again."""
        with attempt() as this:
            async with self._targets.one_at_a_time(TARGET), heartbeats("draining the push queue"):
                return await self.empty(order.per_second, this.acted)

    async def empty(self, per_second: float, acted: Callable[[], None] = lambda: None) -> Done:
        """Send all that was queued before now, under the lock of the caller."""
        ledger = Ledger(self._database, claim("push"))
        until = await ledger.clock()
        await ledger.abandon()
        await ledger.expire()
        batch, rate, checked = self._ramp.first, self._ramp.first_per_second, False
        while rows := await ledger.claim(min(batch, self._ramp.most), until):
            begun = time.monotonic()
            await self._send(ledger, rows)
            acted()
            if not checked:
                # A few at first, and what became of them, before all of them go the same way.
                await self._receipts(ledger)
                checked = True
            rate = min(rate, per_second)
            spent = time.monotonic() - begun
            await asyncio.sleep(max(0.0, len(rows) / rate - spent))
            batch, rate = batch * 2, rate * 2
        await self._receipts(ledger)
        tally = await ledger.tally()
        return Done(said=said(tally), changed=tally.sent + tally.expired + tally.failed > 0)

    async def _send(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        messages = {row.id: _message(row) for row in rows}
        sizes = {key: message.size for key, message in messages.items()}
        large = [row for row in rows if sizes[row.id] >= MOST_BYTES]
        if large:
            await ledger.ticketed([(row, Ticket(error=_TOO_BIG)) for row in large], sizes)
        fit = [row for row in rows if sizes[row.id] < MOST_BYTES]
        if not fit:
            return
        try:
            tickets = await self._api.send([messages[row.id] for row in fit])
        except Ambiguous:
            await ledger.mark(fit, "unknown")
            raise
        except Failed:
            await ledger.mark(fit, "queued")
            raise
        await ledger.ticketed(list(zip(fit, tickets, strict=True)), sizes)

    async def _receipts(self, ledger: Ledger) -> None:
        """Read the receipts that come within a while; the others are awaited by nobody."""
        deadline = time.monotonic() + self._ramp.receipt_seconds
        while awaited := await ledger.awaited(MOST_RECEIPTS):
            receipts = await self._api.receipts([each.ticket for each in awaited])
            told = [(a, receipts[a.ticket].error) for a in awaited if a.ticket in receipts]
            await ledger.received(told)
            if refused := {error for _, error in told if error in CREDENTIALS}:
                raise Stopped(
                    f"the app's push credentials are refused ({', '.join(sorted(refused))}): "
                    "stopped after the first few; the others wait in the queue"
                )
            if time.monotonic() >= deadline:
                return
            if len(told) < len(awaited):
                await asyncio.sleep(_RECEIPT_POLL_SECONDS)


def claim(way: str) -> str:
    """Name who claims rows: the same in every attempt of one change, and in no other."""
    info = activity.info()
    return f"{way}:{info.activity_id}/{info.workflow_run_id}/{info.workflow_id}"


def said(tally: Tally) -> str:
    """Say what became of a queue."""
    parts = [f"sent {tally.sent} queued notifications"]
    parts += [f"{tally.confirmed} are confirmed by a receipt"] if tally.confirmed else []
    parts += [f"{tally.rejected} were rejected afterwards"] if tally.rejected else []
    parts += [f"{tally.failed} were refused"] if tally.failed else []
    parts += [f"{tally.expired} were too late to be of use"] if tally.expired else []
    if tally.unknown:
        parts.append(f"of {tally.unknown} it is not known, so they are not sent again")
    return "; ".join(parts)


def _message(row: Row) -> Message:
    left = max(row.expires_at - datetime.now(UTC), timedelta(seconds=1))
    return Message(
        to=SecretStr(row.token),
        title=row.title,
        body=row.body,
        data=row.data,
        collapse_id=f"queued-{row.id}",
        ttl_seconds=int(left.total_seconds()),
    )
