"""Stands in for PagerDuty's Events API v2."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

MOST_BYTES = 512 * 1024
_SEVERITIES = {"critical", "error", "warning", "info"}


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


class _State(BaseModel):
    events: list[Received] = []
    alerts: list[Opened] = []


class PagerDutyStandIn(StandIn):
    """Takes events for known routing keys and keeps the alerts that they make."""

    title = "PagerDuty"

    def __init__(
        self, routing_keys: Collection[str], *, port: int = 0, data: Path | None = None
    ) -> None:
        """Take the routing keys that exist; see `StandIn` for the rest."""
        super().__init__(port=port, data=data)
        self._keys = frozenset(routing_keys)
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
        """List the one real endpoint and the look inside."""
        return [
            Route("/v2/enqueue", self._enqueue, methods=["POST"]),
            Route("/_standin/state", self._look),
        ]

    def method(self, path: str) -> str | None:
        """Name the one method that may fail."""
        return "enqueue" if path == "/v2/enqueue" else None

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
        if wrong := _wrong(event, self._keys):
            return _refuse(400, "Event object is invalid", wrong)
        self._take(event)
        self.remember(self._state.model_dump_json())
        answer = {
            "status": "success",
            "message": "Event processed",
            "dedup_key": event["dedup_key"],
        }
        return JSONResponse(answer, status_code=202)

    def _take(self, event: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        action, payload = event["event_action"], event.get("payload") or {}
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
                    summary=payload["summary"],
                    severity=payload["severity"],
                    opened_at=now,
                )
            )
        elif standing is not None and action == "trigger":
            standing.triggers += 1
        elif standing is not None:
            standing.status = "acknowledged" if action == "acknowledge" else "resolved"
        self._state.events.append(
            Received(
                at=now,
                routing_key=event["routing_key"],
                action=action,
                dedup_key=key,
                payload=payload,
                links=event.get("links") or [],
                dropped=standing is None and action != "trigger",
            )
        )


def _wrong(event: dict[str, Any], keys: frozenset[str]) -> list[str]:
    """List what the real one would object to."""
    wrong = []
    if event.get("routing_key") not in keys:
        wrong.append("'routing_key' is invalid")
    action = event.get("event_action")
    if action not in {"trigger", "acknowledge", "resolve"}:
        wrong.append("'event_action' is invalid")
    key = event.get("dedup_key")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 255):
        wrong.append("'dedup_key' is invalid")
    if key is None and action != "trigger":
        wrong.append("'dedup_key' is missing or blank")
    return wrong + (_wrong_trigger(event) if action == "trigger" else [])


def _wrong_trigger(event: dict[str, Any]) -> list[str]:
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    wrong = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source")
        if not isinstance(payload.get(name), str) or not payload[name].strip()
    ]
    if len(str(payload.get("summary", ""))) > 1024:
        wrong.append("'payload.summary' is too long")
    if payload.get("severity") not in _SEVERITIES:
        wrong.append("'payload.severity' is invalid")
    if not isinstance(payload.get("custom_details", {}), dict):
        wrong.append("'payload.custom_details' is not an object")
    links = event.get("links", [])
    if not isinstance(links, list) or not all(
        isinstance(link, dict) and link.get("href") for link in links
    ):
        wrong.append("'links' is invalid")
    return wrong


def _refuse(status: int, message: str, errors: list[str]) -> Response:
    said = {"status": "invalid event", "message": message, "errors": errors}
    return JSONResponse(said, status_code=status)
