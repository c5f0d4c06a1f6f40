"""Stands in for the management of our own status page: Statuspage's API, as far as it is used."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

STATUSES = ("investigating", "identified", "monitoring", "resolved")
_CLOSED = ("resolved", "postmortem")
_FIELDS = {
    "name", "status", "body", "metadata", "deliver_notifications", "component_ids", "components",
    "impact_override",
}  # fmt: skip
_PAGES_OF = 100


class StatuspageStandIn(StandIn):
    """One page, managed by whoever shows the token."""

    title = "Statuspage"

    def __init__(self, page: str, token: str, *, components: tuple[str, ...] = ()) -> None:
        """Take the page's id, the token of a user who may manage it, and its components."""
        super().__init__()
        self._page = page
        self._token = token
        self.components = dict.fromkeys(components, "operational")
        self.incidents: list[dict[str, Any]] = []
        """Newest first, as it lists them."""

    def routes(self) -> list[Route]:
        """List what is used of the API."""
        base = "/v1/pages/{page}/incidents"
        return [
            Route(f"{base}/unresolved", self._unresolved),
            Route(base, self._list),
            Route(base, self._create, methods=["POST"]),
            Route(f"{base}/{{incident}}", self._change, methods=["PATCH", "PUT"]),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by what it is about."""
        if path.endswith("/unresolved"):
            return "unresolved"
        return "incidents" if "/incidents" in path else None

    def resolve(self, place: int = 0) -> None:
        """Have a person resolve an incident on the page."""
        self._add(self.incidents[place], {"status": "resolved", "body": "By hand."})

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"OAuth {self._token}":
            return JSONResponse({"error": "Could not authenticate"}, status_code=401)
        if request.path_params["page"] != self._page:
            return JSONResponse({"error": "Page not found"}, status_code=404)
        return None

    async def _unresolved(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(
            [each for each in self.incidents if each["status"] not in _CLOSED]
        )

    async def _list(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.incidents[:_PAGES_OF])

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked, wrong = await self._asked(request)
        if not str(asked.get("name", "")).strip():
            wrong = wrong or "name can't be blank"
        if wrong:
            return JSONResponse({"error": wrong}, status_code=422)
        number = len(self.incidents)
        incident: dict[str, Any] = {
            "id": hashlib.sha256(str(number).encode()).hexdigest()[:12],
            "page_id": self._page,
            "name": asked["name"],
            "metadata": asked.get("metadata", {}),
            "impact": "major",
            "created_at": _now(),
            "incident_updates": [],
        }
        self._add(incident, {"status": "investigating", **asked})
        self.incidents.insert(0, incident)
        return JSONResponse(incident, status_code=201)

    async def _change(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        wanted = request.path_params["incident"]
        found = next((each for each in self.incidents if each["id"] == wanted), None)
        if found is None:
            return JSONResponse({"error": "Incident not found"}, status_code=404)
        asked, wrong = await self._asked(request)
        if wrong:
            return JSONResponse({"error": wrong}, status_code=422)
        self._add(found, asked)
        return JSONResponse(found)

    async def _asked(self, request: Request) -> tuple[dict[str, Any], str]:
        """Read what is asked, or say why it cannot be."""
        body = await request.json()
        asked = body.get("incident") if isinstance(body, dict) else None
        if not isinstance(asked, dict):
            return {}, "incident is missing"
        if strange := sorted(set(asked) - _FIELDS):
            return {}, f"unknown: {', '.join(strange)}"
        if asked.get("status", STATUSES[0]) not in STATUSES:
            return {}, "status is not one of the realtime ones"
        if not all(isinstance(each, dict) for each in asked.get("metadata", {}).values()):
            return {}, "every top-level value of metadata must be an object"
        if unknown := sorted(set(asked.get("components", {})) - set(self.components)):
            return {}, f"no such component: {', '.join(unknown)}"
        return asked, ""

    def _add(self, incident: dict[str, Any], asked: dict[str, Any]) -> None:
        incident["status"] = asked.get("status", incident.get("status"))
        incident["updated_at"] = _now()
        incident["incident_updates"].insert(
            0, {"status": incident["status"], "body": asked.get("body", ""), "created_at": _now()}
        )
        self.components |= asked.get("components", {})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
