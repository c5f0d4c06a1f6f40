"""Our own status page, which users read: an incident is published there once, and kept up.

Atlassian Statuspage's management API. It has no idempotency key, so what we publish carries ours
in its metadata: every attempt after the first looks for it before it posts.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import httpx
from pydantic import Field, SecretStr, ValidationError
from temporalio import activity

from activities.changes import attempt
from activities.errors import Ambiguous, Gone, Unavailable
from activities.web import Answered
from activities.web import Web as Asking
from activities.words import Answer, Done, Name, Order

STATUSPAGE_URL = "https://api.statuspage.io"
PublicStatus = Literal["investigating", "identified", "monitoring", "resolved"]

_SYSTEM = "our status page"
_OURS = "responder"
_MOST_LISTED = "100"
_CREATED = (200, 201)
_CLOSED = frozenset({"resolved", "postmortem"})


class Publish(Order):
    """Publish an incident, in exactly these words."""

    key: Name
    """Tells it from every other incident of ours."""
    name: str = Field(min_length=1, max_length=200)
    body: str = Field(min_length=1, max_length=2_000)
    status: PublicStatus = "investigating"


class UpdatePublished(Order):
    """Bring what was published up to date."""

    key: Name
    body: str = Field(min_length=1, max_length=2_000)
    status: PublicStatus
    reopens: bool = False
    """It was resolved by us, and has come back since."""


class Published(Answer):
    """What stands on the page of an incident of ours."""

    id: str = ""
    """Empty: nothing."""
    status: str = ""


class _Update(Answer):
    body: str | None = ""
    status: str = ""


class _Incident(Answer):
    id: str = Field(min_length=1)
    status: str
    metadata: dict[str, Any] | None = None
    incident_updates: tuple[_Update, ...] = ()

    @property
    def key(self) -> str:
        """Ours, if it has one."""
        ours = (self.metadata or {}).get(_OURS)
        return str(ours.get("key", "")) if isinstance(ours, dict) else ""


class PublicPage:
    """One page; *components* are those that an incident shows as down."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        page: str,
        token: SecretStr,
        *,
        components: tuple[str, ...] = (),
        notifies: bool = True,
        url: str = STATUSPAGE_URL,
        seconds: float = 10.0,
    ) -> None:
        secret = token.get_secret_value()
        self._web = Asking(http, _SYSTEM, secrets=(secret,), seconds=seconds)
        self._headers = {"Authorization": f"OAuth {secret}", "Content-Type": "application/json"}
        self._path = f"{url.rstrip('/')}/v1/pages/{page}/incidents"
        self._components = components
        self._notifies = notifies

    @activity.defn(name="public_page.publish.read")
    async def publish_read(self, order: Publish) -> Published:
        """Look whether it is published already."""
        found = await self._find(order.key)
        return Published() if found is None else Published(id=found.id, status=found.status)

    @activity.defn(name="public_page.publish")
    async def publish(self, order: Publish, before: Published) -> Done:
        """Publish once; an attempt before this one may have done it."""
        said = f"published on the status page: “{order.name}”"
        with attempt() as this:
            there = bool(before.id) or (not this.first and await self._find(order.key) is not None)
            if there:
                return Done(said=said, changed=False)
            incident = self._told(order.status, order.body) | {
                "name": order.name,
                "metadata": {_OURS: {"key": order.key}},
            }
            await self._write("POST", self._path, incident)
            this.acted()
        return Done(said=said)

    @activity.defn(name="public_page.update")
    async def update(self, order: UpdatePublished) -> Published:
        """Add an update; `Gone` where people took it off the page, or resolved it there."""
        found = await self._find(order.key)
        if found is None:
            raise Gone(f"{_SYSTEM}: the incident is not there any more")
        newest = found.incident_updates[0] if found.incident_updates else _Update()
        if found.status == order.status and newest.body == order.body:
            return Published(id=found.id, status=found.status)
        if found.status in _CLOSED and not (order.reopens and found.status == "resolved"):
            raise Gone(f"{_SYSTEM}: somebody has resolved it there")
        await self._write("PATCH", f"{self._path}/{found.id}", self._told(order.status, order.body))
        return Published(id=found.id, status=order.status)

    def _told(self, status: PublicStatus, body: str) -> dict[str, Any]:
        state = "operational" if status == "resolved" else "major_outage"
        told: dict[str, Any] = {
            "status": status, "body": body, "deliver_notifications": self._notifies,
        }  # fmt: skip
        if self._components:
            told["component_ids"] = list(self._components)
            told["components"] = dict.fromkeys(self._components, state)
        return told

    async def _find(self, key: str) -> _Incident | None:
        """Find ours among the open ones, then among the newest of all."""
        for path in (f"{self._path}/unresolved", self._path):
            answer = await self._web.ask(
                "GET", path, headers=self._headers, params={"limit": _MOST_LISTED}
            )
            if answer.status != 200:
                raise self._web.refused(answer, _said(answer))
            try:
                listed = [_Incident.model_validate(each) for each in answer.listed(_SYSTEM)]
            except ValidationError:
                raise Unavailable(f"{_SYSTEM} does not list incidents as it should") from None
            if found := next((each for each in listed if each.key == key), None):
                return found
        return None

    async def _write(self, method: str, path: str, incident: dict[str, Any]) -> None:
        content = json.dumps({"incident": incident}).encode()
        answer = await self._web.ask(
            method, path, headers=self._headers, content=content, writes=True
        )
        if answer.status not in _CREATED:
            raise self._web.refused(answer, _said(answer), writes=True)
        try:
            _Incident.model_validate(answer.json(_SYSTEM))
        except (ValidationError, Unavailable):
            said = f"{_SYSTEM} answered {answer.status}, but not with the incident"
            raise Ambiguous(said) from None


def _said(answer: Answered) -> str:
    """Read the reason that the page gives for a refusal."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("error", "")) if isinstance(found, dict) else ""
