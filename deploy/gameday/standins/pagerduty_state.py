"""What the stand-in for PagerDuty has taken, and what of it is open."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel

from deploy.gameday.standins.pagerduty_webhooks import incident


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
    """Empty for what a person has opened by hand: no event reaches it."""
    dedup_key: str
    status: Literal["triggered", "acknowledged", "resolved"] = "triggered"
    summary: str
    severity: str
    triggers: int = 1
    opened_at: datetime
    number: int = 0
    id: str = ""
    service: str = "API"
    urgency: str = "high"
    acknowledged: list[dict[str, Any]] = []
    """References to who has acknowledged it: users, or an integration."""
    changed_at: datetime | None = None
    changed_by: dict[str, Any] | None = None
    reopened: int = 0

    @classmethod
    def by_hand(cls, title: str, *, service: str, urgency: str, number: int) -> Self:
        """Open an incident as a person does; its id is nobody else's, whatever else runs."""
        key = uuid.uuid4().hex
        return cls(
            routing_key="",
            dedup_key=key,
            id=f"Q{key[:13].upper()}",
            summary=title,
            severity="critical",
            opened_at=datetime.now(UTC),
            number=number,
            service=service,
            urgency=urgency,
        )

    @property
    def name(self) -> str:
        """Give the incident's id."""
        return self.id or f"PSTANDIN{self.number}"

    def incident(self) -> dict[str, Any]:
        """Write it as an incident, as the REST API and webhooks do."""
        at = (self.changed_at or self.opened_at).isoformat()
        return {
            **incident(self.number, self.dedup_key, self.status, self.summary, name=self.name),
            "service": {"id": "PSERVICE", "type": "service_reference", "summary": self.service},
            "urgency": self.urgency,
            "acknowledgements": [{"at": at, "acknowledger": who} for who in self.acknowledged],
            "last_status_change_at": at,
            "last_status_change_by": self.changed_by,
        }

    def become(self, status: str, who: dict[str, Any], at: datetime) -> None:
        """Change its status, as *who* wants it."""
        self.reopened += self.status == "resolved" != status
        self.changed_at, self.changed_by = at, who
        if status == "acknowledged":
            self.status = "acknowledged"
            self.acknowledged = [*self.acknowledged, who]
        elif status == "resolved":
            self.status = "resolved"
        else:
            self.status, self.acknowledged = "triggered", []


class State(BaseModel):
    """All of it."""

    events: list[Received] = []
    alerts: list[Opened] = []
