"""Hearing that everything is frozen, or is not any more."""

from __future__ import annotations

from activities.freezing import Freezes
from activities.record import Phase, PlannedStep, StepState
from workflows.answering import void
from workflows.case import Case


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


def _undone(case: Case, step: PlannedStep) -> bool:
    return bool(case.changing) and step.key == case.changing
