"""Stands in for the part of Sentry that lists errors and transactions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

_DATASETS = {"errors", "transactions", "spans", "discover"}
_PERIOD = re.compile(r"\d{1,4}[smhdw]")
_LAST_SEEN = re.compile(r"lastSeen:-(\d+)m")


class SentryStandIn(StandIn):
    """Tells one organization's issues and transactions to whoever shows the token."""

    title = "Sentry"

    def __init__(self, organization: str, token: str, *, port: int = 0) -> None:
        """Take the organization's slug, and the token that may read its events."""
        super().__init__(port=port)
        self._organization = organization
        self._token = token
        self._issues: list[dict[str, Any]] = []
        self._transactions: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def issue(self, title: str, *, count: int = 1, culprit: str = "", minutes_ago: int = 1) -> None:
        """Add an unresolved error, last seen so many minutes ago."""
        number = len(self._issues) + 1
        seen = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        self._issues.append(
            {
                "id": str(number),
                "shortId": f"API-{number}",
                "title": title,
                "culprit": culprit,
                "level": "error",
                "status": "unresolved",
                "count": str(count),  # a string, there
                "userCount": count // 3,
                "firstSeen": (seen - timedelta(minutes=9)).isoformat(),
                "lastSeen": seen.isoformat(),
                "permalink": f"https://sentry.io/organizations/{self._organization}/issues/{number}/",
            }
        )

    def transaction(self, name: str, *, p95_milliseconds: float, count: int = 100) -> None:
        """Add a transaction."""
        row = {"transaction": name, "p95()": p95_milliseconds, "count()": count}
        self._transactions.append(row)

    def routes(self) -> list[Route]:
        """List the two real endpoints; both end with a slash, as all there do."""
        base = "/api/0/organizations/{organization}"
        return [Route(f"{base}/issues/", self._list), Route(f"{base}/events/", self._table)]

    def method(self, path: str) -> str | None:
        """Name what may fail."""
        last = path.rstrip("/").rsplit("/", 1)[-1]
        return last if last in {"issues", "events"} else None

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked = request.query_params
        if asked.get("statsPeriod", "24h") not in {"24h", "14d", "auto", ""}:
            return _bad("Invalid stats_period. Valid choices are '', '24h', '14d', and 'auto'")
        within = _LAST_SEEN.search(asked.get("query", ""))
        since = datetime.now(UTC) - timedelta(minutes=int(within[1]) if within else 10**5)
        found = [each for each in self._issues if datetime.fromisoformat(each["lastSeen"]) >= since]
        if asked.get("sort") == "freq":
            found.sort(key=lambda each: -int(each["count"]))
        return JSONResponse(found[: min(int(asked.get("limit", "100")), 100)])

    async def _table(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked = request.query_params
        fields = asked.getlist("field")
        if asked.get("dataset") not in _DATASETS:
            return _bad(f"dataset must be one of: {', '.join(sorted(_DATASETS))}")
        if not 0 < len(fields) <= 20:
            return _bad("You must provide between 1 and 20 fields")
        if not _PERIOD.fullmatch(asked.get("statsPeriod", "")):
            return _bad("Invalid statsPeriod")
        order = asked.get("sort", "").removeprefix("-")
        if order and order not in fields:
            return _bad(f"Cannot sort by a field that is not selected: {order}")
        rows = sorted(self._transactions, key=lambda row: -row[order]) if order else []
        most = min(int(asked.get("per_page", "50")), 100)
        data = [{field: row.get(field) for field in fields} for row in rows[:most]]
        return JSONResponse({"data": data, "meta": {"units": {"p95()": "millisecond"}}})

    def _refusal(self, request: Request) -> Response | None:
        self.asked.append(str(request.url.query))
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return JSONResponse({"detail": "Invalid token"}, status_code=401)
        if request.path_params["organization"] != self._organization:
            said = {"detail": "The requested resource does not exist"}
            return JSONResponse(said, status_code=404)
        return None


def _bad(detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=400)
