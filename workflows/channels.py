"""The lanes to people: one message in flight each, in order, tried until it is taken.

A lane never fails and never holds up anything else. A message that is refused for what it says
gives way after a while to those behind it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.outbox import Channel, Unsent
from activities.pagerduty import Follow, PagerDuty
from activities.pagerduty_there import there
from activities.paging import Way
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.efforts import PAGE, said
from workflows.glance import page_order
from workflows.paging import lost

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)
PASSING = frozenset({"Unavailable", "Throttled", "Ambiguous", "Timeout", "NoWorker"})
"""Failures of the way, not of the message: tried on for as long as the incident lives."""
_MOST_TRIES = {"page": 3, "phone": 2, "chart": 2, "acknowledge": 2, "resolve": 2}
_MOST_TRIES_OF_OTHERS = 10
_MOST_BROKEN = 2
_MOST_SAID = 300
_OFF_FOR = timedelta(minutes=15)
"""A channel that is not set up is tried again after this, with the next message."""


class Lane(ABC):
    """What every lane does: take the next message, send it, and be patient."""

    name: str

    def __init__(self, case: Case, channel: Channel) -> None:
        self._case = case
        self._channel = channel
        self._failures = 0
        self._asked_to_wait: timedelta | None = None
        self._sending: Unsent | None = None
        self.busy = False
        """A message is in flight."""

    @property
    def owes(self) -> bool:
        """Whether something has not been sent yet."""
        return bool(self._channel.unsent) and not self._channel.silent(self._case.now)

    async def run(self) -> None:
        """Send for as long as the incident lives."""
        while True:
            await workflow.wait_condition(lambda: self.owes and not self._case.pausing)
            self.busy, self._sending = True, None
            try:
                await self._send_one()
            except Exception as bug:  # noqa: BLE001 (nobody is woken if it ends the incident)
                self._broke(bug)
            finally:
                self.busy = False
            if self._failures:
                await self._pause()

    async def _send_one(self) -> None:
        try:
            await self._send()
        except ActivityError as error:
            self._failed(error)
        else:
            self._recovered()

    @abstractmethod
    async def _send(self) -> None:
        """Send the next message; an `ActivityError` means that it is still unsent."""

    async def _pause(self) -> None:
        waiting = len(self._channel.unsent)
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        # Something new to say is a reason to try at once: it may be the page that matters. But
        # whoever has asked for time gets it.
        wait, self._asked_to_wait = self._asked_to_wait, None
        await until(
            lambda: not wait and len(self._channel.unsent) > waiting,
            self._case.now + max(pause, wait or pause),
            f"Try {self.name} again",
        )

    def _take(self, message: Unsent) -> None:
        """Count the try before it is made: whatever was tried may have arrived."""
        self._sending = message
        message.tries += 1

    def _sent(self, message: Unsent) -> None:
        """Take *message* off the list; meanwhile somebody else may have done so."""
        if message in self._channel.unsent:
            self._channel.unsent.remove(message)

    def _failed(self, error: ActivityError) -> None:
        self._failures += 1
        message = self._sending
        if message:
            self._late(message)
        if isinstance(error.cause, ApplicationError):
            self._asked_to_wait = error.cause.next_retry_delay
        if kind_of(error) == "NotConfigured":
            self._switch_off(why(error))
        elif message and kind_of(error) not in PASSING and _tried_enough(message):
            self._failures = 0
            self._sent(message)
            self._case.note(
                "problem", f"{self.name} refuses one message ({message.kind}): {why(error)}"
            )
            self._lost(message)
        elif self._failures == 1:
            self._case.note(
                "problem", f"{self.name} does not take our messages: {why(error)}. Trying on."
            )

    def _switch_off(self, reason: str) -> None:
        """Send nothing for a while: somebody may set it up meanwhile."""
        channel = self._channel
        if not channel.off:
            self._case.note("problem", f"{reason}. Nothing is sent there.")
        channel.off, channel.off_until = reason, self._case.now + _OFF_FOR
        unsaid = list(channel.unsent)
        channel.unsent.clear()
        for message in unsaid:
            self._lost(message)

    def _broke(self, bug: Exception) -> None:
        """Go on after a bug of ours in this lane: pages and response do not stop for it."""
        self._failures += 1
        message, said = self._sending, f"a bug in the way to {self.name}: {bug!r}"[:_MOST_SAID]
        workflow.logger.error(said)
        if self._failures == 1:
            self._case.note("problem", f"{said}. Trying on.")
            self._alert(f"{said}. Messages may be missing there.")
        if message is None and self._channel.unsent:
            message = self._channel.unsent[0]
            message.tries += 1
        if message and message.tries >= _MOST_BROKEN:
            self._sent(message)
            self._lost(message)

    @abstractmethod
    def _alert(self, said: str) -> None:
        """Tell people by another way that this one is broken."""

    def _lost(self, message: Unsent) -> None:  # noqa: B027 (most lanes have nothing else to try)
        """Do what else can be done about a message that will never be sent."""

    def _late(self, message: Unsent) -> None:  # noqa: B027 (most lanes only try again)
        """Do what cannot wait for the next try."""

    def _recovered(self) -> None:
        if self._failures:
            self._case.note("message", f"{self.name} takes our messages again")
        self._failures = 0
        self._channel.off, self._channel.off_until = "", None
        self._channel.sent += 1


class PagerDutyLane(Lane):
    """Pages, acknowledgements and resolves, oldest first."""

    name = "PagerDuty"

    async def _send(self) -> None:
        waiting, case = self._channel.unsent, self._case
        # Whoever has to be woken comes first; what is said about earlier pages can wait.
        message = next((one for one in waiting if one.kind == "page"), waiting[0])
        self._take(message)
        if message.kind == "page":
            level = message.payload["level"]
            paged = await workflow.execute_activity_method(
                PagerDuty.page,
                page_order(case.record, case.policy, message),
                **said(PAGE, f"Page {level}"),
            )
            case.record.paged[message.key] = paged.route
            if case.record.paged_at is None:
                case.record.paged_at = case.now
            case.first_contact()
        else:
            acknowledges = message.kind == "acknowledge"
            key = message.payload["dedup_key"]
            # By the route that took the page; one that was only on its way went by its level's.
            route = case.record.paged.get(key, message.payload["route"])
            await workflow.execute_activity_method(
                PagerDuty.acknowledge if acknowledges else PagerDuty.resolve,
                Follow(dedup_key=key, route=route, by=message.payload.get("by", "")),
                **said(PAGE, f"{message.kind.capitalize()} the page"),
            )
            if message.kind == "resolve":
                case.record.paged.pop(key, None)
        self._sent(message)

    def _alert(self, said: str) -> None:
        self._case.tell(said, calls=self._case.level_name(0))

    def _lost(self, message: Unsent) -> None:
        self._late(message)
        if _of_people(message):
            self._case.record.paging.told_there = False
            self._case.tell(f"PagerDuty could not be told: please {message.kind} it there by hand")

    def _late(self, message: Unsent) -> None:
        if message.kind == "page":
            lost(self._case, message.payload.get("occasion", ""), Way.PAGERDUTY)


def _of_people(message: Unsent) -> bool:
    """Tell whether it is about what people have opened at PagerDuty by hand."""
    return bool(there(message.payload.get("dedup_key", "")))


def _tried_enough(message: Unsent) -> bool:
    if _of_people(message):
        return True  # a right that is missing: nothing that a second try would bring
    return message.tries >= _MOST_TRIES.get(message.kind, _MOST_TRIES_OF_OTHERS)


def raise_bugs(tracks: list[asyncio.Task[None]]) -> None:
    """Let a bug in a track fail the workflow task, where it is seen, instead of dying unseen."""
    for track in tracks:
        if track.done():
            track.result()
