"""Whether a game day went well: what is not as it must be when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from activities.record import Phase, Record, StepState

RECOVERED = "recovered"
HANDED = "handed to people"
"""How the lifecycle begins the line by which it leaves an incident to people."""


def shortcomings(
    record: Record | None, *, unwell: Sequence[str] = (), still_open: Sequence[str] = ()
) -> list[str]:
    """Say what is wrong at the end; nothing is as it should be.

    Args:
        record: Of the incident; None when no incident came of the fault.
        unwell: Why the platform is not healthy.
        still_open: Incidents that are not over.
    """
    return [
        *(["no incident came of it"] if record is None else _of(record)),
        *(f"the incident {incident} is still open" for incident in still_open),
        *(f"the platform is not healthy: {reason}" for reason in unwell),
    ]


def otherwise(record: Record | None, alert: str, *, people: bool) -> list[str]:
    """Say where it went another way than the scenario's.

    Args:
        record: Of the incident; None when no incident came of the fault.
        alert: The alert that must have noticed it.
        people: Whether the steps must not have helped, so that people took over.
    """
    if record is None:
        return []
    wrong = []
    raised = {state.alert.name for state in record.alerts.values()}
    if alert not in raised:
        wrong.append(f"{alert} was not raised, but {', '.join(sorted(raised)) or 'nothing'}")
    if people and not handed_over(record):
        wrong.append("it was not handed to people: something helped that must not")
    return wrong


def handed_over(record: Record) -> bool:
    """Tell whether people were left with it, for a while at least."""
    return any(entry.text.startswith(HANDED) for entry in record.timeline)


def summary(record: Record) -> list[str]:
    """Say in a few lines what was done, what was undone, and how quickly."""
    lines = []
    if (ended := record.resolution) is not None:
        lines.append(f"{ended.how}: {ended.reason}")
    for step in record.steps:
        if step.state in (StepState.DONE, StepState.HELPED, StepState.UNDONE):
            lines.append(f"✓ {step.effect}")
        if step.state is StepState.UNDONE:
            lines.append("✓ and undone again")
    moments = (
        ("paged", record.paged_at),
        ("acknowledged", record.people.acknowledged_at),
        ("mitigated", record.mitigated_at),
        ("resolved", ended.at if ended else None),
    )
    times = [
        f"{name} {(at - record.starts_at).total_seconds():.1f} s" for name, at in moments if at
    ]
    return [*lines, f"After the alert: {', '.join(times)}"] if times else lines


def _of(record: Record) -> list[str]:
    wrong: list[str] = []
    ended = record.resolution
    if ended is None or record.phase is not Phase.RESOLVED:
        wrong.append(f"the incident is not resolved, it is {record.phase.value}")
    if ended is not None and ended.how != RECOVERED:
        wrong.append(f"it ended otherwise than by recovery: {ended.how} ({ended.reason})")
    temporary = [step.effect for step in record.temporary]
    if ended is not None:
        temporary += [effect for effect in ended.still_temporary if effect not in temporary]
    wrong += [f"still temporary: {effect}" for effect in temporary]
    if ended is not None and not record.report:
        wrong.append("no report was written")
    return wrong + [f"the report {path} {lack}" for path in record.report if (lack := _lack(path))]


def _lack(path: str) -> str:
    file = Path(path)
    if not file.is_file():
        return "is not there"
    return "" if file.stat().st_size else "is empty"
