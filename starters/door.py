"""The door for webhooks: it answers 200 only for what Temporal keeps."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError

from starters.accepted import Accepted
from starters.meters import Meters
from starters.opening import Group, Told, grouped, tell
from starters.pagerduty_door import pagerduty_routes
from starters.paging_proof import LastProven
from starters.payload import Delivery
from starters.readiness import Readiness
from starters.requests import (
    Refusal,
    authenticate,
    body_of,
    broken,
    expect_json,
    misunderstood,
    problem,
    refused_by_starlette,
)
from starters.slack_desk import Desk
from starters.slack_door import slack_routes
from starters.slack_socket import socket_mode
from workers.settings import Settings, SettingsWrong, variable

_NAMED = 20
"""Incidents that an answer names; the rest is counted."""

_log = logging.getLogger(__name__)


class Door:
    """Takes deliveries and hands them to incidents."""

    def __init__(self, client: Client, settings: Settings, meters: Meters) -> None:
        _be_safe(settings)
        self._client = client
        self._settings = settings
        self._readiness = Readiness(client)
        self._proven = LastProven(client, settings.proof.level)
        self._meters = meters
        self._accepted = Accepted()
        # Of all deliveries together: two senders at once must not double what Temporal gets.
        self._places = asyncio.Semaphore(settings.door.at_once)

    async def alertmanager(self, request: Request) -> Response:
        """Take what Alertmanager posts."""
        begun = time.monotonic()
        try:
            delivery = await self._delivery(request)
        except Refusal as refusal:
            self._meters.refused.labels(refusal.code).inc()
            if refusal.status != HTTPStatus.UNAUTHORIZED:
                _log.warning("a delivery was refused: %s: %s", refusal.code, refusal.message)
            return refusal.response()
        scope = self._settings.alertmanager.scope_labels
        alerts = [sent.alert(scope) for sent in delivery.alerts]
        for status, count in Counter(alert.status.value for alert in alerts).items():
            self._meters.received.labels(status).inc(count)
        groups = grouped(alerts, scope, incomplete=delivery.truncated > 0)
        left = self._settings.door.deadline_seconds - (time.monotonic() - begun)
        ahead = self._accepted.ahead(groups)
        told, failed = await self._hand_over(ahead, max(left, 0.1))
        self._accepted.over(groups, told, failed)
        if failed:
            return _repeat(failed, len(groups))
        self._meters.seconds.observe(time.monotonic() - begun)
        return JSONResponse({"accepted": [group.id for group in groups][:_NAMED],
                             "incidents": len(groups), "alerts": len(alerts)})  # fmt: skip

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002
        """Tell that the process lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:  # noqa: ARG002
        """Tell whether an alert would be kept now."""
        state = await self._look()
        status = HTTPStatus.OK if state else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse((await self._readiness.state()).model_dump(mode="json"), status)

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Show the series."""
        await self._look()
        if self._settings.proof.at:
            level = self._settings.proof.level
            self._meters.proven.labels(level).set(await self._proven.seconds())
        return Response(self._meters.text(), media_type=CONTENT_TYPE_LATEST)

    async def _look(self) -> bool:
        state = await self._readiness.state()
        self._meters.ready.set(state.ready)
        self._meters.worker.set(bool(state.worker))
        return state.ready

    async def _delivery(self, request: Request) -> Delivery:
        settings = self._settings
        if settings.alertmanager.token.get_secret_value():
            authenticate(request, settings.alertmanager.token)
        expect_json(request)
        try:
            async with asyncio.timeout(settings.door.deadline_seconds):
                body = await body_of(request, settings.door.body_bytes)
        except TimeoutError:
            raise Refusal(
                # Not 408: Alertmanager repeats a 5xx, and drops what a 4xx answers.
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_slow",
                "the body did not arrive in time: send it again",
            ) from None
        try:
            return Delivery.model_validate_json(body)
        except ValidationError as error:
            misunderstood(error)

    async def _hand_over(
        self, groups: Sequence[Group], seconds: float
    ) -> tuple[set[str], list[str]]:
        """Tell incidents, a bounded number at a time; name those that were told, and the others."""
        if not groups:
            return set(), []
        end = time.monotonic() + seconds
        tasks = {asyncio.create_task(self._tell(group, end)): group for group in groups}
        done, pending = await asyncio.wait(tasks, timeout=seconds)
        for task in pending:
            # Temporal may have taken it all the same: the sender repeats it, which is safe.
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        told = {tasks[task].id for task in done if task.result()}
        failed = sorted(group.id for group in groups if group.id not in told)
        self._meters.failed.inc(len(failed))
        return told, failed

    async def _tell(self, group: Group, end: float) -> bool:
        async with self._places:
            try:
                told = await tell(
                    self._client,
                    group,
                    self._settings.policy,
                    environment=self._settings.environment,
                    seconds=max(end - time.monotonic(), 0.1),
                )
            except (RPCError, RuntimeError, OSError, TimeoutError) as error:
                # Whatever the reason, the alert must not be lost: the sender is to try again.
                said = error.message if isinstance(error, RPCError) else type(error).__name__
                _log.error("%s was not told: %s", group.id, said)
                return False
        if told is Told.NO_INCIDENT:
            self._meters.ignored.inc()
            _log.info("%s is not open: its resolved alerts are ignored", group.id)
        else:
            self._meters.accepted.inc()
        return True


def application(client: Client, settings: Settings) -> Starlette:
    """Make the application that a server runs: all doors, and what lives as long as they do."""
    meters = Meters()
    door = Door(client, settings, meters)
    desk = Desk(client, settings, meters)

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        async with desk, socket_mode(desk, settings.slack):
            yield

    return Starlette(
        routes=[
            Route("/webhooks/alertmanager", door.alertmanager, methods=["POST"]),
            *slack_routes(desk, settings, meters),
            *pagerduty_routes(client, settings, meters),
            Route("/healthz", door.healthz),
            Route("/readyz", door.readyz),
            Route("/metrics", door.metrics),
        ],
        exception_handlers={HTTPException: refused_by_starlette, Exception: broken},
        lifespan=living,
    )


def _be_safe(settings: Settings) -> None:
    if settings.alertmanager.token.get_secret_value():
        return
    token = variable("alertmanager", "token")
    if not settings.door.insecure:
        raise SettingsWrong(
            f"alertmanager.token: without it anybody could open incidents. Set {token} to a long "
            "random text, and the same as credentials in Alertmanager's receiver"
        )
    if not _loopback(settings.door.host):
        raise SettingsWrong(
            f"door.insecure: {settings.door.host} is no loopback address. Set {token} instead"
        )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _repeat(failed: list[str], count: int) -> Response:
    message = (
        f"{len(failed)} of {count} incidents could not be told: Temporal did not take it in time. "
        "Send the same again: what was taken is not counted twice."
    )
    more = {"incidents": failed[:_NAMED]}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_accepted", message, more=more)
