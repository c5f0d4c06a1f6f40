"""Expo's push service, asked over HTTP: what is sent, its tickets, and later its receipts.

Expo delivers at least once and knows no idempotency key: what was sent twice shows once on a phone
only by its collapse id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from pydantic import SecretStr

from activities.errors import Ambiguous, Failed, Refused, Unavailable, from_status
from activities.expo_errors import SeveralProjects, Unauthorized, lost, projects_named, refused
from activities.redaction import redact

EXPO_URL = "https://exp.host"
MOST_MESSAGES = 100
"""Of one request to send."""
MOST_RECEIPTS = 1000
"""Of one request for receipts."""
MOST_BYTES = 4096
"""Of what a phone gets: Apple and Google take no more."""
TOKEN = re.compile(
    r"Expo(?:nent)?PushToken\[[^\[\]\s]{1,200}\]|[0-9A-Za-z]{8}(?:-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}"
)
"""The address of one app on one phone."""
NOT_REGISTERED = "DeviceNotRegistered"
CREDENTIALS = frozenset({"InvalidCredentials", "MismatchSenderId"})
"""Errors of a receipt that no phone is to blame for, and no retry cures."""

_MOST_COLLAPSE = 64
_MOST_ANSWER_BYTES = 1024 * 1024
_MOST_SAID = 300
_TIMEOUT = httpx.Timeout(5.0)
_SENT = re.compile(r"Expo(?:nent)?PushToken\[[^\]]*\]?")


@dataclass(frozen=True)
class Message:
    """One notification for one phone."""

    to: SecretStr
    title: str = ""
    body: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    collapse_id: str = ""
    """What comes later under the same one takes its place on the phone."""
    priority: Literal["default", "normal", "high"] = "default"
    ttl_seconds: int | None = None
    channel: str = ""
    """Of Android, as the app has made it."""
    urgent: bool = False
    """With a sound, and through a quiet time of the phone where the app may."""

    def content(self) -> dict[str, Any]:
        """Give what the phone gets."""
        if len(self.collapse_id.encode()) > _MOST_COLLAPSE:
            raise ValueError(f"a collapse id has at most {_MOST_COLLAPSE} bytes")
        found: dict[str, Any] = {"title": self.title, "body": self.body, "data": dict(self.data)}
        if self.collapse_id:
            # The one is Apple's, the other Android's.
            found |= {"collapseId": self.collapse_id, "tag": self.collapse_id}
        if self.urgent:
            found |= {"sound": "default", "interruptionLevel": "time-sensitive"}
        if self.channel:
            found["channelId"] = self.channel
        return {name: value for name, value in found.items() if value not in ("", {})}

    @property
    def size(self) -> int:
        """How many bytes the phone gets."""
        return len(json.dumps(self.content(), ensure_ascii=False).encode())

    def wire(self) -> dict[str, Any]:
        """Give what Expo is sent."""
        found = {"to": self.to.get_secret_value(), "priority": self.priority, **self.content()}
        return found if self.ttl_seconds is None else {**found, "ttl": self.ttl_seconds}


@dataclass(frozen=True)
class Ticket:
    """What Expo says of one message at once: taken, or why not."""

    id: str = ""
    error: str = ""
    said: str = ""

    @property
    def taken(self) -> bool:
        """Whether Expo has it."""
        return bool(self.id) and not self.error


@dataclass(frozen=True)
class Receipt:
    """What became of a message that Expo had taken."""

    error: str = ""
    """Empty: handed on to Apple or Google."""
    said: str = ""


class ExpoApi:
    """Sends and asks, once each; *token* may be empty where the project asks for none."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        token: SecretStr,
        *,
        url: str = EXPO_URL,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> None:
        self._client = client
        self._token = token
        self._url = f"{url.rstrip('/')}/--/api/v2/push"
        self._timeout = timeout

    async def send(self, messages: Sequence[Message]) -> list[Ticket]:
        """Send at most a hundred messages, and give a ticket for each in their order."""
        if not 0 < len(messages) <= MOST_MESSAGES:
            raise Refused(f"Expo takes 1 to {MOST_MESSAGES} messages at a time")
        if large := [each.size for each in messages if each.size >= MOST_BYTES]:
            raise Refused(f"{len(large)} messages have {MOST_BYTES} bytes or more: {max(large)}")
        try:
            return await self._sent(messages)
        except SeveralProjects as several:
            if len(several.projects) < 2:
                raise
            return await self._by_project(messages, several.projects)

    async def _by_project(
        self, messages: Sequence[Message], projects: Sequence[frozenset[str]]
    ) -> list[Ticket]:
        """Send to each project's phones by itself; one that Expo names with none gets nothing."""
        unnamed = Ticket(error="DeveloperError", said="Expo names no project of this phone")
        tickets = [unnamed] * len(messages)
        for count, phones in enumerate(projects):
            places = [n for n, m in enumerate(messages) if m.to.get_secret_value() in phones]
            try:
                sent = await self._sent([messages[n] for n in places]) if places else []
            except Failed as failed:
                if not count:
                    raise
                raise Ambiguous(
                    f"sent to some projects, and not to all: {failed.message}"
                ) from None
            for place, ticket in zip(places, sent, strict=True):
                tickets[place] = ticket
        return tickets

    async def _sent(self, messages: Sequence[Message]) -> list[Ticket]:
        data = await self._ask("send", [each.wire() for each in messages], writes=True)
        if not isinstance(data, list) or len(data) != len(messages):
            raise Ambiguous("Expo's answer has no ticket for each message: they may be sent")
        return [self._ticket(each) for each in data]

    async def receipts(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """Ask what became of tickets; one that is missing is not there yet, or any more."""
        if not 0 < len(ids) <= MOST_RECEIPTS:
            raise Refused(f"Expo takes 1 to {MOST_RECEIPTS} tickets at a time")
        data = await self._ask("getReceipts", {"ids": list(ids)}, writes=False)
        if not isinstance(data, dict):
            raise Unavailable("Expo's answer has no receipts in it")
        wanted = set(ids)
        return {key: self._receipt(each) for key, each in data.items() if key in wanted}

    async def _ask(self, what: str, body: object, *, writes: bool) -> object:
        headers = {"accept": "application/json"}
        if token := self._token.get_secret_value():
            headers["authorization"] = f"Bearer {token}"
        try:
            async with self._client.stream(
                "POST",
                f"{self._url}/{what}",
                json=body,
                headers=headers,
                timeout=self._timeout,
                follow_redirects=False,
            ) as answer:
                status, said, raw = answer.status_code, answer.headers, await _some(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not chained: the error holds the request, and that the token.
            raise lost(error, writes=writes) from None
        parsed = _parsed(raw)
        codes = self._errors(parsed)
        if status != 200:
            text = "; ".join(f"{code}: {message}" for code, message in codes)
            if status in (401, 403) or any(code == "UNAUTHORIZED" for code, _ in codes):
                raise Unauthorized(f"Expo answered {status}: {text}"[:_MOST_SAID])
            if status == 400 and (projects := projects_named(parsed)):
                raise SeveralProjects(f"Expo answered 400: {text}"[:_MOST_SAID], projects)
            raise from_status("Expo", status, text, said, writes=writes)
        if codes:
            raise refused(codes, writes=writes)
        return parsed.get("data")

    def _errors(self, parsed: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Read the errors of a whole request; a 200 can have them too."""
        errors = parsed.get("errors")
        return [
            (self._clean(each.get("code")), self._clean(each.get("message")))
            for each in (errors if isinstance(errors, list) else [])
            if isinstance(each, dict)
        ]

    def _ticket(self, raw: object) -> Ticket:
        told = raw if isinstance(raw, dict) else {}
        if told.get("status") == "ok" and isinstance(told.get("id"), str):
            return Ticket(id=told["id"][:100])
        return Ticket(error=self._error(told), said=self._clean(told.get("message")))

    def _receipt(self, raw: object) -> Receipt:
        told = raw if isinstance(raw, dict) else {}
        if told.get("status") == "ok":
            return Receipt()
        return Receipt(error=self._error(told), said=self._clean(told.get("message")))

    def _error(self, told: Mapping[str, Any]) -> str:
        details = told.get("details")
        named = details.get("error") if isinstance(details, dict) else None
        return self._clean(named)[:60] or "ExpoError"

    def _clean(self, text: object) -> str:
        """Bring what Expo said into a line that holds no token."""
        line = " ".join(text.split()) if isinstance(text, str) else ""
        without = _SENT.sub("(a push token)", line[: 4 * _MOST_SAID])
        return redact(without, self._token.get_secret_value())[:_MOST_SAID]


async def _some(answer: httpx.Response) -> bytes:
    kept = bytearray()
    async for piece in answer.aiter_bytes():
        kept += piece
        if len(kept) >= _MOST_ANSWER_BYTES:
            break
    return bytes(kept[:_MOST_ANSWER_BYTES])


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
