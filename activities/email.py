"""Notices to people by e-mail: the way that needs no vendor, when the others are away."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints
from temporalio import activity

from activities.changes import heartbeats
from activities.smtp import ADDRESS, Letter, Smtp
from activities.words import Answer, Order, cut

EmailAddress = Annotated[
    str, StringConstraints(pattern=rf"^{ADDRESS.pattern}$", min_length=3, max_length=320)
]
TAKEN = "taken"
"""The heartbeat of an attempt whose letter the server has taken."""
MOST_BODY = 64 * 1024


class SendEmail(Order):
    """An e-mail to people."""

    key: str = Field(min_length=1, max_length=1000)
    """Idempotency key: the same occasion has the same Message-ID."""
    to: tuple[EmailAddress, ...] = Field(min_length=1, max_length=50)
    subject: str = Field(max_length=1000)
    body: str


class Emailed(Answer):
    """What became of an e-mail."""

    message_id: str
    said: str
    refused: tuple[str, ...] = ()
    """Recipients that the server did not take, and why."""


class Email:
    """Sends e-mails to people."""

    def __init__(self, smtp: Smtp) -> None:
        self._smtp = smtp

    @activity.defn(name="email.send")
    async def send(self, order: SendEmail) -> Emailed:
        """Send an e-mail; what an earlier attempt surely handed in is not sent again."""
        message_id = self._smtp.message_id(order.key)
        names = ", ".join(order.to)
        if already_taken():
            return Emailed(message_id=message_id, said=f"Already sent an e-mail to {names}.")
        body = cut(order.body, MOST_BODY)
        refused = await hand_in(self._smtp, Letter(message_id, order.to, order.subject, body))
        said = f"Sent an e-mail to {names}."
        if refused:
            said = f"{said} Not taken: {'; '.join(refused)}."
        return Emailed(message_id=message_id, said=cut(said, 4096), refused=refused)


def already_taken() -> bool:
    """Tell whether an earlier attempt has said, by its heartbeat, that its letter was taken."""
    return TAKEN in activity.info().heartbeat_details


async def hand_in(smtp: Smtp, letter: Letter) -> tuple[str, ...]:
    """Hand in *letter*, and leave word of it for an attempt after a crash."""
    async with heartbeats("handing in an e-mail"):
        refused = await smtp.send(letter)
    activity.heartbeat(TAKEN)
    return refused
