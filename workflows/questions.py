"""Questions to people: one at a time, bound to what was shown, never answered twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from activities.changes import differences
from activities.people import Question
from activities.record import Phase, PlannedStep, StepState
from activities.verification import Outcome
from activities.words import Urgency
from workflows.answering import APPROVED, EXPIRED, REJECTED, UNANSWERED, void
from workflows.case import Case
from workflows.deadlines import until
from workflows.proposal import deciders, post, propose, revise
from workflows.watching import Watcher

_MOST_QUESTIONS = 50
_MOST_VOID = 3
"""Times that a step's approval may be void before it is left to people."""
_MOST_DIFFERENCES = 4


class Questions:
    """Asks about steps, and closes what was asked."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._record = case.record
        self._watcher = Watcher(case)
        self._well = self._asked = False
        """Of the open question: that it recovered meanwhile, and that it is not open any more."""

    async def ask(self, step: PlannedStep) -> bool:
        """Ask people about *step*, as long as the severity's policy says; tell whether they agreed.

        A hold moves the deadlines, so each is looked at again when its timer ends.
        """
        together = [s for s in self._record.ladder if s.approved_with == step.key and s.open]
        covered = [step, *together]
        question = propose(self._case, step, covered)
        if nobody := self._nobody(question):
            self._record.findings.append(f"{step.effect}: {nobody}")
            self._skip(covered, nobody)
            return False
        self._put(question, step)
        over = self._over(question, firing=bool(self._record.firing))
        async with self._looking(over):
            await self._until(
                over, lambda: question.next_level_at, "A question waits for an answer"
            )
            if not over():
                self._ask_next_level(question)
                await self._until(
                    over, lambda: question.expires_at, "A question waits for the next level"
                )
            expired = not over()
        return self._close(question, covered, expired=expired)

    @asynccontextmanager
    async def _looking(self, over: Callable[[], bool]) -> AsyncIterator[None]:
        """Look meanwhile whether it recovers, where no alert fires whose end would say so."""
        self._well = self._asked = False
        if self._record.firing or self._record.facts is None:
            yield
            return
        looking = asyncio.create_task(self._look(lambda: over() or self._asked))
        try:
            yield
        finally:
            self._asked = True
            await looking

    async def _look(self, over: Callable[[], bool]) -> None:
        case, policy = self._case, self._case.policy
        while not over():
            again = case.after(policy.quiet_seconds)
            verdict = await self._watcher.watch(
                "Is it still needed?",
                policy.quiet_seconds,
                every_seconds=policy.watch_every_seconds,
                interrupted=over,
            )
            self._well = verdict is not None and verdict.outcome is Outcome.RECOVERED
            if verdict is None or not verdict.samples:
                # A watch that fails at once must not be tried again at once, for hours.
                await until(over, again, "Asked, and nothing can be seen")

    def _nobody(self, question: Question) -> str:
        """Say that too few people may approve *question* for it to be asked; empty if enough."""
        may, risk = deciders(self._case.policy, question), question.risk.value
        if not may:
            other = self._case.policy.approvers(question.risk)
            but = f" but {question.requested_by}, who has asked for it," if other else ""
            return f"skipped: nobody in the settings{but} may approve {risk} steps"
        if len(may) < question.needed and "*" not in may:
            return f"skipped: two people must approve it, and only {may[0]} may"
        return ""

    def postpone(self, hold: datetime) -> None:
        """Move the deadlines of the open question behind *hold*: somebody is there."""
        question = self._record.question
        if question is not None and not question.answer:
            patience = question.expires_at - question.next_level_at
            question.next_level_at = max(question.next_level_at, hold)
            question.expires_at = max(question.expires_at, question.next_level_at + patience)

    def _put(self, question: Question, step: PlannedStep) -> None:
        case, record = self._case, self._record
        record.question, step.state = question, StepState.ASKED
        record.asks = f"May I? {question.text} ({question.risk.value})"
        case.enter(Phase.ASKING, "waits for Approve or Reject", question.expires_at)
        may = ", ".join(deciders(case.policy, question))
        case.note("question", f"asked: {question.text} ({question.risk.value}). May answer: {may}")
        post(case, question)
        case.page(
            case.severity_policy.page or Urgency.LOW, f"a decision is needed: {question.text}"
        )

    def _over(self, question: Question, *, firing: bool) -> Callable[[], bool]:
        record = self._record
        return lambda: (
            bool(question.answer)
            or bool(record.people.taken_over_by)
            or record.resolution is not None
            or record.plan_again
            or record.people.frozen
            # Withdrawn: what was asked for may not be needed any more.
            or (firing and not record.firing)
            or self._well
        )

    async def _until(self, over: Callable[[], bool], due: Callable[[], datetime], why: str) -> None:
        while not over() and due() > self._case.now:
            await until(over, due(), why)

    def _ask_next_level(self, question: Question) -> None:
        case, people = self._case, self._record.people
        question.next_level_asked = True
        if people.only_on_call:
            return
        level = min(people.level + 1, len(case.severity_policy.levels))
        question.asked_level = case.level_name(level)
        case.note("escalation", f"nobody answered: {question.asked_level} is asked")
        urgency = Urgency.HIGH if case.severity_policy.page is not None else Urgency.LOW
        case.page(urgency, f"a decision is needed: {question.text}", level=level)

    def _close(self, question: Question, covered: list[PlannedStep], *, expired: bool) -> bool:
        case, record = self._case, self._record
        record.question, record.asks = None, ""
        record.questions.append(question)
        del record.questions[:-_MOST_QUESTIONS]
        if question.answer == APPROVED:
            for one in covered:
                one.approved_by = question.by
            return True
        if question.answer == REJECTED:
            self._skip(covered, f"rejected by {question.by}")
            return False
        question.answer, question.ended_at = EXPIRED, case.now
        revise(case, question)
        if expired:
            half = f", although {question.approvals[0].by} approved" if question.approvals else ""
            question.ended = f"Expired, silence means no{half}"
            self._skip(covered, UNANSWERED)
            return False
        question.ended = "Withdrawn, things have moved on"
        covered[0].state = StepState.PLANNED
        case.note("question", f"withdrawn, things have moved on: {question.text}", tell=True)
        return False

    def void(self, step: PlannedStep, why: str) -> None:
        """Take the approval of *step* back: what was approved is not what is there now."""
        step.voided += 1
        void(self._case, step, why)
        for one in self._record.ladder:
            if one.open and step.key in (one.key, one.approved_with):
                one.approved_by, one.state = "", StepState.PLANNED
        if step.voided >= _MOST_VOID:
            self._skip([step], "skipped: what it would change keeps changing; do it by hand")

    def changed(self, step: PlannedStep, shown: Any) -> bool:
        """Take the approval of *step* back if what stands there differs from what was *shown*."""
        found = differences(shown, step.before, step.activity)
        if found:
            more = f" and {len(found) - _MOST_DIFFERENCES} more" * (len(found) > _MOST_DIFFERENCES)
            self.void(step, f"it has changed since ({'; '.join(found[:_MOST_DIFFERENCES])}{more})")
        return bool(found)

    def _skip(self, steps: list[PlannedStep], reason: str) -> None:
        for step in steps:
            step.state, step.said = StepState.SKIPPED, reason
            self._case.note("step", f"{step.effect}: {reason}", tell=True)
