"""The runbook's communication template: severity, impact, status, actions, ETA, next update."""

from __future__ import annotations

from activities.record import Record, StepState
from workflows.glance import clock, eta, impact, promise, status
from workflows.headline import brief, outage
from workflows.policy import Policy

_UNDER_WAY = frozenset({StepState.ASKED, StepState.RUNNING, StepState.DONE})
_MOST_ACTIONS = 4
_OUTCOMES = {
    StepState.UNHELPFUL: " (did not help)",
    StepState.UNCERTAIN: " (outcome unknown)",
    StepState.UNDONE: " (undone since)",
}


def heading(record: Record) -> str:
    """Say how bad it is and what is wrong: ``OUTAGE: 64% of the requests fail``."""
    word = "OUTAGE" if outage(record) else record.severity.value.upper()
    return f"{word}: {brief(record)} ({record.service})"


def actions(record: Record) -> str:
    """Say what is being done, or what happens next."""
    if record.people.taken_over_by:
        return f"in the hands of {record.people.taken_over_by}"
    doing = [step.effect for step in record.ladder if step.state in _UNDER_WAY]
    return "; ".join(doing[:_MOST_ACTIONS]) or record.next_action or "none yet"


def done(record: Record) -> list[str]:
    """List what was done, whatever came of it: said once it is over."""
    return [
        f"Done: {step.effect}" + _OUTCOMES.get(step.state, "")
        for step in record.steps
        if step.took_place
    ]


def filled_in(record: Record, policy: Policy) -> str:
    """Fill the template in as it stands now."""
    due = record.clocks.update_at
    lines = (
        ("Impact", impact(record)),
        ("Status", f"{status(record)}; since {clock(record.starts_at)}"),
        ("Actions", actions(record)),
        ("ETA", eta(record, policy)),
        ("Updates", promise(record, policy) + (f", the next by {clock(due)}" if due else "")),
    )
    return "\n".join(f"{name}: {text}" for name, text in lines)
