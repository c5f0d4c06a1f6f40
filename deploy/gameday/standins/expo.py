"""Stands in for Expo's push service: takes messages, gives tickets, and receipts for them."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

MOST_MESSAGES = 100
MOST_RECEIPTS = 1000
MOST_BYTES = 4096
MOST_KEPT = 20_000
_TOKEN = re.compile(r"Expo(?:nent)?PushToken\[[^\]\s]+\]|[\w]{8}(-[\w]{4}){3}-[\w]{12}")
_ENVELOPE = {"to", "priority", "ttl", "expiration", "_contentAvailable"}
_FIELDS = {
    *_ENVELOPE, "title", "body", "subtitle", "data", "sound", "interruptionLevel", "badge",
    "channelId", "categoryId", "mutableContent", "richContent", "icon", "collapseId", "tag",
    "threadId", "relevanceScore", "contentAvailable",
}  # fmt: skip


class Delivered(BaseModel):
    """One message that was taken."""

    at: datetime
    id: str
    to: str
    message: dict[str, Any]
    error: str = ""
    """What its receipt says; empty is handed on."""


class ExpoStandIn(StandIn):
    """Takes messages as Expo does, and can be told what is wrong with a phone or with itself."""

    title = "Expo"

    def __init__(self, access_token: str = "", *, port: int = 0, data: Path | None = None) -> None:
        """Take the access token of the project, if it asks for one."""
        super().__init__(port=port, data=data)
        self._token = access_token
        self.dead: set[str] = set()
        """Push tokens of phones that have the app no more."""
        self.wrong_credentials = False
        """The app's keys at Apple and Google are refused."""
        self.most_for_a_phone = 0
        """Messages for one phone after which more are too many; 0 is no limit."""
        self.down = False
        """Everything is answered 503."""
        self.receipts_held = False
        """Receipts are not there yet."""
        self.projects: dict[str, str] = {}
        """Whose phone it is, where it is not of the usual project."""
        self.tickets: dict[str, Delivered] = {}

    @property
    def delivered(self) -> list[Delivered]:
        """What was handed on, oldest first."""
        return [each for each in self.tickets.values() if not each.error]

    def routes(self) -> list[Route]:
        """List the two real endpoints and the look inside."""
        return [
            Route("/--/api/v2/push/send", self._send, methods=["POST"]),
            Route("/--/api/v2/push/getReceipts", self._receipts, methods=["POST"]),
            Route("/_standin/state", self._look),
        ]

    def method(self, path: str) -> str | None:
        """Name what may fail."""
        return path.rpartition("/")[2] if path.startswith("/--/") else None

    async def _look(self, _: Request) -> Response:
        return JSONResponse([each.model_dump(mode="json") for each in self.tickets.values()])

    async def _send(self, request: Request) -> Response:
        body, refused = await self._read(request)
        if refused is not None:
            return refused
        messages = body if isinstance(body, list) else [body]
        recipients = [
            (to, message)
            for message in messages
            for to in _recipients(message.get("to") if isinstance(message, dict) else None)
        ]
        if wrong := next((_wrong(message) for message in messages if _wrong(message)), ""):
            return _errors(400, "VALIDATION_ERROR", wrong)
        if len(recipients) > MOST_MESSAGES:
            return _errors(400, "PUSH_TOO_MANY_NOTIFICATIONS", f"{len(recipients)} notifications")
        projects: dict[str, list[str]] = {}
        for to, _ in recipients:
            projects.setdefault(self.projects.get(to, "@pravado/app"), []).append(to)
        if len(projects) > 1:
            said = "All push notification messages in the same request must be for the same project"
            return _errors(400, "PUSH_TOO_MANY_EXPERIENCE_IDS", said, projects)
        tickets = [self._take(to, message) for to, message in recipients]
        alone = not isinstance(body, list) and len(tickets) == 1
        return JSONResponse({"data": tickets[0] if alone else tickets})

    def _take(self, to: str, message: dict[str, Any]) -> dict[str, Any]:
        if not _TOKEN.fullmatch(to):
            said = f'"{to}" is not a valid Expo push token'
            return _failed("DeviceNotRegistered", said, expoPushToken=to)
        if to in self.dead:
            said = f'"{to}" is not a registered push notification recipient'
            return _failed("DeviceNotRegistered", said, expoPushToken=to)
        content = {name: value for name, value in message.items() if name not in _ENVELOPE}
        size = len(json.dumps(content, ensure_ascii=False).encode())
        sent = sum(1 for each in self.tickets.values() if each.to == to)
        if self.wrong_credentials:
            error = "InvalidCredentials"
        elif size > MOST_BYTES:
            error = "MessageTooBig"
        elif self.most_for_a_phone and sent >= self.most_for_a_phone:
            error = "MessageRateExceeded"
        else:
            error = ""
        name = str(uuid.uuid4())
        self.tickets[name] = Delivered(
            at=datetime.now(UTC), id=name, to=to, message=message, error=error
        )
        if len(self.tickets) > MOST_KEPT:
            del self.tickets[next(iter(self.tickets))]
        return {"status": "ok", "id": name}

    async def _receipts(self, request: Request) -> Response:
        body, refused = await self._read(request)
        if refused is not None:
            return refused
        ids = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            return _errors(400, "VALIDATION_ERROR", '"ids" must be an array of strings')
        if len(ids) > MOST_RECEIPTS:
            return _errors(400, "PUSH_TOO_MANY_RECEIPTS", f"{len(ids)} receipts")
        known = {} if self.receipts_held else {i: self.tickets[i] for i in ids if i in self.tickets}
        return JSONResponse({"data": {name: _receipt(each) for name, each in known.items()}})

    async def _read(self, request: Request) -> tuple[Any, Response | None]:
        if self.down:
            return None, Response("<h1>503</h1>", status_code=503, media_type="text/html")
        if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
            said = "The bearer token is invalid"
            return None, _errors(401, "UNAUTHORIZED", said)
        try:
            return json.loads(await request.body()), None
        except ValueError:
            return None, _errors(400, "API_ERROR", "the request body is not JSON")


def _recipients(to: object) -> list[str]:
    return [each for each in to if isinstance(each, str)] if isinstance(to, list) else [str(to)]


def _wrong(message: object) -> str:
    if not isinstance(message, dict):
        return "a message must be an object"
    to, data = message.get("to"), message.get("data", {})
    unknown = sorted(set(message) - _FIELDS)
    rules = {
        '"to" must be a string': isinstance(to, str | list) and bool(to),
        f'"{"".join(unknown[:1])}" is not allowed': not unknown,
        '"priority" must be one of default, normal, high': (
            message.get("priority", "default") in {"default", "normal", "high"}
        ),
        '"data" must be an object': isinstance(data, dict),
        '"collapseId" is too long': len(str(message.get("collapseId", "")).encode()) <= 64,
    }
    return next((said for said, kept in rules.items() if not kept), "")


def _failed(error: str, said: str, **details: str) -> dict[str, Any]:
    return {"status": "error", "message": said, "details": {"error": error, **details}}


def _receipt(sent: Delivered) -> dict[str, Any]:
    if not sent.error:
        return {"status": "ok"}
    return _failed(sent.error, f"{sent.error} (stand-in)")


def _errors(
    status: int, code: str, said: str, details: dict[str, list[str]] | None = None
) -> Response:
    error = {"code": code, "message": said, **({"details": details} if details else {})}
    return JSONResponse({"errors": [error]}, status_code=status)
