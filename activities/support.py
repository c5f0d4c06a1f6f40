"""Letters to the support of our providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from temporalio import activity

from activities.changes import attempt
from activities.email import already_taken, hand_in
from activities.errors import NotConfigured, Refused
from activities.smtp import Letter, Smtp
from activities.words import Answer, Done, Order, cut

Provider = Literal["supabase", "openai", "anthropic", "expo", "cloudflare", "upstash"]
_MOST_BODY = 16 * 1024


class WriteToSupport(Order):
    """An order to write to a provider's support; the address is the settings' business."""

    provider: Provider
    subject: str = Field(min_length=1, max_length=200)
    body: str = Field(min_length=1)


class SupportLetter(Answer):
    """To whom the letter goes, and under which Message-ID: fixed before it is sent."""

    to: str
    message_id: str


class Support:
    """Writes to the support of providers; *addresses* has those that the settings name."""

    def __init__(self, smtp: Smtp, addresses: Mapping[str, str]) -> None:
        self._smtp = smtp
        self._addresses = {name: address for name, address in addresses.items() if address}

    @activity.defn(name="support.write.read")
    async def write_read(self, order: WriteToSupport) -> SupportLetter:
        """Fix the recipient and the Message-ID, which every attempt then uses."""
        info = activity.info()
        occasion = f"{info.workflow_id}/{info.workflow_run_id}/{order.model_dump_json()}"
        return SupportLetter(to=self._to(order), message_id=self._smtp.message_id(occasion))

    @activity.defn(name="support.write")
    async def write(self, order: WriteToSupport, before: SupportLetter) -> Done:
        """Write once; after a crash again only where it may not have arrived, and recognisably."""
        with attempt() as this:
            if already_taken():
                return Done(said=f"wrote to {before.to} ({order.subject})")
            if before.to != self._to(order):
                raise Refused(f"the address of {order.provider}'s support was changed meanwhile")
            letter = Letter(
                message_id=before.message_id,
                to=(before.to,),
                subject=order.subject,
                body=f"{cut(order.body, _MOST_BODY)}\n\n-- \n{activity.info().workflow_id}\n",
            )
            await hand_in(self._smtp, letter)
            this.acted()
        return Done(said=f"wrote to {before.to} ({order.subject})")

    def _to(self, order: WriteToSupport) -> str:
        address = self._addresses.get(order.provider)
        if address is None:
            raise NotConfigured(
                f"the address of {order.provider}'s support",
                f"RESPONDER_EMAIL__SUPPORT__{order.provider.upper()}",
            )
        return address
