"""One project of Cloudflare Pages, as its API describes it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, Field, ValidationError

from activities.cloudflare import CloudflareApi
from activities.errors import Unavailable
from activities.redaction import beginning
from activities.words import Answer

_LISTED = 20
_MOST_MESSAGE = 100

Told = TypeVar("Told", bound=Answer)


class PagesDeployment(Answer):
    """One deployment to production."""

    id: str
    name: str
    """The short one, which people see in addresses."""
    created_at: AwareDatetime
    live_at: AwareDatetime
    """When it was out; of one that is not, when it was begun."""
    state: Literal["out", "on its way", "failed", "skipped"]
    stage: str
    """The last one that it came to."""
    branch: str = ""
    commit: str = ""
    message: str = ""
    variables: str = ""
    """Digest of its environment variables, as far as they are told; empty where they are not."""

    @property
    def words(self) -> str:
        """What people call it."""
        about = ": ".join(part for part in (self.commit[:8], self.message) if part)
        return f"{self.name} ({about})" if about else self.name


class _Stage(Answer):
    name: str
    status: str
    ended_on: AwareDatetime | None = None


class _Metadata(Answer):
    branch: str = ""
    commit_hash: str = ""
    commit_message: str = ""


class _Trigger(Answer):
    metadata: _Metadata = _Metadata()


class _Deployment(Answer):
    id: str = Field(min_length=1)
    short_id: str = ""
    created_on: AwareDatetime
    environment: str
    latest_stage: _Stage
    deployment_trigger: _Trigger = _Trigger()
    is_skipped: bool = False
    env_vars: dict[str, Any] | None = None

    def told(self) -> PagesDeployment:
        """Give it in our words."""
        about, ended = self.deployment_trigger.metadata, self.latest_stage.ended_on
        state = self._state()
        return PagesDeployment(
            id=self.id,
            name=self.short_id or self.id[:8],
            created_at=self.created_on,
            live_at=ended if state == "out" and ended else self.created_on,
            state=state,
            stage=self.latest_stage.name,
            branch=beginning(about.branch, _MOST_MESSAGE),
            commit=about.commit_hash[:40],
            message=beginning(about.commit_message.partition("\n")[0], _MOST_MESSAGE),
            variables=_digest(self.env_vars) if "env_vars" in self.model_fields_set else "",
        )

    def _state(self) -> Literal["out", "on its way", "failed", "skipped"]:
        if self.is_skipped or self.latest_stage.status == "skipped":
            return "skipped"
        if self.latest_stage.status in {"failure", "canceled"}:
            return "failed"
        out = (self.latest_stage.name, self.latest_stage.status) == ("deploy", "success")
        return "out" if out else "on its way"


class Live(Answer):
    """What users see."""

    id: str = Field(min_length=1)
    short_id: str = ""


class _Described(Answer):
    canonical_deployment: Live | None


class Project:
    """Reads one project, and orders what may be ordered twice."""

    def __init__(self, api: CloudflareApi, account: str, name: str) -> None:
        self.name = name
        self._api = api
        self._path = f"accounts/{account}/pages/projects/{name}"

    async def live(self) -> Live | None:
        """Read what is canonical."""
        return _checked(_Described, await self._api.get(self._path)).canonical_deployment

    async def deployment(self, deployment: str) -> PagesDeployment | None:
        """Read one deployment; None where it is none to production."""
        told = await self._api.get(f"{self._path}/deployments/{deployment}")
        found = _checked(_Deployment, told)
        return found.told() if found.environment == "production" else None

    async def deployments(self) -> list[PagesDeployment]:
        """List what was deployed to production, newest first."""
        params = {"env": "production", "page": "1", "per_page": str(_LISTED)}
        told = await self._api.get(f"{self._path}/deployments", params)
        if not isinstance(told, list):
            raise Unavailable("Cloudflare's list of deployments is no list")
        found = [_checked(_Deployment, each) for each in told]
        production = [each.told() for each in found if each.environment == "production"]
        return sorted(production, key=lambda each: each.created_at, reverse=True)

    async def log(self, deployment: str) -> list[str]:
        """Read the lines of a build's log."""
        told = await self._api.get(f"{self._path}/deployments/{deployment}/history/logs")
        data = told.get("data") if isinstance(told, dict) else None
        if not isinstance(data, list):
            raise Unavailable("Cloudflare's build log is not a log")
        return [str(each.get("line", "")) for each in data if isinstance(each, dict)]

    async def make_live(self, deployment: str) -> None:
        """Order an earlier deployment to be canonical; a lost answer is no doubt, but read back."""
        await self._api.post(f"{self._path}/deployments/{deployment}/rollback")


def _checked(kind: type[Told], told: Any) -> Told:
    try:
        return kind.model_validate(told)
    except ValidationError:
        raise Unavailable("Cloudflare's answer is not of the shape that it documents") from None


def _digest(variables: dict[str, Any] | None) -> str:
    """Digest names, kinds and what is no secret."""
    flat = {
        name: [each.get("type"), each.get("value") if each.get("type") == "plain_text" else None]
        for name, each in (variables or {}).items()
        if isinstance(each, dict)
    }
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()[:12]
