"""Questions to people: one at a time, bound to what was shown, never answered twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from activities.people import Question
from activities.record import Phase, PlannedStep, StepState
from activities.words import Risk, Urgency
from workflows.acts import Act
from workflows.case import Case
from workflows.deadlines import until
from workflows.glance import answers, clock

APPROVED, REJECTED, EXPIRED = "approved", "rejected", "expired"
UNANSWERED = "nobody answered: skipped"
_RISKS = list(Risk)
_MOST_QUESTIONS = 50
_STILL_OPEN_TO_STEPS = frozenset({Phase.MITIGATING, Phase.ASKING, Phase.WATCHING})


class Questions:
    """Asks about steps, and takes the answers."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._record = case.record

    # Asking

    async def ask(self, step: PlannedStep) -> bool:
        """Ask people about *step*, as long as the severity's policy says; tell whether they agreed.

        A hold moves the deadlines, so each is looked at again when its timer ends.
        """
        together = [s for s in self._record.ladder if s.approved_with == step.key and s.open]
        covered = [step, *together]
        risk = _worst(covered)
        if not self._case.policy.approvers(risk):
            nobody = f"skipped: nobody in the settings may approve {risk.value} steps"
            self._record.findings.append(f"{step.effect}: {nobody}")
            self._skip(covered, nobody)
            return False
        question = self._put(step, covered)
        over = self._over(question, firing=bool(self._record.firing))
        await self._until(over, lambda: question.next_level_at, "A question waits for an answer")
        if not over():
            self._ask_next_level(question)
            await self._until(
                over, lambda: question.expires_at, "A question waits for the next level"
            )
        return self._close(question, covered, expired=not over())

    def postpone(self, hold: datetime) -> None:
        """Move the deadlines of the open question behind *hold*: somebody is there."""
        question = self._record.question
        if question is not None and not question.answer:
            patience = question.expires_at - question.next_level_at
            question.next_level_at = max(question.next_level_at, hold)
            question.expires_at = max(question.expires_at, question.next_level_at + patience)

    def _put(self, step: PlannedStep, covered: list[PlannedStep]) -> Question:
        case, record = self._case, self._record
        patience = case.severity_policy.question_seconds
        text = ", then ".join(one.effect for one in covered)
        exactly = list(dict.fromkeys(line for one in covered for line in one.details))
        question = Question(
            id=_digest([step.order, step.before, text, exactly, len(record.questions)]),
            step=step.key,
            text=text,
            details=exactly,
            risk=_worst(covered),
            asked_at=case.now,
            next_level_at=case.after(patience),
            expires_at=case.after(2 * patience),
            asked_level=case.level_name(0),
        )
        record.question, step.state = question, StepState.ASKED
        record.asks = f"May I? {text} ({question.risk.value})"
        case.enter(Phase.ASKING, "waits for Approve or Reject", question.expires_at)
        approvers = ", ".join(case.policy.approvers(question.risk))
        case.note("question", f"asked: {text} ({question.risk.value}). May answer: {approvers}")
        before = {record.rejected[one.key] for one in covered if one.key in record.rejected}
        case.tell(
            f"May I? {text}",
            f"Risk: {question.risk.value}. Why: {step.why}",
            *([f"Rejected before by {', '.join(sorted(before))}."] if before else []),
            f"May answer: {approvers}, until {clock(question.expires_at)}; silence means no.",
            " · ".join(answers(record.id, question)),
            code="\n".join(exactly),
        )
        case.page(case.severity_policy.page or Urgency.LOW, f"a decision is needed: {text}")
        return question

    def _over(self, question: Question, *, firing: bool) -> Callable[[], bool]:
        record = self._record
        return lambda: (
            bool(question.answer)
            or bool(record.people.taken_over_by)
            or record.resolution is not None
            or record.plan_again
            # Withdrawn: what was asked for may not be needed any more.
            or (firing and not record.firing)
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
        question.answer = EXPIRED
        if expired:
            self._skip(covered, UNANSWERED)
            return False
        covered[0].state = StepState.PLANNED
        case.note("question", f"withdrawn, things have moved on: {question.text}", tell=True)
        return False

    def _skip(self, steps: list[PlannedStep], reason: str) -> None:
        for step in steps:
            step.state, step.said = StepState.SKIPPED, reason
            self._case.note("step", f"{step.effect}: {reason}", tell=True)

    # Answering

    def find(self, act: Act) -> Question | None:
        """Find the question that *act* answers: the named one, or else the newest."""
        record = self._record
        known = [*record.questions, *([record.question] if record.question else [])]
        named = (q for q in reversed(known) if not act.question or q.id == act.question)
        return next(named, None)

    def _unnamed(self, act: Act) -> bool:
        """Tell whether *act* may mean another question than the one that its person saw."""
        return not act.question and len(self._record.questions) + bool(self._record.question) > 1

    def refusal(self, act: Act) -> str:
        """Say why *act* cannot decide its question now; empty if it can."""
        record, question = self._record, self.find(act)
        if question is None:
            return "there is no such question: the incident is asking nothing like it now"
        rights = self._case.policy.rights(act.by)
        may = ", ".join(self._case.policy.approvers(question.risk)) or "nobody in the settings"
        owner = record.people.taken_over_by
        expired = question.answer == EXPIRED
        reasons = (
            (
                self._unnamed(act),
                "more than one question was asked: say which, with --question ID. "
                + (f"Open is {question.id}: {question.text}" if not question.answer else ""),
            ),
            (
                question.answer in (APPROVED, REJECTED),
                f"it was already {question.answer} by {question.by}",
            ),
            (
                not act.person,
                "only a person can decide: a bot's or an integration's word does not count",
            ),
            (
                rights is None or question.risk not in rights.approves,
                f"{act.by} may not decide about {question.risk.value} steps; {may} may",
            ),
            (record.resolution is not None, "the incident is over"),
            (bool(owner), f"{owner} has taken it over: hand it back first"),
            (
                expired and not self._late(question),
                "the question has expired and things have moved on since",
            ),
        )
        return next((reason for holds, reason in reasons if holds), "")

    def answer(self, act: Act, word: str) -> str:
        """Give *word* as the answer; a late approval brings the skipped steps back."""
        question = self.find(act)
        if question is None:  # the validator has looked already
            return "there is no such question"
        late = self._late(question) if question.answer == EXPIRED else []
        question.answer, question.by = word, act.by
        keys = [s.key for s in self._record.ladder if question.step in (s.key, s.approved_with)]
        if word == APPROVED:
            for step in late:
                step.state, step.said, step.approved_by = StepState.PLANNED, "", act.by
            self._unblock(late)
            for key in keys:
                self._record.rejected.pop(key, None)
        else:
            self._record.rejected |= dict.fromkeys(keys, act.by)
        reason = f" ({act.text})" if act.text else ""
        self._case.note("person", f"{word}{reason}: {question.text}", by=act.by, tell=True)
        return f"{word}: {question.text}"

    def _late(self, question: Question) -> list[PlannedStep]:
        """Find the steps of an expired question, if nothing has changed since it was asked."""
        record = self._record
        planned = record.planned_at
        changed = any(s.started_at and s.started_at > question.asked_at for s in record.steps)
        same_plan = planned is not None and planned <= question.asked_at and not record.plan_again
        if changed or not same_plan or record.phase not in _STILL_OPEN_TO_STEPS:
            return []
        return [
            step
            for step in record.ladder
            if question.step in (step.key, step.approved_with) and step.said == UNANSWERED
        ]

    def _unblock(self, back: list[PlannedStep]) -> None:
        """Bring back what was skipped only because it needs one of these steps."""
        keys = {step.key for step in back}
        for step in self._record.ladder:
            if step.needs in keys and step.state is StepState.SKIPPED and not step.started_at:
                step.state, step.said = StepState.PLANNED, ""


def _worst(steps: list[PlannedStep]) -> Risk:
    return max((step.risk for step in steps), key=_RISKS.index)


def _digest(shown: list[Any]) -> str:
    return hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()[:12]
