"""The lane for pages by e-mail: to whoever could not be reached, or has not answered, otherwise."""

from __future__ import annotations

from temporalio import workflow

from activities.email import Email, SendEmail
from activities.outbox import Unsent
from activities.paging import Way
from activities.record import Record
from workflows.case import Case
from workflows.channels import Lane
from workflows.efforts import MESSAGE, said
from workflows.glance import commands, impact, links, status
from workflows.paging import lost

_TOO_LATE = 1800.0
"""Seconds after which a letter that did not get through calls nobody any more."""


class EmailLane(Lane):
    """Writes to people, one letter after the other."""

    name = "E-mail"

    def __init__(self, case: Case) -> None:
        super().__init__(case, case.record.paging.emails)

    async def _send(self) -> None:
        case, message = self._case, self._channel.unsent[0]
        self._take(message)
        level = message.payload["level"]
        addresses = case.policy.addresses.get(level, ())
        if not addresses or message.queued_at + case.policy.seconds(_TOO_LATE) < case.now:
            self._sent(message)
            self._lost(message)
            return
        mailed = await workflow.execute_activity_method(
            Email.send, letter(case, message, addresses), **said(MESSAGE, f"Write to {level}")
        )
        self._sent(message)
        case.note("message", mailed.said)
        if len(mailed.refused) >= len(addresses):
            self._late(message)
        else:
            case.first_contact()

    def _alert(self, said: str) -> None:
        self._case.note("problem", said)

    def _lost(self, message: Unsent) -> None:
        level = message.payload["level"]
        self._case.note("problem", f"{level} was not written to: {message.payload['why']}")
        self._late(message)

    def _late(self, message: Unsent) -> None:
        lost(self._case, message.payload.get("occasion", ""), Way.EMAIL)


def letter(case: Case, message: Unsent, addresses: tuple[str, ...]) -> SendEmail:
    """Write what somebody who has just woken up needs, and no more."""
    record = case.record
    asked = f"{message.payload['level']}: {message.payload['why']}"
    lines = [
        asked,
        "",
        f"Impact: {impact(record)}",
        f"Status: {status(record)}",
        "",
        "Please acknowledge, by any door:",
        *(f"  {line}" for line in commands(record)),
        *(f"{link.text}: {link.url}" for link in links(record, case.policy)),
    ]
    return SendEmail(
        key=message.key,
        to=addresses,
        subject=subject(record),
        body="\n".join(lines),
    )


def subject(record: Record) -> str:
    """Name the incident, as an inbox shows it."""
    return f"[{record.severity.value.upper()}] {record.title} on {record.service}"[:200]
