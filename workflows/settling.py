"""Settling, undoing what was temporary, and what to do when the alert comes back meanwhile."""

from __future__ import annotations

from activities.record import Phase, PlannedStep, StepState
from activities.verification import Outcome, Verdict
from workflows.case import Case
from workflows.closing import resolve
from workflows.deadlines import until
from workflows.freezing import Stillness
from workflows.handover import ROUNDS, Handover
from workflows.hearing import until_released
from workflows.reconciliation import Reconciliation
from workflows.staging import Staging
from workflows.steps import Steps
from workflows.watching import Watcher

_LONGEST_IN_PLACE = 24 * 3600.0
"""After which what waits for its undo is for people to make permanent."""
_WAIT_AT_ONCE = 3600.0
"""Waited beyond the hold time before the incident comes to a quiet point again."""
_LOOKS = 20


class Settling:
    """Closes only after a full settling time, once more after everything was undone."""

    def __init__(
        self,
        case: Case,
        watcher: Watcher,
        reconciliation: Reconciliation,
        steps: Steps,
        handover: Handover,
    ) -> None:
        self._case = case
        self._record = case.record
        self._watcher = watcher
        self._reconciliation = reconciliation
        self._steps = steps
        self._handover = handover
        self._stillness = Stillness(case, watcher, reconciliation)
        self._staging = Staging(case, steps, watcher, handover)

    async def settle(self) -> None:
        """Watch whether it stays well; then undo, or close."""
        case, record = self._case, self._record
        record.recovered_at = record.recovered_at or case.now
        seconds = case.policy.settling_seconds(record)
        ends = case.after(seconds)
        case.enter(Phase.SETTLING, "close, if it stays well", ends)
        if record.facts is None:
            await until(self._unsettled, ends, "Every alert is resolved: settling")
            outcome, said = Outcome.RECOVERED, "every alert is resolved"
        else:
            verdict = await self._watcher.watch(
                "Settling", seconds, hold=True, interrupted=self._unsettled
            )
            outcome = verdict.outcome if verdict else Outcome.NOT_RECOVERED
            said = verdict.said if verdict else "it fires again"
        listed = None
        if not self._unsettled() and outcome is Outcome.RECOVERED:
            # A resolve may have overtaken its firing: nothing closes on our word alone.
            listed = await self._reconciliation.compare()
            self._reconciliation.drop_missing()
        if record.resolution is not None:
            return
        if record.explained_by and (record.refired or outcome is not Outcome.RECOVERED):
            # It is not well, as long as its cause is not: for that it takes no step of its own.
            record.refired = False
            case.enter(Phase.JOINED)
            return
        if record.refired or (outcome is Outcome.NOT_RECOVERED and not case.outplanned):
            await self._relapse(said)
        elif case.outplanned:
            record.recovered_at = None
            case.enter(Phase.MITIGATING)
        elif outcome is Outcome.UNKNOWN:
            self._handover.hand_over(f"whether it stays well cannot be seen: {said}")
        else:
            self._settled(said, self._reconciliation.in_the_way(listed))

    def _settled(self, said: str, in_the_way: str) -> None:
        case, record = self._case, self._record
        due = self._to_undo()
        # What fires while users are kept away says nothing, and must not keep them away for ever.
        if in_the_way and not (due is not None and due.blinds):
            record.settled_rounds += 1
            if record.settled_rounds >= ROUNDS and not self._lagging:
                self._handover.hand_over(
                    f"it is well by its condition, but {in_the_way}", well=True
                )
            else:
                case.note("phase", f"well, but {in_the_way}: settling on")
            return
        record.settled_rounds = 0
        if due is not None:
            case.enter(Phase.UNDOING)
        elif record.temporary:
            kept = "; ".join(step.effect for step in record.temporary)
            self._handover.hand_over(f"it is well, and still in place is: {kept}", page=False)
        else:
            resolve(case, "explained" if record.explained_by else "recovered", said)

    @property
    def _lagging(self) -> bool:
        """Whether the alert may still look back at what is over."""
        record, policy = self._record, self._case.policy
        if record.facts is None or record.recovered_at is None:
            return False
        lag = policy.seconds(record.facts.alert_lags_seconds)
        return self._case.now < record.recovered_at + lag

    def _unsettled(self) -> bool:
        return self._alarmed() or self._case.outplanned

    def _alarmed(self) -> bool:
        return self._record.refired or self._record.resolution is not None

    def _to_undo(self) -> PlannedStep | None:
        """Find the newest change that should not stay; some are left to people."""
        ours = (step for step in self._record.temporary if not (step.put_back or step.left))
        return next(ours, None)

    async def undo(self) -> None:
        """Undo the newest temporary change, and look whether it stays well without it."""
        case, record = self._case, self._record
        due = self._to_undo()
        if due is None:
            case.enter(Phase.SETTLING)
            return
        if record.people.taken_over_by:
            self._handover.hand_over(f"still in place: {due.effect}", page=False)
            return
        if record.refired:
            await self._relapse("it fires again")
            return
        if not (await self._may_undo(due) and await self._staging.give_back(due, self._alarmed)):
            return
        if not await self._steps.undo(due):
            if record.resolution is None and not record.people.frozen:
                case.enter(Phase.SETTLING)
            return
        verdict = await self._well_without(due)
        if record.resolution is not None:
            return
        if record.refired:
            await self._relapse("it fires again")
        elif verdict is not None:
            await self._judge(due, verdict)

    async def _may_undo(self, due: PlannedStep) -> bool:
        """Wait for a hold to end, and for what *due* turned away from to be well for long."""
        case, policy, hold = self._case, self._case.policy, due.undo_hold_seconds
        if case.record.people.frozen:
            await self._stillness.instead_of_an_undo(due.effect, self._alarmed)
            return False
        if case.held:
            people = self._record.people
            case.enter(Phase.UNDOING, f"on hold by {people.held_by}", people.hold_until)
            await until_released(case, self._alarmed)
            return False
        if due.undo_when is None:
            return True
        if due.ended_at and case.now > due.ended_at + policy.seconds(_LONGEST_IN_PLACE):
            due.left = "what it turned away from has not become well for a day"
            said = f"{due.left}: {due.effect}. Make it permanent, or undo it by hand"
            self._handover.hand_over(said, page=False)
            return False
        # It is well, and waiting for hours wakes nobody; what comes back does so anew.
        clocks = self._record.clocks
        clocks.escalate_at = clocks.urgent_at = clocks.renew_at = None
        every = max(policy.verify_every_seconds, hold / _LOOKS)
        case.enter(Phase.UNDOING, f"undo, once it is well to go back: {due.effect}")
        verdict = await self._watcher.watch(
            f"Is it well to go back? {due.effect}",
            hold + _WAIT_AT_ONCE,
            every_seconds=every,
            condition=due.undo_when,
            good_looks=max(policy.good_looks, round(hold / every) + 1),
            interrupted=lambda: (
                self._alarmed() or case.held or bool(self._record.people.taken_over_by)
            ),
        )
        if verdict is None:
            return False
        if not verdict.samples:
            # A watch that fails at once must not be tried again at once, for hours.
            again = case.after(policy.quiet_seconds)
            await until(self._alarmed, again, "Whether it is well to go back cannot be seen")
        return verdict.outcome is Outcome.RECOVERED

    async def _judge(self, undone: PlannedStep, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.NOT_RECOVERED:
            await self._relapse(verdict.said, seen=True)
        elif verdict.outcome is Outcome.UNKNOWN:
            said = f"whether it is well without this cannot be seen: {undone.effect}"
            self._handover.hand_over(said)
        elif verdict.outcome is Outcome.IMPROVING:
            self._case.enter(Phase.SETTLING, "nothing more is undone before it is well")

    async def _well_without(self, step: PlannedStep) -> Verdict | None:
        """Watch what becomes of it without *step*; where it is improving, once more as long."""
        verdict = None
        for label in ("Still well without it?", "It is improving without it: watch on."):
            verdict = await self._watcher.watch(
                f"{label} {step.effect}",
                self._case.policy.undo_verify_seconds,
                interrupted=self._alarmed,
            )
            if verdict is None or verdict.outcome is not Outcome.IMPROVING:
                break
        return verdict

    async def _back_indeed(self) -> bool:
        """Look for some moments whether it has come back, whatever fires."""
        case, record, policy = self._case, self._record, self._case.policy
        seconds = policy.verify_every_seconds * policy.good_looks
        case.enter(record.phase, "look whether it has come back", case.after(seconds))
        verdict = await self._watcher.watch("Has it come back?", seconds, interrupted=self._left)
        if verdict is None or verdict.outcome in (Outcome.NOT_RECOVERED, Outcome.IMPROVING):
            return True
        if verdict.outcome is Outcome.UNKNOWN:
            self._handover.hand_over(f"whether it came back cannot be seen: {verdict.said}")
            return False
        case.note("phase", "it is well all the same: settling anew", tell=True)
        case.enter(Phase.SETTLING)
        return False

    def _left(self) -> bool:
        record = self._record
        taken = bool(record.people.taken_over_by)
        return record.resolution is not None or taken or self._case.outplanned

    async def _relapse(self, said: str, *, seen: bool = False) -> None:
        """Go on where we were, if it has come back indeed; *seen* that it has, over a window."""
        case, record = self._case, self._record
        record.refired, record.settled_rounds = False, 0
        record.recurrence += 1
        case.note("alert", f"it came back: {said}", tell=True)
        if not seen and not await self._back_indeed():
            return
        settled_at, record.recovered_at = record.recovered_at, None
        undone = [
            (step.undone_at, step)
            for step in record.steps
            if step.state is StepState.UNDONE
            and not step.put_back
            and step.undone_at
            and (settled_at is None or step.undone_at >= settled_at)
        ]
        case.enter(Phase.MITIGATING, "go on where we were")
        taken = False
        while not taken:
            frozen = record.people.frozen
            while case.held and not self._left():
                await until_released(case, self._left)
            # Nothing was measured meanwhile, and people have worked on it.
            if frozen and not self._left() and not await self._back_indeed():
                return
            if not undone or self._left():
                return
            _, step = max(undone, key=lambda pair: pair[0])
            taken = await self._steps.put_back(step, self._stopped)
            if not self._stopped():
                break
        if taken:
            said = f"without this it comes back: {step.effect}. It is in place again"
        else:
            said = f"without this it came back, and it could not be put back: {step.effect}"
        self._handover.hand_over(f"{said}; please decide")

    def _stopped(self) -> bool:
        record = self._record
        return record.resolution is not None or bool(record.people.taken_over_by) or self._case.held
