"""The response: one phase after another, every one of them resumable from the record alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from activities.record import Phase, PlannedStep, StepState
from activities.verification import Outcome, Verdict
from activities.words import Mode, Severity
from workflows.arrival import Arrival
from workflows.case import Case
from workflows.closing import document
from workflows.deadlines import until
from workflows.earning import Earned
from workflows.explaining import Explaining
from workflows.freezing import Stillness
from workflows.handover import Handover
from workflows.hearing import until_released
from workflows.investigation import Investigation
from workflows.reconciliation import Reconciliation
from workflows.settling import Settling
from workflows.steps import Steps
from workflows.watching import Watcher, newest_chart

_TRY_AGAIN = 60.0


class Response:
    """Page, assess, investigate, mitigate, verify, settle, undo, settle, document."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._record = case.record
        self._investigation = Investigation(case)
        self._steps = Steps(case)
        self._earned = Earned(case)
        self._watcher = Watcher(case)
        reconciliation = Reconciliation(case)
        self._explaining = Explaining(case, reconciliation)
        self._handover = Handover(case, self._watcher, reconciliation)
        self._stillness = Stillness(case, self._watcher, reconciliation)
        self._settling = Settling(case, self._watcher, reconciliation, self._steps, self._handover)
        self._phases: dict[Phase, Callable[[], Awaitable[None]]] = {
            Phase.OPENING: Arrival(case, reconciliation, self._explaining).open,
            Phase.INVESTIGATING: self._investigate,
            Phase.MITIGATING: self._mitigate,
            Phase.ASKING: self._mitigate,
            Phase.VERIFYING: self._verify,
            Phase.SETTLING: self._settling.settle,
            Phase.UNDOING: self._settling.undo,
            Phase.WATCHING: self._handover.watch,
            Phase.JOINED: self._explaining.along,
            Phase.DOCUMENTING: partial(document, case),
        }

    async def run(self) -> None:
        """Go on from wherever the record stands, until it is resolved or the history is long.

        Between two phases nothing is in flight and the record says everything: a quiet point.
        """
        while self._record.phase is not Phase.RESOLVED and not self._case.too_long():
            if self._record.resolution is not None:
                self._case.enter(Phase.DOCUMENTING, "write the report")
            elif self._record.explained_by_offer:
                await self._explaining.join_offered()
            await self._phases[self._record.phase]()

    # Investigating

    async def _investigate(self) -> None:
        case, record = self._case, self._record
        case.enter(Phase.INVESTIGATING, "look at the evidence")
        record.handed_over_at = None
        failed = await self._investigation.run()
        worst = max((state.alert for state in record.firing), key=record.rank, default=None)
        severity = None if worst is None else record.severity_of(worst)
        if severity is not None and severity.rank > record.severity.rank:
            self._raise_severity(severity)
        if record.no_procedure:
            self._handover.hand_over(record.no_procedure, page=failed)
        else:
            case.enter(Phase.MITIGATING, "take the first step")

    def _raise_severity(self, severity: Severity) -> None:
        case = self._case
        case.set_severity(severity, "the procedure says so, and the alert has no severity")
        case.call_anew(f"{severity.value} by its procedure")

    # Mitigating

    async def _mitigate(self) -> None:
        case, record = self._case, self._record
        if record.plan_again and not record.people.taken_over_by:
            case.enter(Phase.INVESTIGATING, "look at the evidence")
            return
        if record.people.taken_over_by:
            self._handover.leave_to_owner()
            return
        if case.held:
            await self._keep_still()
            return
        if await self._well_already():
            case.enter(Phase.SETTLING)
            return
        step = self._steps.next()
        if step is None and record.waits and record.behind:
            await self._handover.wait(self._when_out())
            return
        if step is None:
            self._handover.hand_over(self._when_out())
            return
        case.enter(Phase.MITIGATING, step.effect)
        await self._look_whether_alone(step)
        allowed = await self._steps.allowed(step) and not self._stopped()
        if allowed and await self._steps.take(step, self._stopped):
            if step.mends:
                case.enter(Phase.VERIFYING, "does it help?")
            else:
                case.enter(Phase.MITIGATING, "take the next step")
        elif step.read_failed_at is not None:
            await self._wait_for_the_way(step)

    async def _keep_still(self) -> None:
        """Take no step, for somebody has said so: about everything, or about this incident."""
        case, record = self._case, self._record
        people = record.people
        if people.frozen:
            await self._stillness.instead_of_a_step()
            return
        case.enter(Phase.MITIGATING, f"on hold by {people.held_by}", people.hold_until)
        await until_released(case, lambda: record.resolution is not None or record.plan_again)

    async def _look_whether_alone(self, step: PlannedStep) -> None:
        """Look once, now that its turn has come, whether nobody need be asked about *step*."""
        if step.alone_if is None or step.approved_by:
            return
        verdict = await self._watcher.watch(
            "Is it so bad that nobody need be asked?",
            self._case.policy.verify_every_seconds / 2,
            condition=step.alone_if,
            good_looks=1,
            interrupted=self._stopped,
        )
        step.alone = verdict is not None and verdict.outcome is Outcome.RECOVERED

    async def _wait_for_the_way(self, step: PlannedStep) -> None:
        """Try *step* again in a while: a short outage of the way to it must not use it up."""
        case = self._case
        if step.state is StepState.FAILED and not step.mends:
            case.enter(Phase.MITIGATING, "take the next step")
            return
        if step.state is StepState.FAILED:
            self._handover.hand_over(f"{step.effect}: {step.said}")
            return
        again = case.after(_TRY_AGAIN)
        case.enter(Phase.MITIGATING, f"try again: {step.effect}", again)
        await until(self._stopped, again, "Try again to see what is there before the step")

    async def _well_already(self) -> bool:
        """Look before a step whether it is still needed, when no alert fires any more.

        Also before people are called because a new plan has no step, where one was taken before:
        the milder alert of the two fires on for a while after what has ended both.
        """
        record, policy = self._record, self._case.policy
        if record.facts is None:
            return False
        milder = self._planned_nothing_more()
        if record.firing and not milder:
            return False
        verdict = await self._watcher.watch(
            "Is a step still needed?",
            policy.verify_every_seconds * (policy.good_looks + 1),
            interrupted=lambda: self._stopped() or (bool(record.firing) and not milder),
        )
        return verdict is not None and verdict.outcome is Outcome.RECOVERED

    def _planned_nothing_more(self) -> bool:
        record = self._record
        tried = any(step.took_place for step in record.past_steps)
        empty = bool(record.firing) and not record.ladder and tried
        return empty and self._case.edition > 1

    def _when_out(self) -> str:
        said = self._record.when_out or "no step is left"
        mode = self._case.policy.mode_of(self._record.facts.name if self._record.facts else "")
        if mode is Mode.OBSERVE:
            return f"observe mode, nothing was done. {said}"
        return said

    def _stopped(self) -> bool:
        """Something came that counts more than the next step."""
        record = self._record
        return (
            record.resolution is not None
            or bool(record.people.taken_over_by)
            or record.plan_again
            or self._case.held
        )

    # Verifying

    async def _verify(self) -> None:
        case, record, policy = self._case, self._record, self._case.policy
        step = self._last_step()
        if step is not None and step.proves and step.state is StepState.DONE:
            await self._prove(step)
            return
        verdict, seconds = None, max(policy.verify_seconds, step.verify_seconds if step else 0)
        for label in ("Does it help?", "It is improving: watch on"):
            case.enter(Phase.VERIFYING, label, case.after(seconds))
            verdict = await self._watcher.watch(label, seconds, interrupted=self._overtaken)
            if verdict is None or verdict.outcome is not Outcome.IMPROVING:
                break
        if verdict is None:
            case.enter(Phase.MITIGATING)
            return
        picture = newest_chart(record)
        if picture is not None:
            case.show_chart(picture)
        self._conclude(self._last_step(), verdict)
        await self._earned.tell()

    async def _prove(self, step: PlannedStep) -> None:
        """Watch whether *step* works as far as it goes; then the next one is due."""
        case, seconds = self._case, self._case.policy.verify_seconds
        case.enter(Phase.VERIFYING, "does it work, as far as it goes?", case.after(seconds))
        verdict = await self._watcher.watch(
            f"Does it work, as far as it goes? {step.effect}",
            seconds,
            condition=step.proves,
            interrupted=self._overtaken,
        )
        if verdict is not None:
            proven = verdict.outcome is Outcome.RECOVERED
            self._mark(step, StepState.HELPED if proven else StepState.UNHELPFUL)
            await self._earned.tell()
        case.enter(Phase.MITIGATING, "take the next step")

    def _conclude(self, step: PlannedStep | None, verdict: Verdict) -> None:
        case, record = self._case, self._record
        if verdict.outcome is Outcome.RECOVERED:
            self._mark(step, StepState.HELPED)
            record.mitigated_at = record.mitigated_at or case.now
            case.tell(f"Recovered: {verdict.said}")
            case.enter(Phase.SETTLING, "settle")
        elif verdict.outcome is Outcome.UNKNOWN:
            self._mark(step, StepState.UNCERTAIN)
            self._handover.hand_over(f"whether it helped cannot be seen: {verdict.said}")
        else:
            self._mark(step, StepState.UNHELPFUL)
            case.enter(Phase.MITIGATING, "take the next step")

    def _overtaken(self) -> bool:
        """It got worse than what the ladder is for; anything milder can wait for the verdict."""
        record = self._record
        worse = record.facts is not None and record.severity.rank > record.facts.severity.rank
        return record.resolution is not None or (self._case.outplanned and worse)

    def _last_step(self) -> PlannedStep | None:
        taken = [step for step in self._record.ladder if step.ended_at is not None]
        return max(taken, key=lambda step: step.ended_at or self._record.opened_at, default=None)

    @staticmethod
    def _mark(step: PlannedStep | None, state: StepState) -> None:
        if step is not None and step.state is StepState.DONE:
            step.state = state
