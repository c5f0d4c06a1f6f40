"""Who may answer a question, what an answer does, and why one is refused."""

from __future__ import annotations

from activities.people import Approval, Question
from activities.record import Phase, PlannedStep, StepState
from workflows.acts import Act
from workflows.case import Case
from workflows.glance import clock
from workflows.proposal import deciders, find, revise

APPROVED, REJECTED, EXPIRED, VOID = "approved", "rejected", "expired", "void"
UNANSWERED = "nobody answered: skipped"
_STILL_OPEN_TO_STEPS = frozenset({Phase.MITIGATING, Phase.ASKING, Phase.WATCHING})


def void(case: Case, step: PlannedStep, why: str) -> None:
    """Take the approval of *step* back, say why, and show it where it was asked."""
    by, asked = step.approved_by, reversed(case.record.questions)
    question = next((each for each in asked if each.step == step.key), None)
    step.approved_by = ""
    if question is not None and question.answer == APPROVED:
        question.answer, question.ended_at = VOID, case.now
        question.ended = f"Void, although approved by {by}: {why}"
        revise(case, question)
    case.note("question", f"the approval by {by} is void, {why}: {step.effect}", tell=True)


class Answers:
    """Takes people's answers. Everything here is synchronous: an answer is never half given."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._record = case.record

    def refusal(self, act: Act, word: str) -> str:
        """Say why *act* cannot decide its question now; empty if it can."""
        record, question = self._record, self._find(act)
        if question is None:
            return "there is no such question: the incident is asking nothing like it now"
        owner = record.people.taken_over_by
        expired = question.answer == EXPIRED
        reasons = (
            (self._unnamed(act), self._which(question)),
            (
                question.answer in (APPROVED, REJECTED),
                f"it was already {question.answer} by {question.by}"
                + (f" at {clock(question.ended_at)}" if question.ended_at else ""),
            ),
            (question.answer == VOID, f"{question.ended}. {self._asked_anew(question)}"),
            (
                not act.person,
                "only a person can decide: a bot's or an integration's word does not count",
            ),
            *self._rights(act, word, question),
            (record.resolution is not None, "the incident is over"),
            (
                record.people.frozen,
                f"everything is {record.people.freezes.said}; it is asked anew when that is over",
            ),
            (bool(owner), f"{owner} has taken it over: hand it back first"),
            (
                act.shown not in ("", question.shown),
                f"what you were shown is not what is asked: look again. {self._open(question)}",
            ),
            (
                expired and not self._late(question),
                "the question has expired and things have moved on since",
            ),
        )
        return next((reason for holds, reason in reasons if holds), "")

    def _rights(self, act: Act, word: str, question: Question) -> tuple[tuple[bool, str], ...]:
        policy = self._case.policy
        rights = policy.rights(act.by)
        others = [name for name in deciders(policy, question) if name != act.by]
        may = ", ".join(others) or "nobody in the settings"
        yes, by = word == APPROVED, act.by
        asked = policy.other_than_requester and question.requested_by == by
        before = [each.by for each in question.approvals]
        return (
            (
                rights is None or question.risk not in rights.approves,
                f"{by} may not decide about {question.risk.value} steps; {may} may",
            ),
            (
                yes and asked,
                f"{by} has asked for this, so somebody else must approve it: {may} may",
            ),
            (
                yes and by in before,
                f"{by} has approved it already, and two people must: {may} may",
            ),
        )

    def answer(self, act: Act, word: str) -> str:
        """Give *word* as the answer; a late approval brings the skipped steps back."""
        question = self._find(act)
        if question is None:  # the validator has looked already
            return "there is no such question"
        late = self._late(question) if question.answer == EXPIRED else []
        if word == APPROVED:
            question.approvals.append(Approval(by=act.by, at=self._case.now))
            if len(question.approvals) < question.needed:
                return self._first_of_two(question, act)
        question.answer = word
        both = " and ".join(each.by for each in question.approvals)
        question.by = both if word == APPROVED else act.by
        question.ended_at = self._case.now
        reason = f" ({act.text})" if act.text else ""
        question.ended = f"{word.capitalize()} by {question.by}{reason}"
        keys = [s.key for s in self._record.ladder if question.step in (s.key, s.approved_with)]
        if word == APPROVED:
            for step in late:
                step.state, step.said, step.approved_by = StepState.PLANNED, "", question.by
            self._unblock(late)
            for key in keys:
                self._record.rejected.pop(key, None)
        else:
            self._record.rejected |= dict.fromkeys(keys, act.by)
        revise(self._case, question)
        self._case.note("person", f"{word}{reason}: {question.text}", by=act.by, tell=True)
        return f"{word}: {question.text}"

    def _first_of_two(self, question: Question, act: Act) -> str:
        """Take the first of two approvals; nothing is done before the second."""
        case = self._case
        others = deciders(case.policy, question)
        may = ", ".join(name for name in others if name != act.by)
        said = f"approved, 1 of {question.needed}: {question.text}"
        if question is self._record.question:
            asks = f"May I? {question.text} ({question.risk.value})"
            self._record.asks = f"{asks} · 1 of {question.needed}: {act.by}"
        revise(case, question)
        case.note("person", f"{said}. A second person must approve: {may}", by=act.by, tell=True)
        return f"{said}. A second person must approve too: {may}"

    def _find(self, act: Act) -> Question | None:
        """Find the question that *act* answers: the named one, or else the newest."""
        if act.question:
            return find(self._record, act.question)
        return self._record.question or next(reversed(self._record.questions), None)

    def _unnamed(self, act: Act) -> bool:
        """Tell whether *act* may mean another question than the one that its person saw."""
        several = len(self._record.questions) + bool(self._record.question) > 1
        return several and not (act.question or act.shown)

    def _which(self, question: Question) -> str:
        said = "more than one question was asked: say which, with --question ID. "
        return said + self._open(question)

    def _open(self, question: Question) -> str:
        return "" if question.answer else f"Open is {question.id}: {question.text}"

    def _asked_anew(self, question: Question) -> str:
        present = self._record.question
        if present is not None and not present.answer:
            return f"Asked anew: {present.id}"
        return "It is looked at anew" if question in self._record.questions[-1:] else ""

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
