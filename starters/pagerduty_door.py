"""The door for what people do in PagerDuty: an event is accepted once Temporal keeps it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from datetime import timedelta
from http import HTTPStatus

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import Failed
from activities.on_call import OnCall
from starters.meters import Meters
from starters.pagerduty_payload import Happened, Ignored, incident_of, read
from starters.pagerduty_signature import verify
from starters.requests import Refusal, body_of, problem
from workers.settings import Settings, variable

PATH = "/webhooks/pagerduty"
MOST_BODY_BYTES = 512 * 1024
"""PagerDuty drops what is over 256 KB itself."""
_BODY_SECONDS = 1.5
_TEMPORAL_SECONDS = 1.5
_LOOKUP_SECONDS = 1.5
"""All together under the 5 s after which PagerDuty gives up, and sends it again."""
_MOST_KEYS = 5_000

_log = logging.getLogger(__name__)


class PagerDutyDoor:
    """Takes PagerDuty's webhooks.

    A fault of ours is a 5xx, and the event comes again for two days. What is none of our business
    is a 200: PagerDuty takes a 4xx for a refusal, and after three sends nothing for a day.
    """

    def __init__(self, client: Client, settings: Settings, meters: Meters) -> None:
        self._client = client
        self._settings = settings.pagerduty
        self._meters = meters
        self._people = settings.pagerduty.names
        self._keys: OrderedDict[str, str] = OrderedDict()
        """Keys of pages by PagerDuty's ids of incidents: a note does not say of which page it is.
        Lost with the process, and then asked for."""

    async def receive(self, request: Request) -> Response:
        """Take one event."""
        try:
            body = await self._body(request)
            happened = read(body)
            return await self._hand_over(happened)
        except Refusal as refusal:
            self._meters.refused.labels(refusal.code).inc()
            if refusal.status != HTTPStatus.FORBIDDEN:
                _log.warning("PagerDuty was refused: %s: %s", refusal.code, refusal.message)
            return problem(refusal.status, refusal.code, refusal.message)
        except Ignored as ignored:
            self._meters.pagerduty.labels(ignored.reason).inc()
            if ignored.reason == "unreadable":
                _log.warning("an event of PagerDuty could not be read, and is ignored")
            return JSONResponse({"ignored": ignored.reason})

    async def _body(self, request: Request) -> bytes:
        if not self._settings.webhook_secrets:
            # Made known by PagerDuty only once it has the subscription, whose first events must
            # not be refused for good meanwhile.
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not_set_up",
                f"set {variable('pagerduty', 'webhook_secrets')} to the subscription's secret",
            )
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await body_of(request, MOST_BODY_BYTES)
        except TimeoutError:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "too_slow", "the body did not arrive in time"
            ) from None
        verify(request, body, self._settings.webhook_secrets)
        return body

    async def _hand_over(self, happened: Happened) -> Response:
        key = await self._key(happened)
        incident = incident_of(key)
        if not incident:
            raise Ignored("not_ours")
        event = happened.told(key, self._people)
        try:
            # A client that has not connected yet heeds the time-out of no call.
            async with asyncio.timeout(_TEMPORAL_SECONDS):
                await self._client.get_workflow_handle(incident).signal(
                    "page_event", event, rpc_timeout=timedelta(seconds=_TEMPORAL_SECONDS)
                )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
                raise Ignored("no_incident") from None
            return self._again(incident, error.message)
        except (RuntimeError, OSError, TimeoutError) as error:
            return self._again(incident, type(error).__name__)
        self._meters.pagerduty.labels("accepted").inc()
        return JSONResponse({"accepted": incident}, HTTPStatus.ACCEPTED)

    async def _key(self, happened: Happened) -> str:
        """Find the page that it is about."""
        if happened.key:
            self._keys.pop(happened.there, None)
            self._keys[happened.there] = happened.key
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
            return happened.key
        if known := self._keys.get(happened.there):
            return known
        token = self._settings.api_token
        if not token.get_secret_value() or not happened.there:
            raise Ignored("of_no_known_page")
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                api = OnCall(http, token, {}, url=self._settings.api_url, seconds=_LOOKUP_SECONDS)
                return await api.key_of(happened.there)
        except Failed as error:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "not_accepted", f"send it again: {error.message}"
            ) from None

    def _again(self, incident: str, why: str) -> Response:
        self._meters.pagerduty.labels("not_accepted").inc()
        _log.error("%s was not told of an event of PagerDuty: %s", incident, why)
        message = "Temporal did not take it in time: send it again, it is not counted twice"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_accepted", message)


def pagerduty_routes(client: Client, settings: Settings, meters: Meters) -> list[Route]:
    """Make the door's route."""
    return [Route(PATH, PagerDutyDoor(client, settings, meters).receive, methods=["POST"])]
