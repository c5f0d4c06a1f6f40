"""The lanes to the phones of those on call: the page, and later whether it was received.

They stand beside PagerDuty's and hold up nothing: what is lost here is a line in the timeline.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.workflow import ActivityConfig

from activities.outbox import Unsent
from activities.paging import Way
from activities.phones import AskReceipts, PagePhones, Phones, PhoneTicket
from activities.record import AwaitedReceipt
from workflows.case import Case, why
from workflows.channels import Lane
from workflows.deadlines import until
from workflows.efforts import PAGE, said
from workflows.paging import lost
from workflows.ringing import gone, phones

_RECEIPTS_AFTER = 900.0
"""Seconds after which Expo promises a receipt."""
_RING = ActivityConfig(**{**PAGE, "schedule_to_close_timeout": timedelta(seconds=30)})
"""Tried for a shorter time than a page: whether it is still wanted is looked at in between."""
_TOO_LATE = 900.0
"""Seconds after which a page that did not get through rings nobody any more."""


class PhoneLane(Lane):
    """Rings phones, one occasion after the other."""

    name = "Expo"

    def __init__(self, case: Case) -> None:
        super().__init__(case, case.record.phones)

    async def _send(self) -> None:
        case, record, message = self._case, self._case.record, self._channel.unsent[0]
        self._take(message)
        level = message.payload["level"]
        names = phones(case, level)
        if not names or message.queued_at + case.policy.seconds(_TOO_LATE) < case.now:
            self._sent(message)
            self._lost(message)
            return
        paged = await workflow.execute_activity_method(
            Phones.page,
            PagePhones(
                key=message.key,
                level=level,
                phones=names,
                incident=record.id,
                title=f"{record.severity.value}: {record.title} on {record.service}",
                body=message.payload["why"],
            ),
            **said(_RING, f"Ring the phones of {level}"),
        )
        self._sent(message)
        case.note("page", paged.said)
        mark_dead(case, paged.dead)
        due = case.after(_RECEIPTS_AFTER)
        record.phone_receipts += [
            AwaitedReceipt(phone=ticket.phone, id=ticket.id, due=due) for ticket in paged.tickets
        ]
        if paged.tickets:
            record.paged_at = record.paged_at or case.now
            case.first_contact()

    def _alert(self, said: str) -> None:
        self._case.note("problem", said)

    def _lost(self, message: Unsent) -> None:
        level = message.payload["level"]
        self._case.note("problem", f"the phones of {level} do not ring: {message.payload['why']}")
        self._late(message)

    def _late(self, message: Unsent) -> None:
        lost(self._case, message.payload.get("occasion", ""), Way.EXPO)


class ReceiptLane(Lane):
    """Asks a quarter of an hour later whether pages were received; it is never owed."""

    name = "Expo's receipts"

    def __init__(self, case: Case, *, last: bool) -> None:
        super().__init__(case, case.record.phones)
        self._last = last

    @property
    def owes(self) -> bool:
        """Whether whoever comes last still waits for a receipt."""
        return self._last and bool(self._case.record.phone_receipts)

    async def run(self) -> None:
        """Ask for as long as the incident lives."""
        case, awaited = self._case, self._case.record.phone_receipts
        while True:
            await workflow.wait_condition(lambda: bool(awaited) and not case.pausing)
            stopped = await until(
                lambda: case.pausing or not awaited,
                awaited[0].due,
                "Were the pages received on the phones?",
            )
            if stopped:
                continue
            self.busy = True
            try:
                await self._send()
            except Exception as error:  # noqa: BLE001 (no incident ends for a receipt)
                case.note("evidence", f"whether phones received their pages: {why(error)}")
            finally:
                self.busy = False

    async def _send(self) -> None:
        case, awaited = self._case, self._case.record.phone_receipts
        due = [each for each in awaited if each.due <= case.now]
        awaited[:] = [each for each in awaited if each not in due]
        reached = await workflow.execute_activity_method(
            Phones.receipts,
            AskReceipts(tickets=tuple(PhoneTicket(phone=e.phone, id=e.id) for e in due)),
            **said(PAGE, "Were the pages received on the phones?"),
        )
        case.note("page", reached.said)
        mark_dead(case, reached.dead)

    def _alert(self, said: str) -> None:
        self._case.note("problem", said)


def mark_dead(case: Case, names: tuple[str, ...]) -> None:
    """Ring these phones no more in this incident, and tell people to mend the list."""
    record, known = case.record, gone(case.record)
    record.dead_phones += [name for name in names if name not in record.dead_phones]
    for finding in gone(record)[len(known) :]:
        record.findings.append(finding)
        case.note("problem", finding, tell=True)
