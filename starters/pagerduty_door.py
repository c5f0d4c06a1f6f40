"""The door for what people do in PagerDuty: an event is accepted once Temporal keeps it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from activities.pagerduty_there import incident_of as peoples_incident
from activities.pagerduty_there import key_of as peoples_key
from starters.meters import Meters
from starters.pagerduty_opening import PeoplesOpenings
from starters.pagerduty_payload import Happened, Ignored, incident_of, read
from starters.pagerduty_signature import verify
from starters.requests import Refusal, body_of, problem
from workers.settings import Settings, variable
from workflows.page_events import PageEvent, PageHappening

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
        self._openings = PeoplesOpenings(client, settings, seconds=_TEMPORAL_SECONDS)
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
        except _NotKept as not_kept:
            return self._again(not_kept.incident, not_kept.why)

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
            return await self._of_people(happened, "not_ours" if key else "of_no_known_page")
        async with _keeping(incident):
            if not await self._tell(incident, happened.told(key, self._people)):
                raise Ignored("no_incident")
        return self._accepted(incident)

    async def _of_people(self, happened: Happened, unless: str) -> Response:
        """Take it for an event of what somebody of ours has opened there by hand, if it is one."""
        incident = peoples_incident(happened.there)
        if not incident:
            raise Ignored(unless)
        event = happened.told(peoples_key(incident), self._people)
        if event.happening is PageHappening.TRIGGERED:
            await self._open(happened, incident, event)
            return self._accepted(incident)
        async with _keeping(incident):
            if not await self._tell(incident, event):
                self._openings.keep(incident, event)
                raise Ignored(unless)
        return self._accepted(incident)

    async def _open(self, happened: Happened, incident: str, event: PageEvent) -> None:
        since = await self._openings.look(happened, incident, event)
        async with _keeping(incident):
            await self._openings.open(happened, incident, event, since)
            for each in since:
                # The first once more: where it was open already, it has not heard of it.
                await self._tell(incident, each)
        self._openings.forget(incident)

    async def _tell(self, incident: str, event: PageEvent) -> bool:
        """Tell an incident; False where none of that name is open."""
        handle = self._client.get_workflow_handle(incident)
        limit = timedelta(seconds=_TEMPORAL_SECONDS)
        try:
            await handle.signal("page_event", event, rpc_timeout=limit)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
                return False
            raise
        return True

    def _accepted(self, incident: str) -> Response:
        self._meters.pagerduty.labels("accepted").inc()
        return JSONResponse({"accepted": incident}, HTTPStatus.ACCEPTED)

    async def _key(self, happened: Happened) -> str:
        """Find the key of what it is about; empty where it has none, or that is not known."""
        if happened.whole:
            self._keys.pop(happened.there, None)
            self._keys[happened.there] = happened.key
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
            return happened.key
        if happened.there in self._keys:
            return self._keys[happened.there]
        token = self._settings.api_token
        if not token.get_secret_value() or not happened.there:
            return ""
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


class _NotKept(Exception):
    """Temporal has not taken it, or has not said so."""

    def __init__(self, incident: str, why: str) -> None:
        super().__init__(why)
        self.incident = incident
        self.why = why


@asynccontextmanager
async def _keeping(incident: str) -> AsyncIterator[None]:
    """Give Temporal its time, and raise `_NotKept` for whatever keeps it from answering."""
    try:
        # A client that has not connected yet heeds the time-out of no call.
        async with asyncio.timeout(_TEMPORAL_SECONDS):
            yield
    except RPCError as error:
        raise _NotKept(incident, error.message) from None
    except (RuntimeError, OSError, TimeoutError) as error:
        raise _NotKept(incident, type(error).__name__) from None


def pagerduty_routes(client: Client, settings: Settings, meters: Meters) -> list[Route]:
    """Make the door's route."""
    return [Route(PATH, PagerDutyDoor(client, settings, meters).receive, methods=["POST"])]
