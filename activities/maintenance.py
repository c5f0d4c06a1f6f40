"""Maintenance mode: a flag at the edge that shows users a page, counted and never for ever.

Each incident holds the edge closed by a hold of its own, which runs out unless it is renewed;
the page ends with the last. The store has no transactions: one change at a time touches the flag,
within the one process that makes changes, and each is read back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from pydantic import Field, ValidationError
from temporalio import activity

from activities.changes import Renewed, Staged, Targets, attempt, heartbeats
from activities.cloudflare_kv import Cell
from activities.edge import BYPASS_HEADER, SHOWN_BY, Edge, Flag, Hold
from activities.errors import Failed, Gone, Unavailable, Unwell
from activities.web import Web
from activities.words import Answer, Done, Nothing, Order

TARGET = "edge"
_MOST_MESSAGE = 500
_READ_BACK = 3
_POLL_SECONDS = 2.0
_LEFT_TO_SPREAD = timedelta(seconds=90)
"""The store's copies at the edge may be a minute behind."""


class GoIntoMaintenance(Order):
    """An order to show users the maintenance page."""

    message: str = Field(min_length=1, max_length=_MOST_MESSAGE)
    eta: str = Field(default="unknown", max_length=100)
    """Only where it is known."""
    lasts_seconds: float = Field(ge=60, le=24 * 3600)
    """After so long it ends by itself, unless it is renewed."""


class BeforeMaintenance(Answer):
    """The flag as it was."""

    flag: Flag | None = None


class Maintenance:
    """Closes and opens the edge for the incident that asks, known by its workflow id."""

    def __init__(
        self,
        cell: Cell,
        targets: Targets,
        *,
        public: Web | None = None,
        url: str = "",
        bypass_header: str = BYPASS_HEADER,
        spread: timedelta = _LEFT_TO_SPREAD,
    ) -> None:
        """Describe the edge.

        Args:
            cell: Where the flag is.
            targets: Lets one change at a time touch it.
            public: Asks the public address whether the page is shown.
            url: The public address; empty where it is not asked.
            bypass_header: Name of the header that goes through; the edge knows its value.
            spread: Given to the flag to arrive everywhere.
        """
        self._cell = cell
        self._targets = targets
        self._public = public
        self._url = url
        self._bypass_header = bypass_header
        self._spread = spread

    @activity.defn(name="maintenance.state")
    async def state(self, ask: Nothing) -> Edge:  # noqa: ARG002
        """Read whether the page is on, and who holds it."""
        return Edge.of(await self._read())

    @activity.defn(name="maintenance.on.read")
    async def on_read(self, order: GoIntoMaintenance) -> BeforeMaintenance:  # noqa: ARG002
        """Read the flag as it is."""
        return BeforeMaintenance(flag=await self._read())

    @activity.defn(name="maintenance.on")
    async def on(self, order: GoIntoMaintenance, before: BeforeMaintenance) -> Done:  # noqa: ARG002
        """Hold the edge closed, beside whoever holds it already; look whether the page is shown."""
        with attempt() as this:
            async with self._alone("closing the edge"):
                flag, who = await self._read() or self._nobodys(), _who()
                present = flag.holding(_now()).get(who)
                # Others' holds come and go: only our own is compared, by an attempt after a crash.
                ours = present is not None and not this.first and present.share == 0
                if not ours:
                    until = _now() + timedelta(seconds=order.lasts_seconds)
                    words = {"message": order.message, "eta": order.eta}
                    closed = flag.with_hold(who, Hold(until=until)).model_copy(update=words)
                    this.acted()
                    await self._write(closed, who)
                    flag = closed
                await self._until_shown(page=True)
            others = sorted(set(flag.holding(_now())) - {who})
            beside = f", beside {', '.join(others)}" if others else ""
            until_words = f"{flag.holders[who].until:%H:%M} UTC"
            return Done(said=f"the maintenance page is on until {until_words}{beside}", at=_now())

    @activity.defn(name="maintenance.on.renew")
    async def on_renew(self, order: GoIntoMaintenance, before: BeforeMaintenance) -> Renewed:  # noqa: ARG002
        """Move our expiry; a hold that somebody has taken away, or that ran out, is not ours."""
        async with self._alone("renewing the page"):
            flag, who = await self._mine()
            if flag.holders[who].until <= _now():
                raise Gone(
                    f"the page ran out at {flag.holders[who].until:%H:%M:%S} UTC while nobody "
                    "renewed it: the edge opens as soon as the API answers"
                )
            until = _now() + timedelta(seconds=order.lasts_seconds)
            hold = flag.holders[who].model_copy(update={"until": until})
            await self._write(flag.with_hold(who, hold), who)
        return Renewed(until=until)

    @activity.defn(name="maintenance.on.stage")
    async def on_stage(
        self,
        order: GoIntoMaintenance,  # noqa: ARG002
        before: BeforeMaintenance,  # noqa: ARG002
        share: float,
    ) -> Staged:
        """Let a share of the users through; 0 closes the edge again."""
        with attempt() as this:
            async with self._alone(f"letting {share:.0%} through"):
                flag, who = await self._mine()
                if flag.holders[who].share != share:
                    hold = flag.holders[who].model_copy(update={"share": share})
                    this.acted()
                    flag = flag.with_hold(who, hold)
                    await self._write(flag, who)
            others = sorted(set(flag.holding(_now())) - {who})
            let = flag.share(_now())
            held = f"; but {let:.0%} for {', '.join(others)}" if let < share else ""
            return Staged(said=f"the edge lets {share:.0%} of the users through{held}", share=let)

    @activity.defn(name="maintenance.on.undo")
    async def on_undo(self, order: GoIntoMaintenance, before: BeforeMaintenance) -> Done:  # noqa: ARG002
        """Take our hold away; the page ends with the last one."""
        with attempt() as this:
            async with self._alone("opening the edge"):
                flag, who = await self._read(), _who()
                changed = flag is not None and who in flag.holders
                if flag is not None and changed:
                    this.acted()
                    flag = flag.without(who)
                    await self._write(flag, who)
                others = sorted(flag.holding(_now())) if flag else []
                if not others:
                    await self._until_shown(page=False)
        if others:
            said = f"our hold on the maintenance page is gone; {', '.join(others)} still has one"
        else:
            said = "the maintenance page is off" + ("" if changed else ", and was already")
        return Done(said=said, changed=changed, at=_now())

    def _nobodys(self) -> Flag:
        return Flag(holders={}, bypass_header=self._bypass_header)

    async def _mine(self) -> tuple[Flag, str]:
        flag, who = await self._read(), _who()
        if flag is None or who not in flag.holders:
            raise Gone("the maintenance page is not held by this incident: somebody has opened it")
        return flag, who

    async def _read(self) -> Flag | None:
        raw = await self._cell.get()
        if raw is None:
            return None
        try:
            return Flag.model_validate_json(raw)
        except ValidationError:
            # It may pass: something in between may have answered.
            raise Unavailable("the flag at the edge holds something that is not ours") from None

    async def _write(self, flag: Flag, who: str) -> None:
        """Write the flag without the holds that ran out, and read our part of it back."""
        now = _now()
        kept = {name: hold for name, hold in flag.holders.items() if hold.until > now}
        tidy = flag.model_copy(update={"holders": kept, "bypass_header": self._bypass_header})
        await self._cell.put(tidy.model_dump_json().encode())
        for _ in range(_READ_BACK):
            present = await self._read()
            if (present.holders.get(who) if present else None) == kept.get(who):
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise Unavailable("the flag was written, and reads as it was before")

    async def _until_shown(self, *, page: bool) -> None:
        """Look at the public address until the page is there, or gone."""
        if self._public is None or not self._url:
            return
        deadline = time.monotonic() + self._spread.total_seconds()
        seen = ""
        while True:
            try:
                answer = await self._public.ask("GET", self._url)
                shown = SHOWN_BY in answer.headers
                seen = f"it answers {answer.status}" + (", the page" if shown else "")
                if shown == page:
                    return
            except Failed as failed:
                seen = failed.message
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        wanted = "does not show the page" if page else "still shows the page"
        waited = f"{self._spread.total_seconds():g} s"
        raise Unwell(f"the flag is set, but after {waited} the edge {wanted} ({seen})")

    @asynccontextmanager
    async def _alone(self, doing: str) -> AsyncIterator[None]:
        async with self._targets.one_at_a_time(TARGET), heartbeats(doing):
            yield


def _who() -> str:
    return activity.info().workflow_id or ""


def _now() -> datetime:
    return datetime.now(UTC)
