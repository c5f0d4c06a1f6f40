"""Stands in for PagerDuty: its Events API v2, a slice of its REST API, and its webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.pagerduty_rules import objections
from deploy.gameday.standins.pagerduty_webhooks import (
    INTEGRATION,
    Hook,
    User,
    incident,
    note,
    payload,
)
from deploy.gameday.standins.server import StandIn

MOST_BYTES = 512 * 1024
REST_TOKEN = "u+stand-in-rest-token"  # noqa: S105 - it opens nothing


class Received(BaseModel):
    """One event that was accepted, whether it had an effect or not."""

    at: datetime
    routing_key: str
    action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str
    payload: dict[str, Any] = {}
    links: list[dict[str, Any]] = []
    dropped: bool = False
    """True for a follow-up of nothing that is open: answered 202 all the same."""


class Opened(BaseModel):
    """One alert, from its first trigger to its resolution."""

    routing_key: str
    dedup_key: str
    status: Literal["triggered", "acknowledged", "resolved"] = "triggered"
    summary: str
    severity: str
    triggers: int = 1
    opened_at: datetime
    number: int = 0
    acknowledged: list[dict[str, Any]] = []
    """References to who has acknowledged it: users, or an integration."""
    changed_by: dict[str, Any] | None = None

    def incident(self) -> dict[str, Any]:
        """Write it as an incident, as the REST API and webhooks do."""
        acknowledgements = [
            {"at": self.opened_at.isoformat(), "acknowledger": who} for who in self.acknowledged
        ]
        return {
            **incident(self.number, self.dedup_key, self.status, self.summary),
            "acknowledgements": acknowledgements,
            "last_status_change_by": self.changed_by,
        }


class _State(BaseModel):
    events: list[Received] = []
    alerts: list[Opened] = []


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
        self.on_call: dict[tuple[str, int], list[User]] = {}
        """Whose turn it is, by escalation policy and its level."""
        kept = self.remembered()
        self._state = _State() if kept is None else _State.model_validate_json(kept)

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
            Route("/_standin/state", self._look),
        ]

    def method(self, path: str) -> str | None:
        """Name the methods that may fail."""
        return {"/v2/enqueue": "enqueue", "/oncalls": "oncalls"}.get(path)

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
        if happened == "acknowledged":
            alert.status, alert.acknowledged = "acknowledged", [user.reference]
        elif happened == "resolved":
            alert.status, alert.changed_by = "resolved", user.reference
        elif happened == "unacknowledged":
            alert.status, alert.acknowledged = "triggered", []
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
        for each in self._state.alerts:
            if (shown := each.incident())["id"] == request.path_params["id"]:
                return JSONResponse({"incident": shown})
        return JSONResponse({"error": {"message": "Not Found", "code": 2100}}, status_code=404)

    def _unauthorized(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Token token={self._token}":
            return None
        said = {"message": "Authentication failed", "code": 2006}
        return JSONResponse({"error": said}, status_code=401)

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
        if echo is not None and self.hook is not None:
            # Not awaited here: it would wait for us.
            self._echoes.add(task := asyncio.create_task(self.hook.send(echo)))
            task.add_done_callback(self._echoes.discard)
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
            standing.status = "acknowledged" if action == "acknowledge" else "resolved"
            if action == "acknowledge":
                standing.acknowledged = [*standing.acknowledged, INTEGRATION]
            else:
                standing.changed_by = INTEGRATION
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


def _refuse(status: int, message: str, errors: list[str]) -> Response:
    said = {"status": "invalid event", "message": message, "errors": errors}
    return JSONResponse(said, status_code=status)
