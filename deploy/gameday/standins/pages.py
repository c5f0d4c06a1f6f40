"""Stands in for Cloudflare Pages: the API of one project, and the site that it serves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from deploy.gameday.standins.cloudflare_kv import verified
from deploy.gameday.standins.server import StandIn

ACCOUNT = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PROJECT = "pravado-dashboard"
TOKEN = "pages-stand-in-token"  # noqa: S105 (it opens nothing)
WELCOME = "<title>Pravado</title>"
_GOOD = f"<!doctype html>{WELCOME}<div id=root>Sign in</div>"
_STAGES = ("queued", "initialize", "clone_repo", "build", "deploy")
_MOST_PAGE = 25


@dataclass
class Deployed:
    """One deployment, and what it serves."""

    id: str
    at: datetime
    commit: str
    message: str
    html: str = _GOOD
    environment: str = "production"
    stage: str = "deploy"
    status: str = "success"
    variables: dict[str, str] = field(default_factory=lambda: {"API_URL": "https://api"})


class PagesStandIn(StandIn):
    """One project with a past of good deployments; the newest of them is live."""

    title = "Cloudflare Pages"

    def __init__(self) -> None:
        """Begin with three good deployments, the last of them a day ago."""
        super().__init__()
        self.deployments: list[Deployed] = []
        self.canonical = ""
        self.rollbacks: list[str] = []
        """The ids that were ordered, oldest first."""
        self.down = False
        """Whether Cloudflare itself is: neither the site nor its API."""
        self.stuck = False
        """Whether a rollback is taken, and nothing comes of it."""
        for hours, message in ((240, "Add the billing page"), (96, "Fix typos"), (24, "New logo")):
            self.deploy(message, ago=timedelta(hours=hours))
        self.deploy("Try another logo", ago=timedelta(hours=48), environment="preview")

    @property
    def api_url(self) -> str:
        """Where the API begins."""
        return f"{self.url}/client/v4"

    @property
    def site_url(self) -> str:
        """Where users find the dashboard."""
        return f"{self.url}/"

    def deploy(self, message: str, *, ago: timedelta = timedelta(0), **how: Any) -> Deployed:
        """Deploy; what succeeds in production is live from then on."""
        number = str(len(self.deployments))
        identifier = hashlib.sha256(f"deployment {number}".encode()).hexdigest()
        made = Deployed(
            id=f"{identifier[:8]}-{identifier[8:12]}-4000-8000-{identifier[12:24]}",
            at=datetime.now(UTC) - ago,
            commit=hashlib.sha256(message.encode()).hexdigest()[:40],
            message=message,
            **how,
        )
        self.deployments.append(made)
        if made.environment == "production" and (made.stage, made.status) == ("deploy", "success"):
            self.canonical = made.id
        return made

    def unwell(self) -> list[str]:
        """Say what keeps users from the dashboard."""
        if self.down:
            return ["Cloudflare is down"]
        return [] if WELCOME in self._live.html else [f"{self._live.message!r} is live"]

    def routes(self) -> list[Route]:
        """List what is answered: the API, and the site."""
        project = "/client/v4/accounts/{account}/pages/projects/{project}"
        one = f"{project}/deployments/{{deployment}}"
        return [
            Route("/client/v4/user/tokens/verify", self._verify),
            Route(project, self._project),
            Route(f"{project}/deployments", self._deployments),
            Route(one, self._deployment),
            Route(f"{one}/rollback", self._rollback, methods=["POST"]),
            Route(f"{one}/history/logs", self._logs),
            Route("/", self._site),
        ]

    def method(self, path: str) -> str | None:
        """Name a call: site, project, deployments, deployment, rollback or logs."""
        if path == "/":
            return "site"
        if path.endswith("/verify"):
            return "verify"
        parts = path.strip("/").split("/")[6:]
        if not path.startswith("/client/"):
            return None
        names = {1: "project", 2: "deployments", 3: "deployment"}
        return names.get(len(parts), parts[-1])

    @property
    def _live(self) -> Deployed:
        return next(each for each in self.deployments if each.id == self.canonical)

    async def _site(self, _: Request) -> Response:
        headers = {"server": "cloudflare", "cf-ray": "8f0000000000abcd-LHR"}
        if self.down:
            return HTMLResponse("<h1>Error 522</h1>", status_code=522, headers=headers)
        return HTMLResponse(self._live.html, headers=headers)

    async def _verify(self, request: Request) -> Response:
        return verified(request, TOKEN)

    async def _project(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        shown = {
            "id": "7b162ea7-7367-4d67-bcde-1160995d5abc",
            "name": PROJECT,
            "production_branch": "main",
            "canonical_deployment": self._shown(self._live),
            "latest_deployment": self._shown(self._newest()[0]),
        }
        return _envelope(shown)

    async def _deployments(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        wanted = request.query_params.get("env")
        page = int(request.query_params.get("page", "1"))
        size = int(request.query_params.get("per_page", str(_MOST_PAGE)))
        if wanted not in {None, "production", "preview"} or page < 1 or not 1 <= size <= _MOST_PAGE:
            return _error(400, 8000024, "Invalid list options provided.")
        found = [each for each in self._newest() if wanted in {None, each.environment}]
        shown = [self._shown(each) for each in found[(page - 1) * size : page * size]]
        info = {"page": page, "per_page": size, "count": len(shown), "total_count": len(found)}
        return _envelope(shown, result_info=info)

    async def _deployment(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        found = self._found(request)
        return _envelope(self._shown(found)) if found else _unknown()

    async def _rollback(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        found = self._found(request)
        if found is None:
            return _unknown()
        if found.environment != "production" or (found.stage, found.status) != (
            "deploy",
            "success",
        ):
            return _error(400, 8000039, "Rollback is not allowed for this deployment.")
        self.rollbacks.append(found.id)
        if not self.stuck:
            self.canonical = found.id
        return _envelope(self._shown(found))

    async def _logs(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        found = self._found(request)
        if found is None:
            return _unknown()
        lines = [f"Cloning {found.commit[:8]}", "npm run build"]
        lines.append("Success" if found.status == "success" else "Error: the build has failed")
        data = [{"ts": _text(found.at), "line": line} for line in lines]
        return _envelope({"total": len(data), "includes_container_logs": True, "data": data})

    def _refusal(self, request: Request) -> Response | None:
        """Refuse as the real one does; None lets through."""
        if self.down:
            return HTMLResponse("<h1>Error 522</h1>", status_code=522)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(403, 10000, "Authentication error")
        if request.path_params["account"] != ACCOUNT:
            return _error(404, 7003, "Could not route: perhaps your object identifier is invalid?")
        if request.path_params["project"] != PROJECT:
            return _error(404, 8000007, "Project not found.")
        return None

    def _found(self, request: Request) -> Deployed | None:
        wanted = request.path_params["deployment"]
        return next((each for each in self.deployments if each.id == wanted), None)

    def _newest(self) -> list[Deployed]:
        return sorted(self.deployments, key=lambda each: each.at, reverse=True)

    def _shown(self, one: Deployed) -> dict[str, Any]:
        reached = _STAGES.index(one.stage)
        stages = [
            {
                "name": name,
                "status": "success" if place < reached else one.status,
                "started_on": _text(one.at) if place <= reached else None,
                "ended_on": _text(one.at) if place < reached or one.status != "active" else None,
            }
            if place <= reached
            else {"name": name, "status": "idle", "started_on": None, "ended_on": None}
            for place, name in enumerate(_STAGES)
        ]
        source = {
            "type": "github",
            "config": {
                "owner": "pravado",
                "owner_id": "1",
                "repo_name": "dashboard",
                "repo_id": "2",
                "production_branch": "main",
                "pr_comments_enabled": True,
                "deployments_enabled": True,
                "production_deployments_enabled": True,
                "preview_deployment_setting": "all",
                "preview_branch_includes": ["*"],
                "preview_branch_excludes": [],
                "path_includes": ["*"],
                "path_excludes": [],
            },
        }
        return {
            "id": one.id,
            "short_id": one.id[:8],
            "project_id": "7b162ea7-7367-4d67-bcde-1160995d5abc",
            "project_name": PROJECT,
            "environment": one.environment,
            "url": f"https://{one.id[:8]}.{PROJECT}.pages.dev",
            "created_on": _text(one.at),
            "modified_on": _text(one.at),
            "aliases": None,
            "latest_stage": stages[reached],
            "stages": stages,
            "deployment_trigger": {
                "type": "github:push",
                "metadata": {
                    "branch": "main" if one.environment == "production" else "try",
                    "commit_hash": one.commit,
                    "commit_message": one.message,
                    "commit_dirty": False,
                },
            },
            "env_vars": {
                name: {"type": "plain_text", "value": value}
                for name, value in one.variables.items()
            },
            "build_config": {"build_command": "npm run build", "destination_dir": "dist"},
            "source": source,
            "is_skipped": False,
            "uses_functions": False,
        }


def _envelope(result: Any, **more: Any) -> Response:
    return JSONResponse({"success": True, "errors": [], "messages": [], "result": result, **more})


def _error(status: int, code: int, message: str) -> Response:
    envelope = {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
    return JSONResponse(envelope, status_code=status)


def _unknown() -> Response:
    return _error(404, 8000009, "Deployment not found.")


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
