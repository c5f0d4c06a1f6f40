"""Several causes at once: one ladder, in which every switch is set in one restart."""

from __future__ import annotations

from collections.abc import Sequence

from activities.record import Asks
from activities.switches import SetSwitches, Switch
from workflows.procedures.base import Cause, Evidence, Step
from workflows.procedures.instances import ActsOnInstances


class TreatsTogether(ActsOnInstances):
    """Knows how the treatments of several causes become one."""

    def together(self, seen: Evidence, causes: Sequence[Cause]) -> Cause:
        """Make one cause of several; what two of them do is done once, where it comes first."""
        steps: dict[str, list[Step]] = {}
        for step in (step for cause in causes for step in cause.steps):
            steps.setdefault(step.key, []).append(step)
        return Cause(
            "; ".join(cause.words for cause in causes if cause.words),
            tuple(self._one(seen, alike) for alike in steps.values()),
            tuple(dict.fromkeys(finding for cause in causes for finding in cause.findings)),
        )

    def _one(self, seen: Evidence, alike: Sequence[Step]) -> Step:
        """Set the switches of all in one restart; where two want another value, the first does."""
        values: dict[Switch, str] = {}
        for step in alike:
            if isinstance(step.order, SetSwitches):
                values = {**step.order.values, **values}
        if len(alike) == 1 or not values:
            return alike[0]
        return self.set_switches(
            seen,
            values,
            why="; ".join(dict.fromkeys(step.why for step in alike)),
            expect="; ".join(dict.fromkeys(step.expect for step in alike if step.expect)),
            asks=Asks.ALWAYS if any(each.asks is Asks.ALWAYS for each in alike) else Asks.POLICY,
        )
