"""An approval is bound to what was shown: looked at once more, right before the change."""

from __future__ import annotations

from typing import Any

from activities.changes import lasting
from activities.record import PlannedStep
from workflows.case import Case
from workflows.investigation import Investigation
from workflows.public_word import PUBLISH
from workflows.questions import Questions


class Binding:
    """Holds an approval against what is there now; one that does not fit is void."""

    def __init__(self, case: Case, questions: Questions) -> None:
        self._case = case
        self._questions = questions
        self._investigation = Investigation(case)

    async def holds(self, step: PlannedStep, shown: Any) -> bool:
        """Tell whether *step* is still what was approved; *shown* is None where nobody was asked.

        What stands there was just read. Evidence that is old by now is gathered anew too: where
        the procedure would not take this step any more, it plans again, and people are asked anew.
        """
        if shown is None:
            return True
        if self._questions.changed(step, shown):
            return False
        case, record = self._case, self._case.record
        old = case.policy.seconds(case.policy.evidence_seconds)
        if record.planned_at is None or case.now - record.planned_at <= old:
            return True
        if step.activity == PUBLISH:
            return True  # of no procedure's plan: a new one would not have it
        fresh = await self._investigation.plan_anew()
        if fresh is None or any(_same(step, other) for other in fresh):
            # What cannot be looked at now is what it was: it was approved, and is there still.
            return True
        self._questions.void(step, "the evidence has changed since: it would not be done any more")
        record.plan_again = True
        return False


def _same(step: PlannedStep, other: PlannedStep) -> bool:
    """Whether the other is the same step with the same particulars.

    Which items of a list are there still, sessions or images, is seen by reading them.
    """
    return step.key == other.key and _particulars(step) == _particulars(other)


def _particulars(step: PlannedStep) -> dict[str, Any]:
    order: dict[str, Any] = lasting(step.order)
    return {name: value for name, value in order.items() if not isinstance(value, list)}
