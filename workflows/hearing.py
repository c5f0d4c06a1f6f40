"""Hearing that everything is frozen, or is not any more, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable

from activities.freezing import Freezes
from activities.record import Phase, PlannedStep, StepState
from workflows.answering import void
from workflows.case import Case
from workflows.deadlines import until


def hear(case: Case, news: Freezes) -> None:
    """Take in how it stands with the environment; what came before is no news.

    An approval is bound to what was shown: after a freeze people have worked by hand, and what
    was approved, or asked, before it is asked anew.
    """
    record, people = case.record, case.record.people
    if not news.later_than(people.freezes):
        return
    was, people.freezes = people.freezes, news
    if record.phase is Phase.RESOLVED:
        return
    if news.held:
        for step in record.ladder:
            if step.open and step.approved_by:
                void(case, step, "for it is frozen")
        doing = [s.effect for s in record.steps if s.state is StepState.RUNNING or _undone(case, s)]
        first = f". This is finished first: {'; '.join(doing)}" if doing else ""
        case.note("person", f"{news.said}{first}", by=news.held[-1].by, tell=True)
    elif was.held:
        by, _, why = news.lifted_by.partition(": ")
        said = f"unfrozen{': ' if why else ''}{why}. It goes on where it stood"
        case.note("person", said, by=by, tell=True)
    case.changed(root=True)


async def until_released(case: Case, interrupted: Callable[[], bool]) -> None:
    """Wait until a hold or freeze is over or changed, somebody takes over, or *interrupted*."""
    people = case.record.people
    hold, frozen = people.hold_until, people.frozen
    await until(
        lambda: (
            interrupted()
            or bool(people.taken_over_by)
            or (people.hold_until, people.frozen) != (hold, frozen)
        ),
        None if frozen else hold,
        "On hold",
    )


def _undone(case: Case, step: PlannedStep) -> bool:
    return bool(case.changing) and step.key == case.changing
