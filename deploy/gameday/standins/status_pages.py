"""Stands in for the providers' status pages: Statuspage's API v2, and incident.io's likeness."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from activities.status_pages import COMPONENTS, PROVIDERS
from deploy.gameday.standins.server import StandIn

INCIDENT_IO = frozenset({"openai"})
"""Whose page only imitates Statuspage: it leaves some of it out, and has a state of its own."""
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_INDICATORS = {
    "operational": "none",
    "degraded_performance": "minor",
    "partial_outage": "major",
    "major_outage": "critical",
    "under_maintenance": "maintenance",
}
_OTHERS = ("Website", "Support")


class StatusPagesStandIn(StandIn):
    """One page for each provider, under its name; all are well until they are told otherwise."""

    title = "status pages"

    def __init__(self) -> None:
        """Begin with every component operational."""
        super().__init__()
        self._reports: dict[str, tuple[str, str]] = {}

    def urls(self) -> dict[str, str]:
        """Give the address of each page."""
        return {provider: f"{self.url}/{provider}" for provider in PROVIDERS}

    def report(self, provider: str, status: str, incident: str = "") -> None:
        """Have a page say *status* of the components that matter, and name an incident."""
        if provider not in PROVIDERS or status not in _INDICATORS:
            raise ValueError(f"{provider} cannot be {status}")
        self._reports[provider] = (status, incident)

    def mend(self, provider: str) -> None:
        """Have a page say that all is well."""
        self._reports.pop(provider, None)

    @property
    def reported(self) -> list[str]:
        """Who says at the moment that something is not well."""
        return sorted(self._reports)

    def routes(self) -> list[Route]:
        """List the public pages of the API."""
        return [
            Route("/{provider}/api/v2/summary.json", self._summary),
            Route("/{provider}/api/v2/status.json", self._status),
            Route("/{provider}/api/v2/components.json", self._components),
            Route("/{provider}/api/v2/incidents.json", self._incidents),
            Route("/{provider}/api/v2/incidents/unresolved.json", self._unresolved),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by its provider."""
        provider = path.strip("/").partition("/")[0]
        return provider if provider in PROVIDERS else None

    async def _summary(self, request: Request) -> Response:
        return self._told(
            request, "page", "status", "components", "incidents", "scheduled_maintenances"
        )

    async def _status(self, request: Request) -> Response:
        return self._told(request, "page", "status")

    async def _components(self, request: Request) -> Response:
        return self._told(request, "page", "components")

    async def _incidents(self, request: Request) -> Response:
        return self._told(request, "page", "incidents")

    async def _unresolved(self, request: Request) -> Response:
        if request.path_params["provider"] in INCIDENT_IO:
            return PlainTextResponse("Not Found", status_code=404)
        return self._told(request, "page", "incidents")

    def _told(self, request: Request, *parts: str) -> Response:
        provider = request.path_params["provider"]
        if provider not in PROVIDERS:
            return PlainTextResponse("Not Found", status_code=404)
        whole = self._page(provider)
        return JSONResponse({name: whole[name] for name in parts if name in whole})

    def _page(self, provider: str) -> dict[str, Any]:
        status, incident = self._reports.get(provider, ("operational", ""))
        ours = COMPONENTS[provider]
        components = [
            self._component(provider, place, name, status if name in ours else "operational")
            for place, name in enumerate((*ours, *_OTHERS), 1)
        ]
        well = status == "operational"
        whole: dict[str, Any] = {
            "page": {
                "id": _identifier(provider),
                "name": provider.title(),
                "url": f"{self.url}/{provider}",
                "updated_at": _now(),
            },
            "status": {
                "indicator": _INDICATORS[status],
                "description": "All Systems Operational" if well else "Some systems are affected",
            },
            "components": components,
            "incidents": [self._incident(provider, incident, status)] if incident else [],
        }
        if provider not in INCIDENT_IO:
            whole["page"]["time_zone"] = "Etc/UTC"
            whole["scheduled_maintenances"] = []
        return whole

    def _component(self, provider: str, place: int, name: str, status: str) -> dict[str, Any]:
        if provider in INCIDENT_IO and status == "major_outage":
            status = "full_outage"
        return {
            "id": _identifier(provider, name),
            "name": name,
            "status": status,
            "position": place,
            "group": False,
            "group_id": None,
            "page_id": _identifier(provider),
            "showcase": True,
            "only_show_if_degraded": False,
            "description": None,
            "start_date": None,
            "created_at": _BEGAN.isoformat(),
            "updated_at": _now(),
        }

    def _incident(self, provider: str, name: str, status: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": _identifier(provider, name),
            "name": name,
            "status": "investigating",
            "impact": _INDICATORS[status],
            "created_at": _now(),
            "updated_at": _now(),
            "resolved_at": None,
            "page_id": _identifier(provider),
            "incident_updates": [],
        }
        if provider not in INCIDENT_IO:
            told |= {"started_at": _now(), "monitoring_at": None, "shortlink": None}
            told["components"] = [
                self._component(provider, place, each, status)
                for place, each in enumerate(COMPONENTS[provider], 1)
            ]
        return told


def _identifier(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:12]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
