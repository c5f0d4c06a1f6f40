"""What is known of an alert before anybody has looked."""

from __future__ import annotations

from pydantic import Field

from activities.kept import Kept
from activities.verification import Condition
from activities.words import Severity


class Facts(Kept):
    """What a procedure says of its alert without looking at anything."""

    name: str
    title: str
    severity: Severity
    impact: str
    section: str
    runbook: str
    condition: Condition
    version: str
    """Digest of everything that the procedures decide by."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    alert_lags_seconds: float = 0.0
    """How long its alert may fire on after all is well: what it looks back over."""
    back_after_seconds: float = 0.0
    """How long it is well behind a maintenance page before users return; 0: the settling time."""
    links: dict[str, str] = Field(default_factory=dict)
    """Dashboards of what it looks at: name to address."""
