"""The lanes to people: one message in flight each, in order, tried until it is taken.

A lane never fails and never holds up anything else. A message that is refused for what it says
gives way after a while to those behind it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.outbox import Channel, Unsent
from activities.pagerduty import Follow, PagerDuty
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.efforts import PAGE, said
from workflows.glance import page_order

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)
PASSING = frozenset({"Unavailable", "Throttled", "Ambiguous", "Timeout", "NoWorker"})
"""Failures of the way, not of the message: tried on for as long as the incident lives."""
_MOST_TRIES = {"page": 3, "chart": 2}
_MOST_TRIES_OF_OTHERS = 10


class Lane(ABC):
    """What every lane does: take the next message, send it, and be patient."""

    name: str

    def __init__(self, case: Case, channel: Channel) -> None:
        self._case = case
        self._channel = channel
        self._failures = 0
        self._sending: Unsent | None = None
        self.busy = False
        """A message is in flight."""

    @property
    def owes(self) -> bool:
        """Whether something has not been sent yet."""
        return not self._channel.off and bool(self._channel.unsent)

    async def run(self) -> None:
        """Send for as long as the incident lives."""
        while True:
            await workflow.wait_condition(lambda: self.owes and not self._case.pausing)
            self.busy, self._sending = True, None
            try:
                await self._send()
            except ActivityError as error:
                self._failed(error)
            else:
                self._recovered()
            finally:
                self.busy = False
            if self._failures:
                await self._pause()

    @abstractmethod
    async def _send(self) -> None:
        """Send the next message; an `ActivityError` means that it is still unsent."""

    async def _pause(self) -> None:
        waiting = len(self._channel.unsent)
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        # Something new to say is a reason to try at once: it may be the page that matters.
        await until(
            lambda: len(self._channel.unsent) > waiting,
            self._case.now + pause,
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
        if kind_of(error) == "NotConfigured":
            unsaid, self._channel.off = list(self._channel.unsent), why(error)
            self._channel.unsent.clear()
            self._case.note("problem", f"{why(error)}. Nothing is sent there.")
            for message in unsaid:
                self._lost(message)
        elif message and kind_of(error) not in PASSING and _tried_enough(message):
            self._failures = 0
            self._sent(message)
            self._case.note("problem", f"{self.name} refuses a {message.kind}: {why(error)}")
            self._lost(message)
        elif self._failures == 1:
            self._case.note(
                "problem", f"{self.name} does not take our messages: {why(error)}. Trying on."
            )

    def _lost(self, message: Unsent) -> None:  # noqa: B027 (most lanes have nothing else to try)
        """Do what else can be done about a message that will never be sent."""

    def _recovered(self) -> None:
        if self._failures:
            self._case.note("message", f"{self.name} takes our messages again")
        self._failures = 0
        self._channel.sent += 1


class PagerDutyLane(Lane):
    """Pages, acknowledgements and resolves, oldest first."""

    name = "PagerDuty"

    async def _send(self) -> None:
        message = self._channel.unsent[0]
        case = self._case
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
                Follow(dedup_key=key, route=route),
                **said(PAGE, f"{message.kind.capitalize()} the page"),
            )
            if message.kind == "resolve":
                case.record.paged.pop(key, None)
        self._sent(message)

    def _lost(self, message: Unsent) -> None:
        if message.kind == "page":
            level, reason = message.payload["level"], message.payload["why"]
            self._case.tell(f"{level} could not be paged, please call: {reason}", calls=level)


def _tried_enough(message: Unsent) -> bool:
    return message.tries >= _MOST_TRIES.get(message.kind, _MOST_TRIES_OF_OTHERS)


def raise_bugs(tracks: list[asyncio.Task[None]]) -> None:
    """Let a bug in a track fail the workflow task, where it is seen, instead of dying unseen."""
    for track in tracks:
        if track.done():
            track.result()
