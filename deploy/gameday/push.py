"""The push notifications that the API sends all the time, through Expo or into its queue."""

from __future__ import annotations

import contextlib
import json
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from prometheus_client import Counter, Gauge
from psycopg_pool import PoolTimeout

from deploy.gameday.part import Part

if TYPE_CHECKING:
    from deploy.gameday.api import Api

URL = "EXPO_BASE_URL"
TOKEN = "EXPO_ACCESS_TOKEN"  # noqa: S105 (the name of a variable)
CAMPAIGN = "push_campaign"
"""The fault that sends half of all to the tokens whose ids it names."""
LARGE = "push_large"
"""The fault that puts more into each notification than a phone takes."""

UNREACHABLE = "Unreachable"
ERRORS = (
    "DeviceNotRegistered", "MessageTooBig", "MessageRateExceeded", "InvalidCredentials",
    "MismatchSenderId", "ExpoError", UNREACHABLE,
)  # fmt: skip
_KINDS = ("digest", "mention", "incident")
_SECONDS = 1.0
_TIMEOUT = 2.0
_LIVES = "30 minutes"
_MOST_PENDING = 500
_ANYBODY = "SELECT id, token FROM push_tokens ORDER BY random() LIMIT %s"
_AUDIENCE = "SELECT id, token FROM push_tokens WHERE id = ANY(%s) ORDER BY random() LIMIT %s"
_QUEUE = f"""
INSERT INTO push_queue (token_id, kind, title, body, data, urgent, expires_at)
SELECT id, kind, title, 'Something happened', data::jsonb, kind = 'incident',
       now() + interval '{_LIVES}'
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS n (id, kind, title, data)
RETURNING 1
"""  # noqa: S608 (a constant)
_NOTE = """
INSERT INTO push_receipts (token_id, kind, bytes, error)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[]) RETURNING 1
"""


@dataclass(frozen=True)
class Push:
    """One notification on its way."""

    token_id: int
    token: str
    kind: str
    data: dict[str, Any]

    @property
    def wire(self) -> dict[str, Any]:
        """Give what Expo is sent."""
        said = {"title": f"A new {self.kind}", "body": "Something happened"}
        return {"to": self.token, **said, "data": self.data}

    @property
    def size(self) -> int:
        """How many bytes a phone gets."""
        return len(json.dumps({k: v for k, v in self.wire.items() if k != "to"}))


class PushNotifications(Part):
    """Sends notifications, reads their receipts, and counts what fails."""

    def __init__(self, api: Api, environment: Mapping[str, str]) -> None:
        super().__init__(api, environment)
        registry = api.meters.registry
        self.sent = Counter("push_notifications", "Notifications handed on.", registry=registry)
        self.failures = Counter(
            "push_notification_failures",
            "Notifications that failed, at once or by their receipt.",
            ("error_type",),
            registry=registry,
        )
        self.up = Gauge("expo_push_up", "1 while Expo takes notifications.", registry=registry)
        self.up.set(float("nan"))  # not looked at yet is neither 0 nor healthy
        for error in ERRORS:
            self.failures.labels(error)
        self._queueing = environment.get("PUSH_QUEUEING") == "true"
        self._minimal = environment.get("PUSH_MINIMAL_PAYLOAD") == "true"
        self._rate = int(environment.get("PUSH_RATE_PER_SECOND") or 3)
        self._pending: deque[tuple[str, Push]] = deque(maxlen=_MOST_PENDING)
        token = environment.get(TOKEN, "")
        self._http = httpx.AsyncClient(
            base_url=environment.get(URL, ""),
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def looks(self) -> Mapping[Callable[[], Awaitable[None]], float]:
        """Send, and read what became of what was sent."""
        if not self.environment.get(URL):
            return {}
        return {self._send: _SECONDS, self._read: _SECONDS}

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def _send(self) -> None:
        # Users who cannot be found get nothing: that is the database's trouble, and seen there.
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            pushes = await self._next()
            if self._queueing:
                await self._queue(pushes)
            else:
                await self._hand_on(pushes)

    async def _next(self) -> list[Push]:
        """Choose who gets something, and what."""
        half = self._rate // 2
        named = [int(each) for each in self.api.faults.text(CAMPAIGN).split(",") if each]
        audience = await self.api.query("select", _AUDIENCE, named, self._rate - half)
        anybody = await self.api.query("select", _ANYBODY, self._rate - len(audience))
        large = bool(self.api.faults.text(LARGE)) and not self._minimal
        history = {"history": "x" * 5000} if large else {}
        return [
            Push(
                token_id=row[0],
                token=row[1],
                kind=random.choice(_KINDS),  # noqa: S311 (no secret)
                data={"screen": "Home", **history},
            )
            for row in (*audience, *anybody)
        ]

    async def _queue(self, pushes: Sequence[Push]) -> None:
        await self.api.query(
            "insert",
            _QUEUE,
            [each.token_id for each in pushes],
            [each.kind for each in pushes],
            [each.wire["title"] for each in pushes],
            [json.dumps(each.data) for each in pushes],
        )

    async def _hand_on(self, pushes: Sequence[Push]) -> None:
        self.sent.inc(len(pushes))
        tickets = await self._ask("send", [each.wire for each in pushes])
        if not isinstance(tickets, list):
            self.failures.labels(UNREACHABLE).inc(len(pushes))
            return
        refused = []
        for push, ticket in zip(pushes, tickets, strict=True):
            if ticket["status"] == "ok":
                self._pending.append((ticket["id"], push))
            else:
                refused.append((push, _error(ticket)))
        await self._note(refused)

    async def _read(self) -> None:
        """Ask for receipts; that Expo answers at all says that it is up."""
        waiting = list(self._pending)[:100]
        names = [name for name, _ in waiting] or [str(uuid.uuid4())]
        receipts = await self._ask("getReceipts", {"ids": names})
        self.up.set(isinstance(receipts, dict))
        if not isinstance(receipts, dict):
            return
        told = [(name, push) for name, push in waiting if name in receipts]
        for each in told:
            self._pending.remove(each)
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            await self._note([(push, _error(receipts[name])) for name, push in told])

    async def _note(self, told: Sequence[tuple[Push, str]]) -> None:
        """Count and write down what became of notifications."""
        for _, error in told:
            if error:
                self.failures.labels(error).inc()
        if told:
            await self.api.query(
                "insert",
                _NOTE,
                [push.token_id for push, _ in told],
                [push.kind for push, _ in told],
                [push.size for push, _ in told],
                [error for _, error in told],
            )

    async def _ask(self, what: str, body: object) -> object:
        """Ask Expo; None is no answer that is one."""
        try:
            answer = await self._http.post(f"/--/api/v2/push/{what}", json=body)
            return answer.json().get("data") if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None


def _error(told: Mapping[str, Any]) -> str:
    if told["status"] == "ok":
        return ""
    named = told.get("details", {}).get("error", "")
    return named if named in ERRORS else "ExpoError"
