"""What people's acts do to an incident, and why one is refused."""

from __future__ import annotations

from collections.abc import Callable

from temporalio.exceptions import ApplicationError

from activities.people import Question
from activities.record import Phase, PlannedStep, Resolution, StepState
from activities.words import Urgency
from workflows.acts import Act, ActKind
from workflows.case import Case
from workflows.glance import words
from workflows.policy import Rights

MOST_HANDLED = 200
EXPIRED = "expired"


class Hands:
    """Carries out acts. Everything here is synchronous, so an act is never half done."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._perform: dict[ActKind, Callable[[Act], str]] = {
            ActKind.ACKNOWLEDGE: self._acknowledge,
            ActKind.APPROVE: self._approve,
            ActKind.REJECT: self._reject,
            ActKind.HOLD: self._hold,
            ActKind.TAKE_OVER: self._take_over,
            ActKind.HAND_BACK: self._hand_back,
            ActKind.RESOLVE: self._resolve,
            ActKind.ESCALATE: self._escalate,
            ActKind.NOTE: self._note,
        }

    def refuse(self, kind: ActKind, act: Act) -> None:
        """Raise the reason why *act* cannot be done now; do nothing if it can."""
        if act.id in self._case.record.handled:
            return
        reason = self._refusal(kind, act)
        if reason:
            raise ApplicationError(reason, type="Refused", non_retryable=True)

    def perform(self, kind: ActKind, act: Act) -> str:
        """Do *act* and say what was done; the same id a second time only says it again."""
        record = self._case.record
        if act.id in record.handled:
            return record.handled[act.id]
        said = self._perform[kind](act)
        record.handled[act.id] = said
        while len(record.handled) > MOST_HANDLED:
            del record.handled[next(iter(record.handled))]
        if act.by not in record.people.took_part:
            record.people.took_part.append(act.by)
        self._case.changed(root=kind is not ActKind.NOTE)
        return said

    def perform_signal(self, kind: ActKind, act: Act) -> None:
        """Do an act that came as a signal; its refusal can only be written down."""
        if act.id in self._case.record.handled:
            return
        reason = self._refusal(kind, act)
        if reason:
            self._case.note("person", f"{kind.value} was refused: {reason}", by=act.by, tell=True)
            self._case.record.handled[act.id] = f"refused: {reason}"
            return
        self.perform(kind, act)

    def _refusal(self, kind: ActKind, act: Act) -> str:
        record, people = self._case.record, self._case.record.people
        rights = self._case.policy.rights(act.by)
        if kind in (ActKind.APPROVE, ActKind.REJECT):
            return self._answer_refusal(act, rights)
        if rights is None or not rights.responder:
            return f"{act.by} does not have the responder role"
        if kind is ActKind.NOTE:
            return "" if act.text.strip() else "a note needs a text"
        if record.phase is Phase.RESOLVED or record.resolution is not None:
            return "the incident is over"
        if kind is ActKind.ACKNOWLEDGE and not act.person:
            return "only a person can acknowledge: a bot's or an integration's word does not count"
        if kind is ActKind.TAKE_OVER and people.taken_over_by == act.by:
            return f"{act.by} has it already"
        if kind is ActKind.HAND_BACK and not people.taken_over_by:
            return "nobody has taken it over"
        if kind is ActKind.RESOLVE and not act.text.strip():
            return "resolving needs a reason: say why it is over"
        if kind is ActKind.ESCALATE and people.level >= len(self._case.severity_policy.levels):
            return (
                f"{self._case.level_name(people.level)} has been called: there is no higher level"
            )
        return ""

    def _answer_refusal(self, act: Act, rights: Rights | None) -> str:
        record = self._case.record
        question = self._question(act)
        if question is None:
            return "there is no such question: the incident is asking nothing like it now"
        if question.answer in ("approved", "rejected"):
            return f"it was already {question.answer} by {question.by}"
        if rights is None or question.risk not in rights.approves:
            may = ", ".join(self._case.policy.approvers(question.risk)) or "nobody in the settings"
            return f"{act.by} may not decide about {question.risk.value} steps; {may} may"
        if record.people.taken_over_by:
            return f"{record.people.taken_over_by} has taken it over: hand it back first"
        if question.answer == EXPIRED and self._late(question) is None:
            return "the question has expired and things have moved on since"
        if record.resolution is not None:
            return "the incident is over"
        return ""

    def _question(self, act: Act) -> Question | None:
        record = self._case.record
        if not act.question:
            return record.question or (record.questions[-1] if record.questions else None)
        known = [*record.questions, *([record.question] if record.question else [])]
        return next((q for q in reversed(known) if q.id == act.question), None)

    def _late(self, question: Question) -> PlannedStep | None:
        """Find the step of an expired question, if nothing was changed since it was asked."""
        ladder = self._case.record.ladder
        moved = any(step.started_at and step.started_at > question.asked_at for step in ladder)
        skipped = (s for s in ladder if s.key == question.step and s.state is StepState.SKIPPED)
        return None if moved else next(skipped, None)

    def _seen(self, act: Act) -> None:
        """Count somebody's presence: whoever decides has acknowledged."""
        case, people, clocks = self._case, self._case.record.people, self._case.record.clocks
        if not act.person:
            return
        first = not people.acknowledged_by
        people.acknowledged_by = act.by
        people.renewal_asked = False
        clocks.escalate_at = clocks.urgent_at = None
        clocks.renew_at = case.after(2 * case.severity_policy.respond_seconds)
        if first:
            people.acknowledged_at = people.acknowledged_at or case.now
            case.follow_pages("acknowledge")

    def _acknowledge(self, act: Act) -> str:
        case = self._case
        already = case.record.people.acknowledged_by
        self._seen(act)
        held = words(2 * case.severity_policy.respond_seconds * case.policy.pace)
        case.note("person", f"acknowledged by {act.via}", by=act.by, tell=not already)
        return f"acknowledged; it holds for {held}"

    def _approve(self, act: Act) -> str:
        case, question = self._case, self._question(act)
        if question is None:
            return ""
        late = self._late(question) if question.answer == EXPIRED else None
        question.answer, question.by = "approved", act.by
        if late is not None:
            late.state, late.approved_by, late.said = StepState.PLANNED, act.by, ""
        self._seen(act)
        case.note("person", f"approved: {question.text}", by=act.by, tell=True)
        return f"approved: {question.text}"

    def _reject(self, act: Act) -> str:
        case, question = self._case, self._question(act)
        if question is None:
            return ""
        question.answer, question.by = "rejected", act.by
        self._seen(act)
        reason = f" ({act.text})" if act.text else ""
        case.note("person", f"rejected{reason}: {question.text}", by=act.by, tell=True)
        return f"rejected: {question.text}"

    def _hold(self, act: Act) -> str:
        case, people = self._case, self._case.record.people
        people.hold_until, people.held_by = case.after(act.minutes * 60), act.by
        self._seen(act)
        said = f"no further step for {words(act.minutes * 60 * case.policy.pace)}"
        case.note("person", f"hold: {said}", by=act.by, tell=True)
        return said

    def _take_over(self, act: Act) -> str:
        case, people = self._case, self._case.record.people
        people.taken_over_by, people.hold_until = act.by, None
        self._seen(act)
        kept = [step.effect for step in case.record.temporary]
        said = "you have it: no further step is taken; measuring, reminding and recording go on"
        if kept:
            said += f". Still in place: {'; '.join(kept)}"
        case.note("person", f"took over. {said}", by=act.by, tell=True)
        return said

    def _hand_back(self, act: Act) -> str:
        case, record = self._case, self._case.record
        record.people.taken_over_by, record.people.hold_until = "", None
        record.plan_again = True
        self._seen(act)
        case.note("person", "handed back: looking again", by=act.by, tell=True)
        return "the responder looks again and goes on"

    def _resolve(self, act: Act) -> str:
        case, record = self._case, self._case.record
        record.resolution = Resolution(
            how="resolved by a person",
            reason=act.text,
            by=act.by,
            at=case.now,
            still_temporary=[step.effect for step in record.temporary],
        )
        self._seen(act)
        case.note("person", f"resolved: {act.text}", by=act.by, tell=True)
        return "resolved; the report is being written"

    def _escalate(self, act: Act) -> str:
        case, people = self._case, self._case.record.people
        people.level += 1
        name = case.level_name(people.level)
        reason = f": {act.text}" if act.text else ""
        case.page(Urgency.HIGH, f"{act.by} asks for you{reason}", level=people.level)
        case.note("escalation", f"escalated to {name}{reason}", by=act.by)
        return f"{name} is being paged"

    def _note(self, act: Act) -> str:
        self._case.note("note", act.text, by=act.by, tell=True)
        return "noted"
