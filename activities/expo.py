"""Whether Expo's push service works: a notification to a test phone, and its receipt."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import SecretStr
from temporalio import activity

from activities.errors import Failed, Throttled
from activities.expo_api import (
    CREDENTIALS,
    NOT_REGISTERED,
    ExpoApi,
    Message,
    Receipt,
)
from activities.expo_errors import NoSuchHost, Unauthorized
from activities.verification import Sample
from activities.words import Answer, Nothing

_COLLAPSE = "incident-responder-look"
_LIVES_SECONDS = 60
_RECEIPT_COUNTS = timedelta(minutes=20)
"""Expo promises a receipt after fifteen minutes; most come within seconds."""
_MOST_PENDING = 100


class Finding(StrEnum):
    """What is wrong with sending by Expo."""

    NONE = ""
    DOWN = "down"
    LIMITED = "too many requests"
    UNAUTHORIZED = "the access token is refused"
    CREDENTIALS = "the app's push credentials are refused"
    TEST_PHONE = "the test phone is not registered"
    DNS = "the name cannot be resolved"
    OTHER = "refused"

    @property
    def means_down(self) -> bool:
        """Whether Expo itself is away, and not a key or a name of ours wrong."""
        return self is Finding.DOWN

    @property
    def refuses(self) -> bool:
        """Whether Expo is there and says no."""
        return self in {Finding.UNAUTHORIZED, Finding.CREDENTIALS, Finding.OTHER}

    @property
    def blind(self) -> bool:
        """Whether it is we who cannot tell."""
        return self in {Finding.LIMITED, Finding.TEST_PHONE, Finding.DNS}


class ExpoSeen(Answer):
    """How Expo answered the worker."""

    answers: bool
    """It gives an answer, be it a refusal."""
    sends: bool | None
    """It took a notification; None: no test phone is set, or nothing can be said."""
    receipt: str = ""
    """ok, an error, or "not yet"; empty where nothing was sent."""
    finding: Finding = Finding.NONE
    said: str = ""
    failures: int = 0
    """How many looks in a row failed."""
    milliseconds: float


class Expo:
    """Sends a silent notification to a test phone, and asks what became of it."""

    def __init__(
        self,
        api: ExpoApi,
        test_phone: SecretStr,
        *,
        looks: int = 3,
        pause_seconds: float = 3.0,
        receipt_seconds: float = 3.0,
    ) -> None:
        self._api = api
        self._phone = test_phone
        self._looks = looks
        self._pause_seconds = pause_seconds
        self._receipt_seconds = receipt_seconds
        self._pending: dict[str, datetime] = {}
        self._proven_at: datetime | None = None
        """When that was sent of which the newest good receipt is."""

    @activity.defn(name="expo.look")
    async def look(self, ask: Nothing) -> ExpoSeen:  # noqa: ARG002
        """Send and ask for the receipt; "down" is said only after several looks."""
        failures = 0
        while True:
            begun = time.perf_counter()
            try:
                seen = await self._look(begun)
            except Failed as failed:
                seen = ExpoSeen(
                    answers=isinstance(failed, Unauthorized | Throttled),
                    sends=None,
                    finding=finding(failed),
                    said=failed.message,
                    milliseconds=_since(begun),
                )
            if not seen.finding.means_down:
                return seen
            failures += 1
            if failures >= self._looks:
                return seen.model_copy(update={"failures": failures, "sends": False})
            activity.heartbeat(f"looked {failures} times: {seen.said}")
            await asyncio.sleep(self._pause_seconds)

    async def _look(self, begun: float) -> ExpoSeen:
        if not self._phone.get_secret_value():
            # A ticket that nobody has: that its receipt is not there is a sound answer.
            await self._api.receipts([str(uuid.uuid4())])
            said = "no test phone is set, so that sending was not tried"
            return ExpoSeen(answers=True, sends=None, said=said, milliseconds=_since(begun))
        [ticket] = await self._api.send([self._message()])
        took = _since(begun)
        if not ticket.taken:
            told = Receipt(ticket.error, ticket.said)
            return _judged(told, took).model_copy(update={"sends": _taken(ticket.error)})
        deadline = time.monotonic() + self._receipt_seconds
        while True:
            receipts = await self._api.receipts([ticket.id])
            if ticket.id in receipts:
                return _judged(receipts[ticket.id], took)
            if time.monotonic() >= deadline:
                return ExpoSeen(answers=True, sends=True, receipt="not yet", milliseconds=took)
            await asyncio.sleep(0.5)

    async def sends_sample(self) -> Sample:
        """Look once whether a notification is taken, and one of late was handed on."""
        now = datetime.now(UTC)
        if not self._phone.get_secret_value():
            return Sample(at=now, good=None, note="no test phone is set: sending cannot be tried")
        begun = time.perf_counter()
        try:
            good, note = await self._sent(now)
        except Failed as failed:
            found = finding(failed)
            good, note = None if found.blind else False, failed.message
        if good is False:
            self._proven_at = None
        took = (time.perf_counter() - begun) if good else None
        return Sample(at=now, good=good, value=took, note=note)

    async def _sent(self, now: datetime) -> tuple[bool | None, str]:
        [ticket] = await self._api.send([self._message()])
        if not ticket.taken:
            return _taken(ticket.error), f"Expo did not take it: {ticket.error} {ticket.said}"
        self._pending[ticket.id] = now
        since = now - _RECEIPT_COUNTS
        fresh = [(key, at) for key, at in self._pending.items() if at >= since]
        self._pending = dict(fresh[-_MOST_PENDING:])
        for key, told in (await self._api.receipts(list(self._pending))).items():
            sent_at = self._pending.pop(key, now)
            if told.error:
                return _taken(told.error), f"not handed on: {told.error} {told.said}"
            self._proven_at = max(self._proven_at or sent_at, sent_at)
        if self._proven_at is None or self._proven_at < since:
            return None, "Expo takes notifications; no receipt has come yet"
        return True, ""

    def _message(self) -> Message:
        # Only data: the app is woken, the person who holds the phone is not.
        return Message(
            to=self._phone,
            data={"probe": True},
            collapse_id=_COLLAPSE,
            priority="normal",
            ttl_seconds=_LIVES_SECONDS,
        )


def finding(failed: Failed) -> Finding:
    """Say what a failure means."""
    if isinstance(failed, Unauthorized):
        return Finding.UNAUTHORIZED
    if isinstance(failed, Throttled):
        return Finding.LIMITED
    if isinstance(failed, NoSuchHost):
        return Finding.DNS
    return Finding.OTHER if failed.type == "Refused" else Finding.DOWN


def _taken(error: str) -> bool | None:
    """Whether sending works in spite of *error*; that a test phone has gone says nothing."""
    return None if error == NOT_REGISTERED else False


def _judged(told: Receipt, milliseconds: float) -> ExpoSeen:
    if not told.error:
        return ExpoSeen(answers=True, sends=True, receipt="ok", milliseconds=milliseconds)
    if told.error in CREDENTIALS:
        found = Finding.CREDENTIALS
    elif told.error == NOT_REGISTERED:
        found = Finding.TEST_PHONE
    elif told.error in {"ExpoError", "ProviderError"}:
        found = Finding.DOWN
    else:
        found = Finding.OTHER
    return ExpoSeen(
        answers=True,
        sends=_taken(told.error),
        receipt=told.error,
        finding=found,
        said=told.said,
        milliseconds=milliseconds,
    )


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
