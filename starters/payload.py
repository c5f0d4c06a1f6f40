"""Alertmanager's webhook, version 4, as it arrives; and the alerts that we make of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from activities.alerts import Alert, AlertStatus
from activities.expressions import expression_of
from starters.requests import Moment

MOST_ALERTS = 10_000
"""In one delivery; Alertmanager's own groups are far smaller."""
_MOST_PAIRS = 64
_MOST_NAME = 200
_MOST_LABEL = 1_000
_MOST_ANNOTATION = 4_000
_MOST_EXPRESSION = 4_000
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class _Sent(BaseModel):
    # Alertmanager adds fields with its versions: what is not known is not our business. Strict:
    # what is not as it writes it was not written by it.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SentAlert(_Sent):
    """One alert of a delivery; its own status counts, the group's does not."""

    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: Moment = Field(alias="startsAt")
    source: str = Field(default="", alias="generatorURL")
    fingerprint: str = Field(min_length=1, max_length=64)

    @field_validator("labels")
    @classmethod
    def _named(cls, labels: dict[str, str]) -> dict[str, str]:
        if not labels.get("alertname", "").strip():
            raise ValueError("alertname is missing")
        return labels

    def alert(self, scope_labels: Collection[str]) -> Alert:
        """Make the alert, of bounded size: labels and annotations come from applications."""
        # A label of the scope that were dropped would make it another incident.
        first = ("alertname", "severity", *scope_labels)
        labels = _bounded(self.labels, _MOST_LABEL, first)
        expression = expression_of(self.source) or ""
        return Alert(
            fingerprint=self.fingerprint,
            name=labels["alertname"].strip()[:_MOST_NAME],
            status=self.status,
            starts_at=self.starts_at,
            labels=labels,
            annotations=_bounded(
                self.annotations, _MOST_ANNOTATION, ("summary", "description", "runbook_url")
            ),
            # The half of an expression means something else; the half of an address nothing.
            expression=expression if len(expression) <= _MOST_EXPRESSION else "",
            source=self.source if len(self.source) <= _MOST_EXPRESSION else "",
        )


class Delivery(_Sent):
    """What Alertmanager posts."""

    version: Literal["4"]
    alerts: tuple[SentAlert, ...] = Field(min_length=1, max_length=MOST_ALERTS)
    truncated: int = Field(default=0, ge=0, alias="truncatedAlerts")
    """How many alerts were left out: nothing may be concluded from what is not here."""


def _bounded(pairs: dict[str, str], most: int, first: Collection[str]) -> dict[str, str]:
    order = [*(name for name in first if name in pairs), *sorted(pairs)]
    kept = list(dict.fromkeys(order))[:_MOST_PAIRS]
    return {_seen(name)[:_MOST_NAME]: _cut(_seen(pairs[name]), most) for name in kept}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _seen(text: str) -> str:
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
