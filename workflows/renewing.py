"""Renewing what ends by itself: a track of its own, which no hold, take-over or freeze stops."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.changes import RENEW, Renewed
from activities.record import PlannedStep, StepState
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.efforts import CHANGE, said

_TRY_AGAIN = 60.0
_SECONDS = timedelta(seconds=30)


def began(case: Case, step: PlannedStep) -> None:
    """Run the clocks of a step that ends by itself, and those of the updates it calls for."""
    if not step.lasts_seconds or not step.in_place:
        return
    since = step.started_at or case.now
    step.share = step.given_back = 0.0
    step.stage_fails, step.renewal_failed = 0, ""
    step.expires_at = since + case.policy.seconds(step.lasts_seconds)
    step.half_time_at = since + case.policy.seconds(step.lasts_seconds / 2)
    step.renew_at = since + case.policy.seconds(step.renew_seconds)
    soon = case.after(case.policy.outage_update_seconds)
    clocks = case.record.clocks
    if clocks.update_at is not None:
        clocks.update_at = min(clocks.update_at, soon)


def ended(case: Case, step: PlannedStep, reason: str) -> None:
    """Write down that a step is not in place any more, although we did not undo it."""
    step.state, step.undone_at, step.said = StepState.UNDONE, case.now, reason
    # Whoever ended it had a reason: it is not made again by us.
    step.put_back = True
    case.note("problem", f"{step.effect}: {reason}", tell=True)
    case.call(f"{step.effect}: {reason}")


class Renewal:
    """Renews each step in time, and pages a person at half-time and where it fails."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.busy = False
        """A renewal is in flight."""

    async def run(self) -> None:
        """Renew for as long as the incident lives and the steps are in place."""
        while True:
            await workflow.wait_condition(
                lambda: self._next() is not None and not self._case.pausing
            )
            present = self._next()
            if present is None:
                continue
            due, step = present
            moved = await until(
                lambda present=present: self._case.pausing or self._next() != present,  # type: ignore[misc]
                due,
                f"Renew: {step.effect}",
            )
            if not moved:
                await self._ring(step)

    def _next(self) -> tuple[datetime, PlannedStep] | None:
        """Find what is due first; a change of the step that is under way is waited for."""
        if self._case.record.resolution is not None:
            return None
        times = [
            (due, step)
            for step in self._case.record.steps
            if step.in_place and step.key != self._case.changing
            for due in (step.renew_at, step.half_time_at)
            if due is not None
        ]
        return min(times, key=lambda pair: pair[0], default=None)

    async def _ring(self, step: PlannedStep) -> None:
        case = self._case
        if step.half_time_at is not None and step.half_time_at <= case.now:
            step.half_time_at = None
            if not step.share:  # else users are coming back already
                case.call(
                    f"half of its time is over, and it is still in place: {step.effect}. "
                    "It is renewed until you end it or it is well"
                )
        if step.renew_at is None or step.renew_at > case.now:
            return
        step.renew_at = case.after(step.renew_seconds)
        self.busy = True
        try:
            await self._renew(step)
        finally:
            self.busy = False

    async def _renew(self, step: PlannedStep) -> None:
        case, since = self._case, self._case.now
        effort: workflow.ActivityConfig = {
            **said(CHANGE, f"Renew: {step.effect}"),
            "start_to_close_timeout": _SECONDS,
            "schedule_to_close_timeout": 4 * _SECONDS,
        }
        try:
            await workflow.execute_activity(
                step.activity + RENEW,
                args=[step.order, step.before],
                result_type=Renewed,
                **effort,
            )
        except ActivityError as error:
            if step.in_place and step.key != case.changing:
                self._failed(step, error)
            return
        if step.renewal_failed:
            case.note("step", f"renewed again: {step.effect}", tell=True)
        step.renewal_failed, step.renewal_told = "", False
        step.renewals += 1
        step.expires_at = since + case.policy.seconds(step.lasts_seconds)

    def _failed(self, step: PlannedStep, error: ActivityError) -> None:
        case, ends = self._case, step.expires_at or self._case.now
        if kind_of(error) == "Gone":
            ended(case, step, why(error))
            return
        if ends <= case.now:
            ended(case, step, f"it ran out, for it could not be renewed: {why(error)}")
            return
        first, step.renewal_failed = not step.renewal_failed, why(error)
        if first:
            case.note("problem", f"not renewed: {step.effect}: {why(error)}. Trying on", tell=True)
        step.renew_at = min(case.after(_TRY_AGAIN), ends)
        half = case.policy.seconds(step.lasts_seconds / 2)
        if ends - case.now <= half and not step.renewal_told:
            step.renewal_told, step.half_time_at = True, None
            case.call(f"it ends at {ends:%H:%M} UTC and cannot be renewed: {step.effect}")
