"""Pages the phones of those on call, by Expo; a phone is known by its name, never by its token."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, SecretStr
from temporalio import activity

from activities.errors import NotConfigured, Refused, Unavailable
from activities.expo_api import NOT_REGISTERED, ExpoApi, Message
from activities.kept import Kept
from activities.words import Answer, Name, Order

_MOST_TITLE = 120
_MOST_BODY = 180
_LIVES_SECONDS = 3600
_SCREEN = "OpHealth"
"""Of the app, where an incident is shown."""


class PagePhones(Order):
    """Ring the phones of one level."""

    key: str = Field(min_length=1, max_length=1000)
    """Of the occasion: the same page takes its own place on a phone, whoever sends it again."""
    level: Name
    phones: tuple[Name, ...] = Field(min_length=1, max_length=100)
    """By name, as the settings have them."""
    incident: Name
    title: str
    body: str


class PhoneTicket(Kept):
    """A page that Expo has taken for a phone."""

    phone: str
    id: str


class PhonesPaged(Answer):
    """Which phones the page is on its way to."""

    said: str
    tickets: tuple[PhoneTicket, ...] = ()
    dead: tuple[str, ...] = ()
    """Phones that have the app no more."""


class AskReceipts(Order):
    """A question about what became of pages."""

    tickets: tuple[PhoneTicket, ...] = Field(min_length=1, max_length=1000)


class PhonesReached(Answer):
    """What became of pages."""

    said: str
    reached: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Phones that were not reached, and why."""


class Phones:
    """Pages phones; *phones* has their push tokens by name."""

    def __init__(
        self,
        api: ExpoApi,
        phones: Mapping[str, SecretStr],
        *,
        deep_link: str = "",
        channel: str = "",
    ) -> None:
        self._api = api
        self._phones = phones
        self._deep_link = deep_link.rstrip("/")
        self._channel = channel

    @activity.defn(name="expo.page")
    async def page(self, order: PagePhones) -> PhonesPaged:
        """Page phones; a second page of the same occasion replaces the first on them."""
        names = [name for name in order.phones if name in self._phones]
        if not names:
            raise NotConfigured("Expo", f"the push token of a phone of {order.level}")
        messages = [self._message(order, self._phones[name]) for name in names]
        tickets = await self._api.send(messages)
        told = list(zip(names, tickets, strict=True))
        taken = [PhoneTicket(phone=name, id=ticket.id) for name, ticket in told if ticket.taken]
        dead = [name for name, ticket in told if ticket.error == NOT_REGISTERED]
        others = [(name, ticket) for name, ticket in told if not ticket.taken and name not in dead]
        reasons = [f"{name}: {ticket.error} {ticket.said}".strip() for name, ticket in others]
        if others and not taken:
            transient = any(t.error in {"ExpoError", "ProviderError"} for _, t in others)
            text = f"no phone of {order.level} was paged: {'; '.join(reasons)}"
            raise (Unavailable(text) if transient else Refused(text))
        reached = ", ".join(each.phone for each in taken) or "nobody"
        gone = [f"{name} has the app no more" for name in dead]
        said = "; ".join([f"The page is on its way to the phone of {reached}", *gone, *reasons])
        return PhonesPaged(said=f"{said}.", tickets=tuple(taken), dead=tuple(dead))

    @activity.defn(name="expo.receipts")
    async def receipts(self, ask: AskReceipts) -> PhonesReached:
        """Ask what became of pages; a receipt that is missing by now is a page that was lost."""
        receipts = await self._api.receipts([each.id for each in ask.tickets])
        reached, dead, failed = [], [], []
        for each in ask.tickets:
            receipt = receipts.get(each.id)
            if receipt is None:
                failed.append(f"{each.phone}: Expo has no receipt")
            elif not receipt.error:
                reached.append(each.phone)
            elif receipt.error == NOT_REGISTERED:
                dead.append(each.phone)
            else:
                failed.append(f"{each.phone}: {receipt.error} {receipt.said}".strip())
        return PhonesReached(
            said=_summary(reached, dead, failed),
            reached=tuple(reached),
            dead=tuple(dead),
            failed=tuple(failed),
        )

    def _message(self, order: PagePhones, token: SecretStr) -> Message:
        # A phone's lock screen is read by anybody: what happened, and where to look.
        data: dict[str, Any] = {"screen": _SCREEN, "id": order.incident}
        if self._deep_link:
            data["url"] = f"{self._deep_link}/{order.incident}"
        return Message(
            to=token,
            title=order.title[:_MOST_TITLE],
            body=order.body[:_MOST_BODY],
            data=data,
            collapse_id=hashlib.sha256(order.key.encode()).hexdigest()[:32],
            priority="high",
            ttl_seconds=_LIVES_SECONDS,
            channel=self._channel,
            urgent=True,
        )


def _summary(reached: Sequence[str], dead: Sequence[str], failed: Sequence[str]) -> str:
    said = [f"The page reached the phone of {', '.join(reached)}"] if reached else []
    said += [f"{name} has the app no more" for name in dead]
    return "; ".join([*said, *failed]) + "."
