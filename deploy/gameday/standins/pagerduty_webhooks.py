"""Sends PagerDuty's webhooks, version 3: signed, at least once, and not always in order."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

_IDS = itertools.count(1)


@dataclass(frozen=True)
class User:
    """A person who has a user there."""

    id: str
    name: str
    email: str = ""

    @property
    def reference(self) -> dict[str, str]:
        """Write the user as payloads refer to one."""
        address = f"https://pravado.pagerduty.com/users/{self.id}"
        return {
            "id": self.id,
            "type": "user_reference",
            "summary": self.name,
            "self": f"https://api.pagerduty.com/users/{self.id}",
            "html_url": address,
        }


INTEGRATION = {
    "id": "PINTEGRATION",
    "type": "events_api_v2_inbound_integration_reference",
    "summary": "incident-responder",
    "self": None,
    "html_url": None,
}
"""The agent of what came by the Events API."""


@dataclass(frozen=True)
class Hook:
    """A subscription: where events go, and the secrets that they are signed with."""

    url: str
    secrets: Sequence[str] = field(repr=False)
    http: httpx.AsyncClient | None = None

    async def send(self, payload: Mapping[str, Any]) -> int:
        """Deliver once, and give back the answer's status; 0 where there was none."""
        body = json.dumps(payload).encode()
        async with contextlib.AsyncExitStack() as stack:
            http = self.http
            if http is None:
                http = await stack.enter_async_context(httpx.AsyncClient(timeout=5.0))
            try:
                answer = await http.post(self.url, content=body, headers=signed(body, self.secrets))
            except httpx.HTTPError:
                return 0
            return answer.status_code


def signed(body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Make the headers of a delivery; each secret signs while one is exchanged for another."""
    signatures = [
        f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}" for secret in secrets
    ]
    return {
        "content-type": "application/json",
        "x-pagerduty-signature": ",".join(signatures),
        "user-agent": "PagerDuty-Webhook/V3.0",
    }


def payload(
    happened: str,
    incident: Mapping[str, Any],
    *,
    agent: Mapping[str, Any] | None,
    at: datetime | None = None,
    event_id: str = "",
) -> dict[str, Any]:
    """Write an event of an incident."""
    moment = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
    return {
        "event": {
            "id": event_id or f"01STANDIN{next(_IDS):017}",
            "event_type": f"incident.{happened}",
            "resource_type": "incident",
            "occurred_at": moment.replace("+00:00", "Z"),
            "agent": agent,
            "client": {"name": "PagerDuty"} if agent else None,
            "data": dict(incident),
        }
    }


def incident(
    number: int,
    key: str,
    status: str,
    title: str,
    assignees: Sequence[User] = (),
    *,
    name: str = "",
) -> dict[str, Any]:
    """Write an incident as events carry it."""
    name = name or f"PSTANDIN{number}"
    return {
        "id": name,
        "type": "incident",
        "self": f"https://api.pagerduty.com/incidents/{name}",
        "html_url": f"https://pravado.pagerduty.com/incidents/{name}",
        "number": number,
        "status": status,
        "incident_key": key,
        "title": title,
        "service": {"id": "PSERVICE", "type": "service_reference", "summary": "API"},
        "assignees": [each.reference for each in assignees],
        "escalation_policy": {"id": "PPOLICY", "type": "escalation_policy_reference"},
        "teams": [],
        "priority": None,
        "urgency": "high",
        "resolve_reason": None,
    }


def note(incident_id: str, content: str) -> dict[str, Any]:
    """Write a note as an event carries it: it does not say the incident's key."""
    return {
        "id": f"PNOTE{next(_IDS)}",
        "type": "incident_note",
        "content": content,
        "trimmed": False,
        "incident": {"id": incident_id, "type": "incident_reference"},
    }
