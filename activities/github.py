"""Deployments as GitHub knows them, and what changed from one to the next."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
from pydantic import AwareDatetime, SecretStr, ValidationError

from activities.deployments import Release, Told
from activities.errors import Failed, Throttled, Unavailable, clamp, retry_after
from activities.web import Answered, Web
from activities.words import Answer

GITHUB_URL = "https://api.github.com"
THROTTLED_WAIT = timedelta(minutes=1)
"""Where GitHub names no time to wait, it asks for a minute at least."""
MIGRATIONS = (r"(^|/)migrations?/",)
SCHEMA = (r"(^|/)schema\.(sql|prisma)$", r"\.sql$")
ENVIRONMENT = (r"(^|/)\.env", r"(^|/)ecosystem\.config\.", r"(^|/)(values|configmap)[^/]*\.ya?ml$")
"""Paths in the repository, by which a comparison tells what kind of change a release is."""
_SYSTEM = "GitHub"
_UNDER_WAY = {"in_progress", "queued", "pending"}
_FAILED = {"error", "failure"}
_MOST_FILES = 300
"""GitHub lists no more in one comparison, so that a file may be missing from then on."""
_TOLD = {
    "migrations": "migrations",
    "schema": "schema_changed",
    "environment": "environment_changed",
}
_SAID = 100


class _Deployment(Answer):
    id: int
    sha: str
    ref: str
    created_at: AwareDatetime
    creator: dict[str, Any] | None = None
    payload: Any = None


class GitHub:
    """Tells of the deployments of one environment of one repository; it only reads."""

    title = "GitHub's deployments"

    def __init__(
        self,
        http: httpx.AsyncClient,
        repository: str,
        token: SecretStr,
        *,
        environment: str = "production",
        url: str = GITHUB_URL,
        seconds: float = 8.0,
        paths: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Take the repository as ``owner/name``.

        Args:
            http: What speaks HTTP.
            repository: Whose deployments are told.
            token: May read deployments and contents, and nothing else.
            environment: The one that is told of.
            url: Another address for GitHub Enterprise.
            seconds: Given to each request.
            paths: Expressions for paths, by what they mean: migrations, schema, environment.
        """
        self._web = Web(http, _SYSTEM, secrets=(token.get_secret_value(),), seconds=seconds)
        self._token = token
        self._environment = environment
        self._base = f"{url.rstrip('/')}/repos/{repository}"
        kinds = paths or {"migrations": MIGRATIONS, "schema": SCHEMA, "environment": ENVIRONMENT}
        self._paths = {
            _TOLD[kind]: [re.compile(each) for each in expressions]
            for kind, expressions in kinds.items()
        }

    async def releases(self, most: int) -> Told:
        """List the deployments that succeeded or are under way, each compared with the earlier."""
        params = {"environment": self._environment, "per_page": str(min(most + 1, 100))}
        listed = (await self._get("/deployments", params)).listed(_SYSTEM)
        try:
            deployments = [_Deployment.model_validate(each) for each in listed]
        except ValidationError:
            raise Unavailable(f"{_SYSTEM} does not list deployments as it should") from None
        deployments.sort(key=lambda each: each.created_at, reverse=True)
        states = await asyncio.gather(*(self._state(each) for each in deployments))
        known = list(zip(deployments, states, strict=True))
        alive = [(each, state) for each, state in known if state not in _FAILED]
        changes = await asyncio.gather(
            *(self._changed(older[0].sha, newer[0].sha) for newer, older in pairwise(alive))
        )
        unknown: dict[str, bool] = {}
        found = zip(alive[:most], [*changes, unknown], strict=False)
        return Told([_release(each, state, changed) for (each, state), changed in found])

    async def _state(self, deployment: _Deployment) -> str:
        answer = await self._get(f"/deployments/{deployment.id}/statuses", {"per_page": "1"})
        newest = answer.listed(_SYSTEM)
        # Without a status nothing says that it ever ended.
        return str(newest[0].get("state", "")) if newest else "pending"

    async def _changed(self, older: str, newer: str) -> dict[str, bool]:
        """Say what kinds of files differ; nothing where not all of them are listed."""
        if older == newer:
            return dict.fromkeys(self._paths, False)
        try:
            answer = await self._get(f"/compare/{older}...{newer}", {"per_page": "1"})
            files = answer.json(_SYSTEM).get("files")
        except Failed:
            return {}
        if not isinstance(files, list) or len(files) >= _MOST_FILES:
            return {}
        names = [
            str(file.get(name, ""))
            for file in files
            if isinstance(file, dict)
            for name in ("filename", "previous_filename")
        ]
        return {
            kind: any(path.search(name) for path in paths for name in names)
            for kind, paths in self._paths.items()
        }

    async def _get(self, path: str, params: Mapping[str, str]) -> Answered:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "User-Agent": "incident-responder",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        answer = await self._web.ask("GET", self._base + path, headers=headers, params=params)
        if answer.status == 200:
            return answer
        if answer.status == 429 or (answer.status == 403 and _limited(answer)):
            raise Throttled(
                f"{_SYSTEM} answered {answer.status}: too many requests", wait=_wait(answer)
            )
        if answer.status < 400:
            raise Unavailable(
                f"{_SYSTEM} answered {answer.status} instead of 200: is it {_SYSTEM}?"
            )
        said = "it is not there, or the token may not see it" if answer.status == 404 else ""
        raise self._web.refused(answer, said or _message(answer))


def _release(deployment: _Deployment, state: str, changed: Mapping[str, bool]) -> Release:
    told = deployment.payload if isinstance(deployment.payload, dict) else {}
    said = {field: told[name] for name, field in _TOLD.items() if isinstance(told.get(name), bool)}
    # Either may be wrong: what one of them calls a change is one.
    kinds = {
        field: said.get(field, False) or changed.get(field, False)
        for field in _TOLD.values()
        if field in said or field in changed
    }
    creator = deployment.creator or {}
    return Release(
        name=deployment.ref[:_SAID],
        at=deployment.created_at,
        author=str(creator.get("login", ""))[:_SAID],
        commit=deployment.sha[:_SAID],
        under_way=state in _UNDER_WAY,
        told_by=(GitHub.title,),
        **kinds,
    )


def _limited(answer: Answered) -> bool:
    return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"


def _wait(answer: Answered) -> timedelta:
    """Read how long GitHub wants us to wait: it says so in seconds, or until when."""
    if (asked := retry_after(answer.headers)) is not None:
        return asked
    until = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and until.isdecimal():
        return clamp(timedelta(seconds=int(until) - time.time()))
    return THROTTLED_WAIT


def _message(answer: Answered) -> str:
    try:
        return str(answer.json(_SYSTEM).get("message", ""))
    except Unavailable:
        return ""
