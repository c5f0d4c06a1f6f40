"""How bad it is, what is wrong as it was measured, and how often people hear of it."""

from __future__ import annotations

from activities.record import Record
from activities.words import Risk
from workflows.policy import Policy

_OUTAGE = "OUTAGE: "
_SHOUTED = (_OUTAGE, "CRITICAL: ")


def brief(record: Record) -> str:
    """Say what is wrong; in the runbook's own words with the value that was measured."""
    if record.facts is None:
        return record.title
    said = (record.cause.partition(";")[0], record.facts.title)
    shouted = next((text for text in said if text.startswith(_SHOUTED)), "")
    what = shouted.partition(": ")[2] or record.facts.title
    return what.rstrip(".") or record.title


def outage(record: Record) -> bool:
    """Tell whether the platform is down for its users, by its procedure or by a step of ours."""
    named = record.facts is not None and record.facts.title.startswith(_OUTAGE)
    return named or outage_step(record)


def outage_step(record: Record) -> bool:
    """Tell whether users are kept away by a step of ours."""
    return any(step.risk is Risk.OUTAGE and step.in_place for step in record.steps)


def update_seconds(record: Record, policy: Policy) -> float | None:
    """Give the longest silence that is promised at present; None is: at changes."""
    promised = policy.severities[record.severity].update_seconds
    if promised is None or not outage_step(record):
        return promised
    return min(promised, policy.outage_update_seconds)
