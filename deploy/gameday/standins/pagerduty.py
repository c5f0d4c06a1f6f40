"""Stands in for PagerDuty: its Events API v2, a slice of its REST API, and its webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.pagerduty_rules import (
    UNKNOWN,
    objection_to_update,
    objection_to_writer,
    objections,
    writer,
)
from deploy.gameday.standins.pagerduty_state import Opened, Received, State
from deploy.gameday.standins.pagerduty_webhooks import INTEGRATION, Hook, User, note, payload
from deploy.gameday.standins.server import StandIn

MOST_BYTES = 512 * 1024
REST_TOKEN = "u+stand-in-rest-token"  # noqa: S105 - it opens nothing
READ_ONLY_TOKEN = "r+stand-in-rest-token"  # noqa: S105 - nor does this


class PagerDutyStandIn(StandIn):
    """Takes events for known routing keys and keeps the alerts that they make."""

    title = "PagerDuty"

    def __init__(
        self,
        routing_keys: Collection[str],
        *,
        token: str = REST_TOKEN,
        port: int = 0,
        data: Path | None = None,
    ) -> None:
        """Take the routing keys and the REST key that exist; see `StandIn` for the rest."""
        super().__init__(port=port, data=data)
        self._keys = frozenset(routing_keys)
        self._token = token
        self._echoes: set[asyncio.Task[int]] = set()
        self.hook: Hook | None = None
        """Where webhooks go; None sends none."""
        self.users: list[User] = []
        """Who may be named in the header From."""
        self.on_call: dict[tuple[str, int], list[User]] = {}
        """Whose turn it is, by escalation policy and its level."""
        kept = self.remembered()
        self._state = State() if kept is None else State.model_validate_json(kept)

    @property
    def events(self) -> list[Received]:
        """What was accepted, oldest first."""
        return list(self._state.events)

    @property
    def alerts(self) -> list[Opened]:
        """What was opened, oldest first."""
        return list(self._state.alerts)

    def alert(self, dedup_key: str) -> Opened | None:
        """Find the newest alert with a key."""
        found = [alert for alert in self._state.alerts if alert.dedup_key == dedup_key]
        return found[-1] if found else None

    def routes(self) -> list[Route]:
        """List the real endpoints and the look inside."""
        return [
            Route("/v2/enqueue", self._enqueue, methods=["POST"]),
            Route("/oncalls", self._oncalls),
            Route("/incidents", self._incidents),
            Route("/incidents/{id}", self._incident),
            Route("/incidents/{id}", self._update, methods=["PUT"]),
            Route("/users/{id}", self._user),
            Route("/_standin/state", self._look),
        ]

    def method(self, path: str) -> str | None:
        """Name the methods that may fail."""
        named = {"/v2/enqueue": "enqueue", "/oncalls": "oncalls"}
        return named.get(path) or ("incidents" if path.startswith("/incidents/") else None)

    async def opens(
        self,
        user: User,
        title: str,
        *,
        service: str = "API",
        urgency: str = "high",
        times: int = 1,
    ) -> Opened:
        """Let a person open an incident by hand, and our door be told of it so many times."""
        number = len(self._state.alerts) + 1
        opened = Opened.by_hand(title, service=service, urgency=urgency, number=number)
        self._state.alerts.append(opened)
        self.remember(self._state.model_dump_json())
        if times:
            await self.does(user, "triggered", opened.dedup_key, times=times)
        return opened

    async def does(
        self,
        user: User,
        happened: str,
        dedup_key: str,
        *,
        text: str = "",
        at: datetime | None = None,
        times: int = 1,
    ) -> list[int]:
        """Let a person do something to a page; give back what our door answered."""
        alert = self.alert(dedup_key)
        if alert is None or self.hook is None:
            raise LookupError("no such page, or nobody to tell")
        statuses = {"acknowledged", "resolved", "unacknowledged"}
        if happened in statuses:
            alert.become(happened, user.reference, datetime.now(UTC))
        self.remember(self._state.model_dump_json())
        data = alert.incident()
        if happened == "annotated":
            data = note(data["id"], text)
        said = payload(happened, data, agent=user.reference, at=at)
        return [await self.hook.send(said) for _ in range(times)]

    async def _oncalls(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        wanted = set(request.query_params.getlist("escalation_policy_ids[]"))
        turns = [
            {
                "user": user.reference,
                "schedule": None,
                "escalation_policy": {"id": policy, "type": "escalation_policy_reference"},
                "escalation_level": level,
                "start": None,
                "end": None,
            }
            for (policy, level), users in self.on_call.items()
            if policy in wanted
            for user in users
        ]
        limit = int(request.query_params.get("limit", "25"))
        offset = int(request.query_params.get("offset", "0"))
        shown = turns[offset : offset + limit]
        more = offset + limit < len(turns)
        return JSONResponse(
            {"oncalls": shown, "limit": limit, "offset": offset, "more": more, "total": None}
        )

    async def _incidents(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        key = request.query_params.get("incident_key")
        found = [each.incident() for each in self._state.alerts if key in (None, each.dedup_key)]
        return JSONResponse({"incidents": found[-5:], "more": False})

    async def _incident(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        found = self._by_id(request)
        if found is None:
            return _error(*UNKNOWN)
        return JSONResponse({"incident": found.incident()})

    async def _update(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        sender, alert = request.headers.get("from", ""), self._by_id(request)
        who = writer(sender, self.users)
        if who is None or alert is None:
            return _error(*(objection_to_writer(sender, self.users) or UNKNOWN))
        wanted = await request.json()
        if objection := objection_to_update(wanted, alert):
            return _error(*objection)
        status = wanted["incident"]["status"]
        alert.become(status, who.reference, datetime.now(UTC))
        self.remember(self._state.model_dump_json())
        self._echo(payload(status, alert.incident(), agent=who.reference))
        return JSONResponse({"incident": alert.incident()})

    async def _user(self, request: Request) -> Response:
        if refused := self._unauthorized(request):
            return refused
        for each in self.users:
            if each.id == request.path_params["id"]:
                return JSONResponse({"user": {**each.reference, "email": each.email}})
        return _error(*UNKNOWN)

    def _by_id(self, request: Request) -> Opened | None:
        name = request.path_params["id"]
        return next((each for each in self._state.alerts if each.name == name), None)

    def _echo(self, said: dict[str, Any]) -> None:
        """Tell our door; not waited for, for it may be waiting for us."""
        if self.hook is not None:
            self._echoes.add(task := asyncio.create_task(self.hook.send(said)))
            task.add_done_callback(self._echoes.discard)

    def _unauthorized(self, request: Request) -> Response | None:
        shown = request.headers.get("authorization")
        if shown == f"Token token={self._token}":
            return None
        if shown != f"Token token={READ_ONLY_TOKEN}":
            return _error(401, 2006, "Authentication failed")
        if request.method in {"GET", "HEAD"}:
            return None
        return _error(403, 2010, "Access Denied")

    async def _look(self, _: Request) -> Response:
        return Response(self._state.model_dump_json(), media_type="application/json")

    async def _enqueue(self, request: Request) -> Response:
        raw = await request.body()
        if len(raw) > MOST_BYTES:
            return _refuse(413, "Payload too large", [])
        try:
            event = json.loads(raw)
        except ValueError:
            return _refuse(400, "Unrecognized object", ["JSON parse error"])
        if not isinstance(event, dict):
            return _refuse(400, "Unrecognized object", ["not an object"])
        if wrong := objections(event, self._keys):
            return _refuse(400, "Event object is invalid", wrong)
        echo = self._take(event)
        self.remember(self._state.model_dump_json())
        if echo is not None:
            self._echo(echo)
        answer = {
            "status": "success",
            "message": "Event processed",
            "dedup_key": event["dedup_key"],
        }
        return JSONResponse(answer, status_code=202)

    def _take(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Keep an event, and give the webhook that says so; none where nothing changed."""
        now = datetime.now(UTC)
        action, sent = event["event_action"], event.get("payload") or {}
        # The real one makes a key for a trigger that has none.
        key = event.setdefault("dedup_key", f"made-{len(self._state.events)}")
        standing = next(
            (
                alert
                for alert in self._state.alerts
                if (alert.routing_key, alert.dedup_key) == (event["routing_key"], key)
                and alert.status != "resolved"
            ),
            None,
        )
        if standing is None and action == "trigger":
            self._state.alerts.append(
                Opened(
                    routing_key=event["routing_key"],
                    dedup_key=key,
                    summary=sent["summary"],
                    severity=sent["severity"],
                    opened_at=now,
                    number=len(self._state.alerts) + 1,
                )
            )
        elif standing is not None and action == "trigger":
            standing.triggers += 1
        elif standing is not None:
            status = "acknowledged" if action == "acknowledge" else "resolved"
            standing.become(status, INTEGRATION, now)
        self._state.events.append(
            Received(
                at=now,
                routing_key=event["routing_key"],
                action=action,
                dedup_key=key,
                payload=sent,
                links=event.get("links") or [],
                dropped=standing is None and action != "trigger",
            )
        )
        if (standing is None) != (action == "trigger"):
            return None
        happened = {"trigger": "triggered", "acknowledge": "acknowledged"}.get(action, "resolved")
        alert = standing or self._state.alerts[-1]
        return payload(happened, alert.incident(), agent=INTEGRATION)


def _error(status: int, code: int, message: str) -> Response:
    error = {"message": message, "code": code, "errors": []}
    return JSONResponse({"error": error}, status_code=status)


def _refuse(status: int, message: str, errors: list[str]) -> Response:
    said = {"status": "invalid event", "message": message, "errors": errors}
    return JSONResponse(said, status_code=status)
