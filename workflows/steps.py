"""Carrying out one step: guards, the question to people, the change in two recorded halves, and
its undo.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.changes import READ, UNDO
from activities.people import Question
from activities.record import Phase, PlannedStep, StepState
from activities.words import Done, Urgency
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.efforts import CHANGE, said
from workflows.efforts import READ as READING
from workflows.glance import clock
from workflows.hands import EXPIRED
from workflows.policy import Verdict

_SURE_NOTHING_HAPPENED = frozenset({"Refused", "NotConfigured", "NoWorker"})
"""Failures after which nothing was changed. Everything else may have got through, in this
attempt or in an earlier
one: a timeout is not a refusal."""


class Steps:
    """Takes steps of the ladder, one at a time."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def next(self) -> PlannedStep | None:
        """Find the next step that is still ahead, leaving out those whose groundwork was not
        laid.
        """
        ladder = self._case.record.ladder
        for step in ladder:
            if not step.open:
                continue
            needed = next((other for other in ladder if other.key == step.needs), None)
            if needed is not None and not needed.in_place and not needed.open:
                self._skip(step, f"skipped: it needs a step that was not taken ({needed.effect})")
                continue
            return step
        return None

    async def allowed(self, step: PlannedStep) -> bool:
        """Decide about *step* by guards, policy and people; a step that is not allowed is
        skipped and says why.
        """
        case = self._case
        guard = self._guard(step)
        if guard:
            self._skip(step, guard)
            return False
        if step.approved_by:
            return True
        verdict = case.policy.decide(step, case.record.severity)
        if verdict is Verdict.NEVER:
            self._skip(step, "observe mode: I would have done this")
            return False
        if verdict is Verdict.ACT:
            return True
        return await self._read(step) and await self._ask(step)

    async def take(self, step: PlannedStep) -> bool:
        """Make the change; tell whether it is, or may be, in place."""
        case = self._case
        if step.before is None and not await self._read(step):
            return False
        step.state, step.started_at = StepState.RUNNING, case.now
        case.enter(Phase.MITIGATING, step.effect)
        case.note("step", f"{step.effect}: {step.why}", tell=True)
        try:
            done = await self._change(step.activity, step, step.effect)
        except ActivityError as error:
            step.ended_at = case.now
            self._failed(step, error)
            return step.state is StepState.UNCERTAIN
        step.state, step.said, step.ended_at = StepState.DONE, done.said, case.now
        case.note("step", done.said, tell=True)
        return True

    async def undo(self, step: PlannedStep) -> bool:
        """Put back what was there before *step*; tell whether it was."""
        case = self._case
        case.enter(Phase.UNDOING, f"Undo: {step.effect}")
        try:
            done = await self._change(step.activity + UNDO, step, f"Undo: {step.effect}")
        except ActivityError as error:
            case.note("problem", f"could not be undone: {step.effect}: {why(error)}", tell=True)
            return False
        step.state = StepState.UNDONE
        case.note("step", f"undone: {done.said}", tell=True)
        return True

    async def put_back(self, step: PlannedStep) -> None:
        """Apply *step* once more, because the alert came back after its undo."""
        step.put_back = True
        self._case.note("step", f"the alert came back: {step.effect} is put back once", tell=True)
        step.before = None
        await self.take(step)

    async def _read(self, step: PlannedStep) -> bool:
        try:
            step.before = await workflow.execute_activity(
                step.activity + READ,
                step.order,
                **said(READING, f"What is there before: {step.effect}"),
            )
        except ActivityError as error:
            self._failed(step, error, changed=False)
            return False
        return True

    async def _change(self, activity: str, step: PlannedStep, summary: str) -> Done:
        seconds = timedelta(seconds=step.apply_seconds)
        effort: workflow.ActivityConfig = {
            **said(CHANGE, summary),
            "start_to_close_timeout": seconds,
            "schedule_to_close_timeout": 4 * seconds,
        }
        done: Done = await workflow.execute_activity(
            activity, args=[step.order, step.before], result_type=Done, **effort
        )
        return done

    def _failed(self, step: PlannedStep, error: ActivityError, *, changed: bool = True) -> None:
        kind = kind_of(error)
        uncertain = changed and kind not in _SURE_NOTHING_HAPPENED
        step.state = StepState.UNCERTAIN if uncertain else StepState.FAILED
        step.said = (
            f"{'it is not known whether this was done' if uncertain else 'not done'}: {why(error)}"
        )
        self._case.note("problem", f"{step.effect}: {step.said}", tell=True)
        if kind == "NoWorker":
            self._case.page(
                Urgency.HIGH, "no worker takes up changes: nothing can be repaired automatically"
            )

    def _skip(self, step: PlannedStep, reason: str) -> None:
        step.state, step.said = StepState.SKIPPED, reason
        self._case.note("step", f"{step.effect}: {reason}", tell=True)

    def _guard(self, step: PlannedStep) -> str:
        """Say what forbids *step* now (PROCEDURES, "Guards over all procedures")."""
        case, policy = self._case, self._case.policy
        taken = [
            s
            for s in case.record.steps
            if s is not step and s.target == step.target and s.started_at
        ]
        cool = case.now - policy.seconds(policy.cool_down_seconds)
        if any(s.key == step.key and s.started_at and s.started_at > cool for s in taken):
            return "skipped: it was done on this target a moment ago"
        since = case.now - policy.seconds(policy.restarts_within_seconds)
        restarts = sum(1 for s in taken if s.restarts and s.started_at and s.started_at > since)
        if step.restarts and restarts >= policy.restarts_of_a_target:
            return f"skipped: {step.target} was restarted {restarts} times already"
        return ""

    async def _ask(self, step: PlannedStep) -> bool:
        """Ask people, and wait for their word as long as the severity's policy says."""
        case, record, patience = (
            self._case,
            self._case.record,
            self._case.severity_policy.question_seconds,
        )
        together = [s for s in record.ladder if s.approved_with == step.key and s.open]
        text = ", then ".join(s.effect for s in (step, *together))
        details = list(dict.fromkeys(line for s in (step, *together) for line in s.details))
        question = Question(
            id=_digest([step.order, step.before, text, details, len(record.questions)]),
            step=step.key,
            text=text,
            details=details,
            risk=max((s.risk for s in (step, *together)), key=list(type(step.risk)).index),
            asked_at=case.now,
            next_level_at=case.after(patience),
            expires_at=case.after(2 * patience),
            asked_level=case.level_name(0),
        )
        record.question, step.state = question, StepState.ASKED
        record.asks = f"May I? {text} ({question.risk.value})"
        case.enter(Phase.ASKING, "waits for Approve or Reject", question.expires_at)
        approvers = ", ".join(case.policy.approvers(question.risk)) or "nobody in the settings"
        case.note("question", f"asked: {text} ({question.risk.value}). May answer: {approvers}")
        case.tell(
            f"May I? {text}",
            *details,
            f"Risk: {question.risk.value}. Why: {step.why}",
            f"May answer: {approvers}, until {clock(question.expires_at)}; silence means no.",
            f"responder approve {record.id} · responder reject {record.id}",
        )
        case.page(case.severity_policy.page or Urgency.LOW, f"a decision is needed: {text}")
        if not await until(
            self._answered, question.next_level_at, "A question waits for an answer"
        ):
            self._ask_next_level(question)
            await until(self._answered, question.expires_at, "A question waits for the next level")
        return self._settle(step, question, [step, *together])

    def _answered(self) -> bool:
        record = self._case.record
        return (
            record.question is None
            or bool(record.question.answer)
            or bool(record.people.taken_over_by)
            or record.resolution is not None
        )

    def _ask_next_level(self, question: Question) -> None:
        case = self._case
        question.next_level_asked = True
        if case.record.people.only_on_call:
            return
        level = min(case.record.people.level + 1, len(case.severity_policy.levels))
        question.asked_level = case.level_name(level)
        case.note("escalation", f"nobody answered: {question.asked_level} is asked")
        case.page(Urgency.HIGH, f"a decision is needed: {question.text}", level=level)

    def _settle(self, step: PlannedStep, question: Question, covered: list[PlannedStep]) -> bool:
        case, record = self._case, self._case.record
        record.question, record.asks = None, ""
        record.questions.append(question)
        if question.answer == "approved":
            for one in covered:
                one.approved_by = question.by
            return True
        if question.answer == "rejected":
            for one in covered:
                self._skip(one, f"rejected by {question.by}")
            return False
        question.answer = EXPIRED
        if record.people.taken_over_by or record.resolution is not None:
            step.state = StepState.PLANNED
            return False
        for one in covered:
            self._skip(one, "nobody answered: skipped")
        return False


def _digest(shown: list[Any]) -> str:
    return hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()[:12]
