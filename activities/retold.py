"""One incident retold in a few lines, once it is over: what was done, and what would have been."""

from __future__ import annotations

from pydantic import AwareDatetime

from activities.planned import PlannedStep, StepState
from activities.record import Record
from activities.words import Answer, Severity, cut

OBSERVED = "observe mode: I would have done this"
PROPOSED = "proposed, not done: please do it by hand if you agree"
_LINES = 8
_LINE = 200
_PEOPLE = frozenset({"person", "note"})


class Retold(Answer):
    """What a summary of many incidents says of one."""

    alert: str
    service: str
    environment: str = ""
    severity: Severity
    opened_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    how: str = ""
    paged: bool = False
    recovered_at: AwareDatetime | None = None
    """When it was first seen to be well."""
    would: tuple[str, ...] = ()
    """What the responder would have done, had it been allowed to."""
    did: tuple[str, ...] = ()
    """What it did, and how that ended."""
    people: tuple[str, ...] = ()
    """What people did, by their own account."""


def retold(record: Record) -> Retold:
    """Retell *record*; bounded, however long it was."""
    end = record.resolution
    steps = record.steps
    return Retold(
        alert=record.title,
        service=record.service,
        environment=record.environment,
        severity=record.severity,
        opened_at=record.opened_at,
        ended_at=end.at if end else None,
        how=cut(f"{end.how}: {end.reason}" if end else "", _LINE),
        paged=record.paged_at is not None,
        recovered_at=record.mitigated_at,
        would=_lines([_step(s) for s in steps if s.said in (OBSERVED, PROPOSED)]),
        did=_lines([f"{_step(s)}: {_ended(s)}" for s in steps if s.took_place]),
        people=_lines(
            [
                f"{entry.by}: {entry.text}"
                for entry in record.timeline
                if entry.kind in _PEOPLE and entry.by != "responder"
            ]
        ),
    )


def _step(step: PlannedStep) -> str:
    return f"{step.effect} ({step.risk.value})"


def _ended(step: PlannedStep) -> str:
    if step.state is StepState.UNDONE:
        return "done, and undone"
    return step.state.value


def _lines(found: list[str]) -> tuple[str, ...]:
    once = [cut(line, _LINE) for line in dict.fromkeys(found)]
    if len(once) <= _LINES:
        return tuple(once)
    return (*once[: _LINES - 1], f"and {len(once) - _LINES + 1} more")
