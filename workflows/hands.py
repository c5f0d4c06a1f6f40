"""What people's acts do to an incident, and why one is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from temporalio.exceptions import ApplicationError

from activities.record import Phase, Resolution, StepState
from activities.words import Urgency
from workflows.acts import FALLS_BACK, Act, ActKind
from workflows.answering import APPROVED, REJECTED, Answers
from workflows.case import Case
from workflows.glance import words
from workflows.policy import responds
from workflows.questions import Questions

MOST_HANDLED = 200
_REFUSED = "refused: "


class Hands:
    """Carries out acts. Everything here is synchronous, so an act is never half done."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._questions, self._answers = Questions(case), Answers(case)
        self._perform: dict[ActKind, Callable[[Act], str]] = {
            ActKind.ACKNOWLEDGE: self._acknowledge,
            ActKind.APPROVE: partial(self._answer, APPROVED),
            ActKind.REJECT: partial(self._answer, REJECTED),
            ActKind.HOLD: self._hold,
            ActKind.TAKE_OVER: self._take_over,
            ActKind.HAND_BACK: self._hand_back,
            ActKind.RESOLVE: self._resolve,
            ActKind.ESCALATE: self._escalate,
            ActKind.NOTE: self._note,
        }

    def refuse(self, kind: ActKind, act: Act) -> None:
        """Raise the reason why *act* cannot be done now; do nothing if it can."""
        handled = self._case.record.handled.get(act.id)
        if handled is None:
            reason = self._refusal(kind, act)
        else:
            reason = handled.removeprefix(_REFUSED) if handled.startswith(_REFUSED) else ""
        if reason:
            raise ApplicationError(reason, type="Refused", non_retryable=True)

    def perform(self, kind: ActKind, act: Act) -> str:
        """Do *act* and say what was done; the same id a second time only says it again."""
        record = self._case.record
        if act.id in record.handled:
            return record.handled[act.id]
        said = self._perform[kind](act)
        self._remember(act, said)
        if act.person and act.by not in record.people.took_part:
            record.people.took_part.append(act.by)
        self._case.changed(root=kind is not ActKind.NOTE)
        return said

    def perform_signal(self, kind: ActKind, act: Act) -> None:
        """Do an act that came as a signal; its refusal can only be written down."""
        if act.id in self._case.record.handled:
            return
        reason = self._refusal(kind, act)
        if kind not in FALLS_BACK:
            reason = "whether it still holds must be known at once, so no signal can do it"
        if reason:
            self._case.note("person", f"{kind.value} was refused: {reason}", by=act.by, tell=True)
            self._remember(act, _REFUSED + reason)
            return
        self.perform(kind, act)

    def _remember(self, act: Act, said: str) -> None:
        handled = self._case.record.handled
        handled[act.id] = said
        while len(handled) > MOST_HANDLED:
            del handled[next(iter(handled))]

    def _refusal(self, kind: ActKind, act: Act) -> str:
        case, record = self._case, self._case.record
        people, text, doing = record.people, act.text.strip(), kind.value.replace("-", " ")
        if kind not in self._perform:
            return f"{doing} is for a whole environment, not for an incident"
        if act.run and act.run != record.run:
            return (
                "that was an earlier incident of the same name, which is closed: look at this one"
            )
        if kind in (ActKind.APPROVE, ActKind.REJECT):
            word = APPROVED if kind is ActKind.APPROVE else REJECTED
            return self._answers.refusal(act, word)
        stranger = responds(act.by, case.policy.rights(act.by))
        over = record.phase is Phase.RESOLVED or record.resolution is not None
        highest = case.level_name(people.level)
        outrun = self._outrun(act.shown) if kind is ActKind.ESCALATE else ""
        reasons = (
            (bool(stranger), stranger),
            (kind is ActKind.NOTE and not text, "a note needs a text"),
            (kind is not ActKind.NOTE and over, "the incident is over"),
            (
                kind is not ActKind.NOTE and not act.person,
                f"only a person can {doing}: a bot's or an integration's word does not count",
            ),
            (
                kind is ActKind.TAKE_OVER and people.taken_over_by == act.by,
                f"{act.by} has it already",
            ),
            (
                kind is ActKind.HAND_BACK and not people.taken_over_by,
                "nobody has taken it over",
            ),
            (
                kind is ActKind.RESOLVE and not text,
                "resolving needs a reason: say why it is over",
            ),
            (
                kind is ActKind.ESCALATE and people.level >= len(case.severity_policy.levels),
                f"{highest} has been called: there is no higher level",
            ),
            (bool(outrun), outrun),
        )
        return next((reason for holds, reason in reasons if holds), "")

    def _outrun(self, shown: str) -> str:
        """Say that the next level is not the one that an escalation means; empty if it is.

        Args:
            shown: The level that was reached, the name of the one to call, or a moment: the next
                after that. Empty is whichever is next.
        """
        case, people = self._case, self._case.record.people
        called = [case.level_name(level) for level in range(people.level + 1)]
        following = case.level_name(people.level + 1)
        since = f"{called[-1]} has been called already since that was shown"
        if shown in ("", str(people.level), following):
            return ""
        if (moment := _moment(shown)) is not None:
            return since if people.called_at is not None and people.called_at >= moment else ""
        known = shown.isdecimal() or shown in called
        return since if known else f"{shown} is not called next: {following} is"

    def _seen(self, act: Act) -> None:
        """Count somebody's presence: whoever decides has acknowledged."""
        case, people, clocks = self._case, self._case.record.people, self._case.record.clocks
        if not act.person:
            return
        if people.acknowledged_by != act.by:
            people.acknowledged_by, people.acknowledged_at = act.by, case.now
        people.renewal_asked = False
        clocks.escalate_at, clocks.urgent_at, clocks.escalate_why = None, None, ""
        case.first_contact()  # whoever is here has been reached, by whatever way
        clocks.renew_at = case.after(2 * case.severity_policy.respond_seconds)
        case.follow_pages("acknowledge")

    def _acknowledge(self, act: Act) -> str:
        case = self._case
        already = case.record.people.acknowledged_by
        self._seen(act)
        held = words(2 * case.severity_policy.respond_seconds * case.policy.pace)
        case.note("person", f"acknowledged by {act.via}", by=act.by, tell=already != act.by)
        return f"acknowledged; it holds for {held}"

    def _answer(self, word: str, act: Act) -> str:
        said = self._answers.answer(act, word)
        self._seen(act)
        return said

    def _hold(self, act: Act) -> str:
        case, people = self._case, self._case.record.people
        people.hold_until, people.held_by = case.after(act.minutes * 60), act.by
        self._questions.postpone(people.hold_until)
        self._seen(act)
        said = f"no further step for {words(act.minutes * 60 * case.policy.pace)}"
        case.note("person", f"hold: {said}", by=act.by, tell=True)
        return said + self._running()

    def _take_over(self, act: Act) -> str:
        case, people = self._case, self._case.record.people
        had = f" from {people.taken_over_by}" if people.taken_over_by else ""
        people.taken_over_by, people.hold_until = act.by, None
        self._seen(act)
        kept = [step.effect for step in case.record.temporary]
        went_on = "no further step is taken; measuring, reminding and recording go on"
        said = f"you have it{had}: {went_on}"
        said += self._running()
        if kept:
            said += f". Still in place: {'; '.join(kept)}"
        case.note("person", f"took over. {said}", by=act.by, tell=True)
        return said

    def _hand_back(self, act: Act) -> str:
        case, record = self._case, self._case.record
        record.people.taken_over_by, record.people.hold_until = "", None
        record.people.requested_by, record.plan_again = act.by, True
        for step in record.temporary:
            if step.stages:
                step.left, step.stage_fails, step.put_back = "", 0, False
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
        # What began to fire before this was known to whoever said it; what begins later is not.
        record.refired = False
        self._seen(act)
        case.note("person", f"resolved: {act.text}", by=act.by, tell=True)
        return f"resolved; the report is being written{self._running()}"

    def _escalate(self, act: Act) -> str:
        case, record = self._case, self._case.record
        people, policy = record.people, case.severity_policy
        people.level += 1
        people.called_at, people.called_by = case.now, act.by
        name = case.level_name(people.level)
        reason = f": {act.text}" if act.text else ""
        asks = f"{act.by} asks for you{reason}"
        case.page(Urgency.HIGH, asks, level=people.level, wanted=True)
        case.note("escalation", f"escalated to {name}{reason}", by=act.by)
        if not people.acknowledged_by:
            more = people.level < len(policy.levels)
            record.clocks.escalate_at = case.after(policy.escalate_seconds) if more else None
        return f"{name} is being paged"

    def _note(self, act: Act) -> str:
        self._case.note("note", act.text, by=act.by, tell=True)
        return "noted"

    def _running(self) -> str:
        """Say what is being changed at this moment: it is finished first."""
        running = [s.effect for s in self._case.record.steps if s.state is StepState.RUNNING]
        return f". This is finished first: {'; '.join(running)}" if running else ""


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
