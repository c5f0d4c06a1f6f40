"""The response: one phase after another, every one of them resumable from the record alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.outbox import Channel
from activities.record import Phase, PlannedStep, Record, Resolution, StepState
from activities.report import Reports, WriteReport
from activities.verification import Outcome
from activities.words import Severity, Urgency
from workflows.case import Case, why
from workflows.deadlines import until
from workflows.efforts import DOCUMENT, said
from workflows.investigation import Investigation
from workflows.reconciliation import Reconciliation
from workflows.steps import Steps
from workflows.watching import Watcher, chart


class Response:
    """Page, assess, investigate, mitigate, verify, settle, undo, settle, document."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._record = case.record
        self._investigation = Investigation(case)
        self._reconciliation = Reconciliation(case)
        self._steps = Steps(case)
        self._watcher = Watcher(case)
        self._phases: dict[Phase, Callable[[], Awaitable[None]]] = {
            Phase.OPENING: self._open,
            Phase.INVESTIGATING: self._investigate,
            Phase.MITIGATING: self._mitigate,
            Phase.ASKING: self._mitigate,
            Phase.VERIFYING: self._verify,
            Phase.SETTLING: self._settle,
            Phase.UNDOING: self._undo,
            Phase.WATCHING: self._watch,
            Phase.DOCUMENTING: self._document,
        }

    async def run(self) -> None:
        """Go on from wherever the record stands until it is resolved, or a quiet point is asked
        for.
        """
        while self._record.phase is not Phase.RESOLVED:
            if self._record.resolution is not None:
                self._case.enter(Phase.DOCUMENTING, "write the report")
            await self._phases[self._record.phase]()
            if self._record.phase is Phase.WATCHING and self._case.too_long():
                return

    # Opening

    async def _open(self) -> None:
        case, record = self._case, self._record
        if not await self._worth_waking():
            return
        urgency = case.severity_policy.page
        if urgency is not None:
            case.page(urgency, record.title if not record.recurrence else f"{record.title} is back")
        case.enter(Phase.INVESTIGATING, "look at the evidence")
        # A regular activity: it ends this workflow task, and with it the page is on its way
        # before anything is asked.
        await self._reconciliation.compare()

    async def _worth_waking(self) -> bool:
        """Re-check an alert that is older than its interval before anybody is woken."""
        case, record = self._case, self._record
        age = (case.now - record.starts_at).total_seconds()
        # Ages are of real life, whatever the pace: startsAt comes from outside.
        if age <= case.severity_policy.escalate_seconds or record.recurrence:
            return True
        states = record.firing[:3]
        holds = [await self._reconciliation.holds(state) for state in states]
        if all(held is False for held in holds):
            self._resolve(
                "stale", "the alert was old when it came, and its expression is no longer true"
            )
            return False
        if not any(holds):
            record.people.only_on_call = True
            case.note("alert", "the alert is old and cannot be checked: on-call only")
        return True

    # Investigating

    async def _investigate(self) -> None:
        case, record = self._case, self._record
        case.enter(Phase.INVESTIGATING, "look at the evidence")
        failed = await self._investigation.run()
        if record.facts is None:
            self._hand_over(record.no_procedure, page=failed)
            return
        if record.facts.severity.rank > record.severity.rank and not any(
            state.alert.severity for state in record.firing
        ):
            self._raise_severity(record.facts.severity)
        if failed:
            self._hand_over(record.no_procedure)
        else:
            case.enter(Phase.MITIGATING, "take the first step")

    def _raise_severity(self, severity: Severity) -> None:
        case = self._case
        case.set_severity(severity, "the procedure says so, and the alert has no severity")
        if case.severity_policy.page is not None:
            case.page(case.severity_policy.page, f"{severity.value} by its procedure")

    # Mitigating

    async def _mitigate(self) -> None:
        case, record = self._case, self._record
        if record.plan_again and not record.people.taken_over_by:
            case.enter(Phase.INVESTIGATING)
            return
        if record.people.taken_over_by:
            self._hand_over(f"{record.people.taken_over_by} has taken over", page=False)
            return
        if self._held():
            case.enter(Phase.MITIGATING, "on hold", record.people.hold_until)
            await until(
                lambda: self._interrupted() or not self._held(), record.people.hold_until, "On hold"
            )
            return
        step = self._steps.next()
        if step is None:
            self._hand_over(record.when_out or "no step is left")
            return
        case.enter(Phase.MITIGATING, step.effect)
        if not await self._steps.allowed(step) or self._interrupted() or self._held():
            return
        if await self._steps.take(step):
            case.enter(Phase.VERIFYING, "does it help?")

    def _held(self) -> bool:
        until_ = self._record.people.hold_until
        return until_ is not None and until_ > self._case.now

    def _interrupted(self) -> bool:
        """Something came that counts more than the next step."""
        record = self._record
        return (
            record.resolution is not None or bool(record.people.taken_over_by) or record.plan_again
        )

    # Verifying

    async def _verify(self) -> None:
        case, record, policy = self._case, self._record, self._case.policy
        step = self._last_step()
        verdict = None
        for label in ("Does it help?", "It is improving: watch on"):
            case.enter(Phase.VERIFYING, label, case.after(policy.verify_seconds))
            verdict = await self._watcher.watch(
                label, policy.verify_seconds, interrupted=self._overtaken
            )
            if verdict is None:
                case.enter(Phase.MITIGATING)
                return
            if verdict.outcome is not Outcome.IMPROVING:
                break
        picture = chart(record)
        if picture is not None:
            case.show_chart(picture)
        if verdict is not None and verdict.outcome is Outcome.RECOVERED:
            self._mark(step, StepState.HELPED)
            record.mitigated_at = record.mitigated_at or case.now
            case.tell(f"Recovered: {verdict.said}")
            case.enter(Phase.SETTLING, "settle")
        elif verdict is not None and verdict.outcome is Outcome.UNKNOWN:
            self._mark(step, StepState.UNCERTAIN)
            self._hand_over(f"whether it helped cannot be seen: {verdict.said}")
        else:
            self._mark(step, StepState.UNHELPFUL)
            case.enter(Phase.MITIGATING, "take the next step")

    def _overtaken(self) -> bool:
        return self._record.resolution is not None or self._record.plan_again

    def _last_step(self) -> PlannedStep | None:
        taken = [step for step in self._record.ladder if step.ended_at is not None]
        return max(taken, key=lambda step: step.ended_at or self._record.opened_at, default=None)

    @staticmethod
    def _mark(step: PlannedStep | None, state: StepState) -> None:
        if step is not None and step.state is StepState.DONE:
            step.state = state

    # Settling and undoing

    async def _settle(self) -> None:
        case, record, policy = self._case, self._record, self._case.policy
        record.recovered_at = record.recovered_at or case.now
        ends = case.after(policy.settle_seconds)
        case.enter(Phase.SETTLING, "close, if it stays well", ends)
        if record.facts is None:
            await until(self._unsettled, ends, "Every alert is resolved: settling")
            well, said = True, "every alert is resolved"
        else:
            verdict = await self._watcher.watch(
                "Settling", policy.settle_seconds, hold=True, interrupted=self._unsettled
            )
            well = verdict is not None and verdict.outcome is Outcome.RECOVERED
            said = verdict.said if verdict else "it fires again"
            if verdict is not None and verdict.outcome is Outcome.UNKNOWN:
                self._hand_over(f"whether it stays well cannot be seen: {said}")
                return
        if record.resolution is not None:
            return
        if record.refired or not well:
            await self._relapse(said)
            return
        if record.firing:
            await self._reconciliation.compare()
        if record.firing:
            case.note("phase", f"well, but {len(record.firing)} alerts still fire: settling on")
            return
        if self._to_undo() is not None:
            case.enter(Phase.UNDOING)
            return
        self._resolve("recovered", said)

    def _unsettled(self) -> bool:
        return self._record.refired or self._record.resolution is not None

    def _to_undo(self) -> PlannedStep | None:
        """Find the newest change that should not stay; what was put back once is left to
        people.
        """
        return next((step for step in self._record.temporary if not step.put_back), None)

    async def _relapse(self, said: str) -> None:
        case, record = self._case, self._record
        record.refired = False
        record.recurrence += 1
        record.recovered_at = None
        case.note("alert", f"it came back: {said}", tell=True)
        undone = [
            step for step in record.steps if step.state is StepState.UNDONE and not step.put_back
        ]
        if not undone or record.people.taken_over_by:
            case.enter(Phase.MITIGATING, "go on where we were")
            return
        step = max(undone, key=lambda step: step.ended_at or record.opened_at)
        await self._steps.put_back(step)
        self._hand_over(
            f"without this it comes back: {step.effect}. It is in place again; please decide"
        )

    async def _undo(self) -> None:
        case, record, policy = self._case, self._record, self._case.policy
        due = self._to_undo()
        if due is None:
            case.enter(Phase.SETTLING)
            return
        if record.people.taken_over_by:
            self._hand_over(f"still in place: {due.effect}", page=False)
            return
        if not await self._steps.undo(due):
            due.undo = False
            record.findings.append(
                f"still in place, and not ours to undo now: {due.effect} ({due.said})"
            )
            return
        verdict = await self._watcher.watch(
            f"Still well without it? {due.effect}",
            policy.undo_verify_seconds,
            interrupted=self._unsettled,
        )
        if record.resolution is None and (
            verdict is None or verdict.outcome is not Outcome.RECOVERED
        ):
            await self._relapse(verdict.said if verdict else "it fires again")

    # In people's hands

    def _hand_over(self, reason: str, *, page: bool = True) -> None:
        case, record = self._case, self._record
        record.asks = f"Please take it from here: {reason}"
        case.enter(Phase.WATCHING, "watch, remind and record")
        case.note("phase", f"handed to people: {reason}")
        case.tell(f"Please take it from here: {reason}", *record.findings)
        if not page or case.severity_policy.page is None:
            return
        case.page(Urgency.HIGH, reason)
        record.clocks.escalate_at = case.after(case.policy.out_of_steps_seconds)

    async def _watch(self) -> None:
        case, record, policy = self._case, self._record, self._case.policy
        quiet = case.after(policy.quiet_seconds)
        if record.facts is not None:
            verdict = await self._watcher.watch(
                "In people's hands",
                policy.quiet_seconds,
                every_seconds=policy.watch_every_seconds,
                interrupted=self._moved_on,
            )
            recovered = verdict is not None and verdict.outcome is Outcome.RECOVERED
        else:
            await until(lambda: self._moved_on() or not record.firing, quiet, "In people's hands")
            recovered = not record.firing
        if record.resolution is not None:
            return
        if record.plan_again and not record.people.taken_over_by:
            record.asks = ""
            case.enter(Phase.INVESTIGATING)
        elif recovered and record.people.taken_over_by and record.temporary:
            await self._await_owner(quiet)
        elif recovered:
            record.asks = ""
            record.mitigated_at = record.mitigated_at or case.now
            case.note("phase", "recovered", tell=True)
            case.enter(Phase.SETTLING)
        elif self._moved_on():
            record.asks = ""
            case.enter(Phase.MITIGATING)
        else:
            await self._reconciliation.compare()

    async def _await_owner(self, quiet: datetime) -> None:
        """It is well, and what is still in place is the business of whoever took over."""
        record = self._record
        kept = "; ".join(step.effect for step in record.temporary)
        asks = f"It has recovered. Hand back and I undo what is still in place, or resolve: {kept}"
        if record.asks != asks:
            record.asks = asks
            self._case.note("phase", asks, tell=True)
        await until(self._moved_on, quiet, "Recovered, and in a person's hands")

    def _moved_on(self) -> bool:
        record = self._record
        if record.resolution is not None or self._case.pausing:
            return True
        free = not record.people.taken_over_by
        return free and (record.plan_again or any(s.open and s.approved_by for s in record.ladder))

    # Documenting

    def _resolve(self, how: str, reason: str) -> None:
        record = self._record
        record.resolution = Resolution(
            how=how,
            reason=reason,
            at=self._case.now,
            still_temporary=[step.effect for step in record.temporary],
        )

    async def _document(self) -> None:
        case, record = self._case, self._record
        resolution = record.resolution
        if resolution is None:
            case.enter(Phase.WATCHING)
            return
        record.asks = record.next_action = ""
        record.refired = False
        case.note("phase", f"{resolution.how}: {resolution.reason}", by=resolution.by)
        try:
            written = await workflow.execute_activity_method(
                Reports.write,
                WriteReport(
                    record=_without_outbox(record),
                    occasion=case.key("report"),
                ),
                **said(DOCUMENT, "Write the report"),
            )
            record.report = [
                written.html_url or written.html,
                written.markdown_url or written.markdown,
            ]
        except ActivityError as error:
            case.note("problem", f"the report could not be written: {why(error)}")
        done = [step.effect for step in record.steps if step.state is StepState.HELPED]
        case.tell(
            f"Over: {resolution.how}. {resolution.reason}",
            *(f"Done: {effect}" for effect in done),
            *(f"Still temporary: {effect}" for effect in resolution.still_temporary),
            *(f"Report: {path}" for path in record.report[:1]),
        )
        case.follow_pages("resolve")
        case.enter(Phase.RESOLVED)


def _without_outbox(record: Record) -> Record:
    """Give the record as it will stand, without the messages that are still on their way."""
    return record.model_copy(
        update={"phase": Phase.RESOLVED, "slack": Channel(), "pagerduty": Channel()}
    )
