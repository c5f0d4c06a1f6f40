"""The door for what people press, write and command in Slack."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from starters.meters import Meters
from starters.requests import Refusal, body_of, misunderstood, problem, unprocessable
from starters.slack_desk import Desk
from starters.slack_payloads import Received, from_fields, from_json
from starters.slack_signature import is_probe, verify
from workers.settings import Settings

PATH = "/webhooks/slack"
MOST_BODY_BYTES = 1024 * 1024
"""A press brings the whole message along; a message has far less."""
_BODY_SECONDS = 2.0
_MOST_FIELDS = 50

_log = logging.getLogger(__name__)


class SlackDoor:
    """Takes interactions, slash commands and events; Slack has to have signed them."""

    def __init__(self, desk: Desk, settings: Settings, meters: Meters) -> None:
        self._desk = desk
        self._secret = settings.slack.signing_secret
        self._meters = meters

    async def receive(self, request: Request) -> Response:
        """Take what Slack posts; a 5xx has it sent again, where Slack does that at all."""
        try:
            received = await self._received(request)
        except Refusal as refusal:
            self._meters.refused.labels(refusal.code).inc()
            if refusal.status != HTTPStatus.UNAUTHORIZED:
                _log.warning("Slack was refused: %s: %s", refusal.code, refusal.message)
            # Not as itself: it would name another scheme. The same again would be no better.
            never = {"X-Slack-No-Retry": "1"}
            return problem(refusal.status, refusal.code, refusal.message, headers=never)
        if received is None:
            return Response(status_code=HTTPStatus.OK)
        self._meters.slack_received.labels(type(received).__name__.lower()).inc()
        reply = await self._desk.take(received, tries=_tries(request))
        if not reply.taken:
            again = "it could not be recorded: send it again"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_recorded", again)
        if reply.body is None:
            return Response(status_code=HTTPStatus.OK)
        return JSONResponse(reply.body)

    async def _received(self, request: Request) -> Received | None:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await body_of(request, MOST_BODY_BYTES)
        except TimeoutError:
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the body did not arrive in time"
            ) from None
        if is_probe(body):
            return None
        verify(request, body, self._secret)
        try:
            return _read(request, body)
        except ValidationError as error:
            misunderstood(error)


def slack_routes(desk: Desk, settings: Settings, meters: Meters) -> list[Route]:
    """Make the door's route; none where Slack's signature could not be checked."""
    if not settings.slack.signing_secret.get_secret_value():
        return []
    return [Route(PATH, SlackDoor(desk, settings, meters).receive, methods=["POST"])]


def _read(request: Request, body: bytes) -> Received | None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return from_json(body)
    if kind != "application/x-www-form-urlencoded":
        unprocessable("content_type", "send JSON or a form", field="content-type")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        unprocessable("form", "that is no form")
    fields: dict[str, Any] = dict(pairs)
    return from_json(fields["payload"]) if "payload" in fields else from_fields(fields)


def _tries(request: Request) -> int:
    told = request.headers.get("x-slack-retry-num", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 3 else 0
