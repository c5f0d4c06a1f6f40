"""Alerts as Alertmanager tells them, and which incident each belongs to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum

from pydantic import AwareDatetime, ConfigDict, Field

from activities.words import Answer, Order, Severity

SCOPE_LABELS = ("environment", "cluster", "namespace", "service", "job")
"""The labels whose values say "the same thing is broken"; a setting."""

MANUAL = "manual-"
"""What the fingerprint of an alert begins with that a person has opened an incident by."""

_LEVEL = re.compile(r"^(High|Critical)(?=[A-Z])")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")


class AlertStatus(StrEnum):
    """What Alertmanager says of one alert; a group's status decides nothing."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Answer):
    """One alert: a set of labels that Prometheus found to be true."""

    fingerprint: str = Field(min_length=1, max_length=64)
    """Of the labels alone: annotations move, this does not."""
    name: str = Field(min_length=1, max_length=200)
    status: AlertStatus
    starts_at: AwareDatetime
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    expression: str = Field(default="", max_length=4000)
    """The PromQL of the rule, empty where it is not known."""
    source: str = Field(default="", max_length=4000)
    """Address at which Prometheus shows it."""

    @property
    def service(self) -> str:
        """What is broken, for people."""
        return self.labels.get("service") or self.labels.get("job") or "unknown"

    @property
    def manual(self) -> bool:
        """Whether a person has opened an incident by it: no rule fires, and none will resolve."""
        return self.fingerprint.startswith(MANUAL)

    @property
    def environment(self) -> str:
        """Where it is broken."""
        return self.labels.get("environment", "")

    @property
    def indicator(self) -> str:
        """What the alert is about: APILatency for High… and Critical…."""
        return indicator_of(self.name)

    @property
    def severity(self) -> Severity | None:
        """The rule's severity label, None where it is missing or not one of ours."""
        try:
            return Severity(self.labels.get("severity", "").lower())
        except ValueError:
            return None

    @property
    def named_severity(self) -> Severity | None:
        """The severity that the name tells: Critical… is critical, High… a warning."""
        level = _LEVEL.match(self.name)
        if level is None:
            return None
        return Severity.CRITICAL if level[1] == "Critical" else Severity.WARNING

    @property
    def firing(self) -> bool:
        """Whether Alertmanager says that it fires."""
        return self.status is AlertStatus.FIRING

    def scope(self, labels: Iterable[str] = SCOPE_LABELS) -> dict[str, str]:
        """Pick the labels that make two alerts of one indicator the same incident."""
        return {name: self.labels[name] for name in labels if name in self.labels}


class Notice(Order):
    """What one delivery said about one incident: firings and resolves together."""

    # A newer door may say more than this worker knows: refusing it would lose the alert.
    model_config = ConfigDict(extra="ignore")

    alerts: tuple[Alert, ...] = Field(min_length=1)
    incomplete: bool = False
    """Alertmanager left alerts out (``max_alerts``): nothing may be concluded from what is not
    here."""


def indicator_of(name: str) -> str:
    """Name what an alert of that *name* is about."""
    return _LEVEL.sub("", name)


def incident_id(alert: Alert, scope_labels: Iterable[str] = SCOPE_LABELS) -> str:
    """Name the incident of *alert*: ``<Indicator>-<service>-<8 hex of the scope>``.

    People read it in lists and links, it is never encrypted, and the same alert always gives
    the same one.
    """
    scope = "\n".join(
        f"{name}={value}" for name, value in sorted(alert.scope(scope_labels).items())
    )
    digest = hashlib.sha256(scope.encode()).hexdigest()[:8]
    return f"{_safe(alert.indicator)}-{_safe(alert.service)}-{digest}"


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)[:80]
