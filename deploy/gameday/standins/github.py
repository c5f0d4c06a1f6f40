"""Stands in for the part of GitHub that knows of deployments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.server import StandIn

MOST_FILES = 300
_PAGE = 30


class GitHubStandIn(StandIn):
    """Lists the deployments of one repository to whoever shows the token."""

    title = "GitHub"

    def __init__(self, repository: str, token: str, *, port: int = 0) -> None:
        """Take the one repository, as ``owner/name``, and the token that may see it."""
        super().__init__(port=port)
        self._repository = repository
        self._token = token
        self._deployments: list[dict[str, Any]] = []
        self._statuses: dict[int, list[dict[str, Any]]] = {}
        self._files: dict[tuple[str, str], list[str]] = {}
        self.left: int | None = None
        """Requests that are left of the hour's; None is enough."""
        self.reset = 0
        self.asked: list[str] = []

    def deploy(
        self,
        sha: str,
        ref: str,
        at: datetime,
        *,
        states: tuple[str, ...] = ("success",),
        environment: str = "production",
        creator: str = "ana",
        payload: object = "",
    ) -> None:
        """Add a deployment; its *states* are the oldest first, as they came."""
        number = len(self._deployments) + 1
        base = f"/repos/{self._repository}/deployments"
        self._deployments.append(
            {
                "id": number,
                "sha": sha,
                "ref": ref,
                "task": "deploy",
                "environment": environment,
                "created_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "updated_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "creator": {"login": creator},
                "payload": payload if isinstance(payload, str) else dict(_pairs(payload)),
                "statuses_url": f"{self.url}{base}/{number}/statuses",
            }
        )
        self._statuses[number] = [{"state": state} for state in reversed(states)]

    def change(self, older: str, newer: str, *files: str) -> None:
        """Say which files differ between two commits."""
        self._files[older, newer] = list(files)

    def routes(self) -> list[Route]:
        """List the three real endpoints."""
        base = "/repos/{owner}/{name}"
        return [
            Route(f"{base}/deployments", self._list),
            Route(f"{base}/deployments/{{number:int}}/statuses", self._list_statuses),
            Route(f"{base}/compare/{{basehead}}", self._compare),
        ]

    def method(self, path: str) -> str | None:
        """Name what may fail."""
        last = path.rstrip("/").rsplit("/", 1)[-1]
        if "/compare/" in path:
            return "compare"
        return last if last in {"deployments", "statuses"} else None

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        wanted = request.query_params.get("environment")
        newest_first = sorted(self._deployments, key=lambda each: -each["id"])
        found = [each for each in newest_first if wanted in {None, each["environment"]}]
        return JSONResponse(found[: _page(request)])

    async def _list_statuses(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        statuses = self._statuses.get(request.path_params["number"])
        return _not_found() if statuses is None else JSONResponse(statuses[: _page(request)])

    async def _compare(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        older, dots, newer = request.path_params["basehead"].partition("...")
        files = self._files.get((older, newer))
        if not dots or files is None:
            return _not_found()
        listed = [{"filename": name, "status": "modified"} for name in files[:MOST_FILES]]
        return JSONResponse({"status": "ahead", "ahead_by": 1, "files": listed})

    def _refusal(self, request: Request) -> Response | None:
        self.asked.append(request.url.path)
        headers = request.headers
        if not headers.get("user-agent"):
            return Response("Request forbidden by administrative rules.", status_code=403)
        if headers.get("authorization") != f"Bearer {self._token}":
            return JSONResponse({"message": "Bad credentials"}, status_code=401)
        if self.left is not None:
            limits = {"x-ratelimit-remaining": str(self.left), "x-ratelimit-reset": str(self.reset)}
            if self.left <= 0:
                said = {"message": "API rate limit exceeded"}
                return JSONResponse(said, status_code=403, headers=limits)
            self.left -= 1
        path = request.path_params
        known = f"{path['owner']}/{path['name']}" == self._repository
        return None if known else _not_found()


def _page(request: Request) -> int:
    wanted = request.query_params.get("per_page", "")
    return min(int(wanted), 100) if wanted.isdecimal() else _PAGE


def _not_found() -> Response:
    # The same for what is not there and for what the token may not see.
    return JSONResponse({"message": "Not Found"}, status_code=404)


def _pairs(payload: object) -> Mapping[str, Any]:
    pairs: Mapping[str, Any] = json.loads(json.dumps(payload))
    return pairs
