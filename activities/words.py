"""The words that every activity and every workflow share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints


class Severity(StrEnum):
    """How bad an incident is (runbook, "Incident Severity Levels")."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Position from 0 (info) to 2 (critical), to compare severities."""
        return (Severity.INFO, Severity.WARNING, Severity.CRITICAL).index(self)


class Risk(StrEnum):
    """What a step can cost the users of the platform."""

    REVERSIBLE = "reversible"
    """No user sees it and it is undone by itself."""
    DISRUPTIVE = "disruptive"
    """Some users notice for a moment."""
    OUTAGE = "outage"
    """Users see the maintenance page."""
    DESTRUCTIVE = "destructive"
    """It cannot be undone."""


class Mode(StrEnum):
    """How much the responder may do without a person."""

    OBSERVE = "observe"
    GUARDED = "guarded"
    AUTONOMOUS = "autonomous"


class Urgency(StrEnum):
    """Whether a page wakes somebody."""

    HIGH = "high"
    LOW = "low"


Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Order(BaseModel):
    """What an activity is asked or told: frozen; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """What an activity found or did: frozen; an unknown field is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Nothing(Order):
    """A question that needs no particulars."""


class Done(Answer):
    """What a change did, in words for the timeline."""

    said: str
    changed: bool = True
    """False when the world already was as ordered, so that nothing was touched."""
    at: AwareDatetime | None = None
    """When it took effect by the clock of the system that was changed, where that is known."""


CUT_BYTES = 32 * 1024
"""The most text that one probe puts into the history."""


def cut(text: str, limit: int = CUT_BYTES) -> str:
    """Shorten *text* to *limit* bytes and say so."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    kept = raw[: limit - 60].decode(errors="ignore")
    return f"{kept}… ({len(raw) - len(kept.encode())} more bytes left out)"
