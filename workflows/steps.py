"""Carrying out a step: guards, policy, the change in two recorded halves, and its undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.changes import READ, STAGE, UNDO, Staged
from activities.record import Phase, PlannedStep, StepState
from activities.words import Answer, Done
from workflows.binding import Binding
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.earning import Earned
from workflows.efforts import CHANGE, said
from workflows.efforts import READ as READING
from workflows.guards import Guards, surely_nothing
from workflows.leasing import Leases, Leave
from workflows.policy import Verdict
from workflows.questions import Questions
from workflows.renewing import began, ended

_UNWELL = "Unwell"
_FINAL = frozenset({"Refused", "Gone", "NotConfigured", "NotFoundError"})
_MOST_UNDO_TRIES = 3
_MAY_PASS = frozenset({"Unavailable", "Throttled", "Timeout", "NoWorker"})
_GIVE_UP_READING = 300.0
_TURN_AGAIN = 60.0


class Steps:
    """Takes steps of the ladder, one at a time."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._questions = Questions(case)
        self._binding = Binding(case, self._questions)
        self._leases = Leases(case)
        self._earned = Earned(case)
        self._guards = Guards(case)

    def next(self) -> PlannedStep | None:
        """Find the next step that is still ahead; one whose groundwork is missing is skipped."""
        ladder = self._case.record.ladder
        for step in ladder:
            if not step.open:
                continue
            needed = next((other for other in ladder if other.key == step.needs), None)
            if needed is not None and not needed.in_place and not needed.open:
                self._skip(step, f"skipped: it needs a step that was not taken ({needed.effect})")
            elif needed is not None and needed.proves and needed.state is not StepState.HELPED:
                self._skip(step, f"skipped: this was not seen to work: {needed.effect}")
            else:
                return step
        return None

    async def allowed(self, step: PlannedStep) -> bool:
        """Decide about *step* by guards, policy and people; one not allowed says why."""
        case = self._case
        guard = self._guards.against(step)
        if guard:
            self._skip(step, guard)
            return False
        if step.approved_by:
            return True
        verdict, never = await self._earned.decide(step)
        if verdict is Verdict.NEVER:
            self._skip(step, never)
            return False
        # What a person has rejected is asked again under whichever ladder, and never just done.
        if verdict is Verdict.ACT and not (step.key in case.record.rejected or step.voided):
            return True
        return await self._read(step) and await self._questions.ask(step)

    async def take(self, step: PlannedStep, stopped: Callable[[], bool]) -> bool:
        """Make the change, unless *stopped*; tell whether it is, or may be, in place."""
        leave, reason = await self._leases.take(step)
        if leave is Leave.FROZEN:
            step.approved_by = ""
        elif leave is Leave.NO:
            self._skip(step, f"skipped: {reason}")
        elif leave is Leave.LATER:
            self._wait_for_turn(step, reason)
        if leave is not Leave.GO:
            return False
        changed = await self._make(step, stopped)
        await self._leases.give_back(step, changed=changed)
        return step.state in (StepState.DONE, StepState.UNCERTAIN)

    def _wait_for_turn(self, step: PlannedStep, reason: str) -> None:
        """Leave *step* planned while another incident changes the same, for some minutes."""
        case = self._case
        if step.read_failed_at is None:
            step.read_failed_at = case.now
            case.note("step", f"waits its turn, {reason}: {step.effect}", tell=True)
        elif case.now - step.read_failed_at >= case.policy.seconds(_GIVE_UP_READING):
            step.state, step.said = StepState.FAILED, f"not done: {reason}"
            case.note("problem", f"{step.effect}: {step.said}", tell=True)

    async def _make(self, step: PlannedStep, stopped: Callable[[], bool]) -> bool:
        """Make the change, unless *stopped*; tell whether anything was not as ordered already."""
        case = self._case
        shown = step.before if step.approved_by else None
        if not await self._read(step) or not await self._binding.holds(step, shown):
            return False
        if stopped():
            return False
        step.state, step.started_at = StepState.RUNNING, case.now
        self._guards.count_restart(step)
        case.enter(Phase.MITIGATING, step.effect)
        case.changed(root=True)
        # Not told in the thread: the root message shows it as being done, and soon how it went.
        case.note("step", f"{step.effect}: {step.why}")
        try:
            done = await self._change(step.activity, step, step.effect)
        except ActivityError as error:
            step.ended_at = case.now
            self._failed(step, error)
            self._guards.uncount_restart(step, error)
            began(case, step)
            return True
        step.state, step.said, step.ended_at = StepState.DONE, done.said, case.now
        case.note("step", done.said, tell=True)
        began(case, step)
        self._complete(step)
        return bool(done.changed)

    def _complete(self, step: PlannedStep) -> None:
        """Make *step* and the one it completes one change, undone to what stood before both."""
        for first in self._completed(step):
            step.before, first.undo = first.before, False

    def _completed(self, step: PlannedStep) -> list[PlannedStep]:
        steps = self._case.record.steps if step.completes else []
        return [each for each in steps if each.key == step.completes and each.in_place]

    async def undo(self, step: PlannedStep) -> bool:
        """Put back what was there before *step*; tell whether it was."""
        case = self._case
        case.enter(Phase.UNDOING, f"Undo: {step.effect}")
        leave, reason = await self._leases.take(step, undo=True)
        if leave is Leave.KEPT:
            step.state, step.undone_at = StepState.UNDONE, case.now
            step.said = f"left in place: {reason} holds it too, and undoes it in the end"
            case.note("step", f"{step.effect}: {step.said}", tell=True)
            return True
        if leave is Leave.LEFT:
            step.left = f"{reason} held it too, is over, and has left it to people"
            case.record.findings.append(f"still in place: {step.effect} ({step.left})")
            case.note("step", f"{step.effect}: left in place, {step.left}", tell=True)
            return False
        if leave is not Leave.GO:
            if leave is not Leave.FROZEN:
                case.note("step", f"its undo waits its turn, {reason}: {step.effect}", tell=True)
            return False
        counted = len(step.restarted_at)
        undone = await self._put_back_what_was(step)
        maybe = len(step.restarted_at) > counted
        await self._leases.give_back(step, undo=True, maybe=maybe)
        return undone

    async def _put_back_what_was(self, step: PlannedStep) -> bool:
        case = self._case
        self._guards.count_restart(step)
        case.changing = step.key
        try:
            done = await self._change(step.activity + UNDO, step, f"Undo: {step.effect}")
        except ActivityError as error:
            if kind_of(error) == _UNWELL:
                step.state, step.undone_at = StepState.UNDONE, case.now
                step.said = f"undone, but not well: {why(error)}"
                case.note("problem", f"{step.effect}: {step.said}", tell=True)
                return True
            self._guards.uncount_restart(step, error)
            step.undo_tries += 1
            reason = f"could not be undone: {step.effect}: {why(error)}"
            case.note("problem", reason, tell=True)
            if kind_of(error) in _FINAL or step.undo_tries >= _MOST_UNDO_TRIES:
                step.left = why(error)
                case.record.findings.append(f"still in place: {step.effect} ({step.left})")
                case.call(f"please undo it by hand, it {reason}")
            return False
        finally:
            case.changing = ""
        step.state, step.undone_at = StepState.UNDONE, case.now
        for first in self._completed(step):
            # Without a time of its own: it is not put back by itself.
            first.state = StepState.UNDONE
        case.note("step", f"undone: {done.said}", tell=True)
        return True

    async def stage(self, step: PlannedStep, share: float) -> bool:
        """Give a share of *step* back, or with 0 take all of it again; tell whether it was done."""
        case, said = self._case, f"{step.effect}: let {share:.0%} through"
        case.enter(Phase.UNDOING, said)
        case.changing = step.key
        try:
            staged = await self._change(step.activity + STAGE, step, said, share, answer=Staged)
        except ActivityError as error:
            if kind_of(error) == "Gone":
                ended(case, step, why(error))
                return False
            case.note("problem", f"not done: {said}: {why(error)}", tell=True)
            return False
        finally:
            case.changing = ""
        if (step.share, step.given_back) != (share, staged.share):
            case.note("step", staged.said, tell=True)
        step.share, step.given_back = share, staged.share
        return True

    async def put_back(self, step: PlannedStep, stopped: Callable[[], bool]) -> bool:
        """Apply *step* once more, because the alert came back after its undo."""
        case, before = self._case, step.before
        if step.restarts and len(self._guards.restarts(step)) >= case.policy.restarts_of_a_target:
            said = f"not put back: {step.target} was restarted as often as may be: {step.effect}"
            case.note("step", said, tell=True)
            return False
        step.put_back, step.before, step.read_failed_at = True, None, None
        case.note("step", f"the alert came back: {step.effect} is put back once", tell=True)
        while not (taken := await self.take(step, stopped)) and step.read_failed_at:
            if stopped() or step.state is not StepState.UNDONE:
                break
            await until(stopped, case.after(_TURN_AGAIN), f"Its turn to be put back: {step.effect}")
        if not taken and stopped():
            step.put_back, step.before, step.state = False, before, StepState.UNDONE
        return taken

    async def _read(self, step: PlannedStep) -> bool:
        try:
            step.before = await workflow.execute_activity(
                step.activity + READ,
                step.order,
                **said(READING, f"What is there before: {step.effect}"),
            )
        except ActivityError as error:
            if not self._may_pass(step, error):
                self._failed(step, error, changed=False)
            return False
        step.read_failed_at = None
        return True

    def _may_pass(self, step: PlannedStep, error: ActivityError) -> bool:
        """Leave *step* planned while what stands in its way may pass, for some minutes."""
        case = self._case
        if kind_of(error) not in _MAY_PASS or step.state is StepState.UNDONE:
            return False
        if step.read_failed_at is None:
            step.read_failed_at = case.now
            reason = f"no step can be taken now: {why(error)}"
            case.note("problem", f"{reason}. Tried again each minute", tell=True)
            case.call(reason)
        patience = case.policy.seconds(_GIVE_UP_READING)
        step.state = StepState.PLANNED
        return case.now - step.read_failed_at < patience

    async def _change(
        self,
        activity: str,
        step: PlannedStep,
        summary: str,
        *more: float,
        answer: type[Answer] = Done,
    ) -> Any:
        seconds = timedelta(seconds=step.apply_seconds)
        effort: workflow.ActivityConfig = {
            **said(CHANGE, summary),
            "start_to_close_timeout": seconds,
            "schedule_to_close_timeout": 4 * seconds,
        }
        return await workflow.execute_activity(
            activity, args=[step.order, step.before, *more], result_type=answer, **effort
        )

    def _failed(self, step: PlannedStep, error: ActivityError, *, changed: bool = True) -> None:
        uncertain = changed and not surely_nothing(error)
        step.state = StepState.UNCERTAIN if uncertain else StepState.FAILED
        words = "it is not known whether this was done" if uncertain else "not done"
        if uncertain and kind_of(error) == _UNWELL:
            words = "done, but not as wanted"
        step.said = f"{words}: {why(error)}"
        case = self._case
        known = any(s is not step and s.said.endswith(why(error)) for s in case.record.steps)
        case.note("problem", f"{step.effect}: {step.said}", tell=True)
        if kind_of(error) == "NoWorker" and not known and step.read_failed_at is None:
            case.call("no worker takes up changes: nothing can be repaired automatically")

    def _skip(self, step: PlannedStep, reason: str) -> None:
        step.state, step.said = StepState.SKIPPED, reason
        self._case.note("step", f"{step.effect}: {reason}", tell=True)
