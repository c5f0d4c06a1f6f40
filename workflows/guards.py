"""What forbids a step although its procedure plans it: restart budget, cool-down, once only."""

from __future__ import annotations

from datetime import datetime

from temporalio.exceptions import ActivityError

from activities.record import PlannedStep
from workflows.case import Case, kind_of

_SURE_NOTHING_HAPPENED = frozenset({"Refused", "NotConfigured", "NotFoundError"})
"""Failures after which nothing was changed: a change says `Refused` only where no attempt acted.

Everything else may have got through, in this attempt or in an earlier one: a timeout is not a
refusal. `Unwell` surely has.
"""


class Guards:
    """Holds an incident's steps to PROCEDURES, "Guards over all procedures"."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def against(self, step: PlannedStep) -> str:
        """Say what forbids *step* now; empty is nothing."""
        case, policy = self._case, self._case.policy
        others = [s for s in case.record.steps if s is not step and s.target == step.target]
        cool = case.now - policy.seconds(max(policy.cool_down_seconds, step.cool_down_seconds))
        if any(s.key == step.key and s.started_at and s.started_at > cool for s in others):
            return "skipped: it was done on this target a moment ago"
        if step.once and any(s.activity == step.activity and s.took_place for s in others):
            return "skipped: this incident has had it once already"
        if any(s.key == step.key and s.behind and s.in_place for s in others):
            return "skipped: it is in place already"
        if not step.restarts:
            return ""
        restarting = [s for s in others if s.restarts]
        times = self.restarts(step)
        # One restart is kept for the undo, of this step or of one that is in place.
        spare = any(self._soon_undone(s) for s in (step, *(s for s in restarting if s.in_place)))
        if len(times) + spare >= policy.restarts_of_a_target:
            kept = ", and one more is kept for the undo" if spare else ""
            return f"skipped: {step.target} was restarted {len(times)} times of late{kept}"
        return ""

    def _soon_undone(self, step: PlannedStep) -> bool:
        """Whether the undo of *step* may fall into the time for which restarts are counted."""
        window = self._case.policy.restarts_within_seconds
        return step.undo and not (step.undo_when and step.undo_hold_seconds >= window)

    def restarts(self, step: PlannedStep) -> list[datetime]:
        """List the times of late at which the target of *step* was, or may have been, restarted."""
        case, policy = self._case, self._case.policy
        since = case.now - policy.seconds(policy.restarts_within_seconds)
        same = (one for one in case.record.steps if one.target == step.target)
        return [at for one in same for at in one.restarted_at if at > since]

    def count_restart(self, step: PlannedStep) -> None:
        """Count a restart before it is made."""
        if step.restarts:
            step.restarted_at.append(self._case.now)

    def uncount_restart(self, step: PlannedStep, error: ActivityError) -> None:
        """Take the count back where surely nothing was restarted."""
        if step.restarts and surely_nothing(error):
            step.restarted_at.pop()


def surely_nothing(error: ActivityError) -> bool:
    """Tell whether a failed change surely changed nothing."""
    if kind_of(error) == "NoWorker":
        # An earlier attempt, which is then named as the cause, may have got through.
        return error.cause is None or error.cause.__cause__ is None
    return kind_of(error) in _SURE_NOTHING_HAPPENED
