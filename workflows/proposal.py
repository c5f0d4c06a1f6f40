"""What is put to people before a step, exactly, and the digest that binds their word to it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from activities.buttons import Pressed, Target, encode
from activities.changes import lasting
from activities.evidence import lines
from activities.messages import Button, Entry, Part
from activities.outbox import Unsent
from activities.people import Question
from activities.record import PlannedStep, Record, unread
from activities.words import Risk, cut
from workflows.glance import AWAKE, answers, clock, facts
from workflows.policy import Policy

if TYPE_CHECKING:
    from workflows.case import Case

ASKED, REVISED = "question", "revision"
"""Kinds of messages: the entry of a question, and that it is to be brought up to date."""
_RISKS = list(Risk)
_MOST_ORDER = 2_000
_MOST_EVIDENCE = 10
_THERE = "there now"
_NOTHING: tuple[Any, ...] = (None, {}, [])


def propose(case: Case, step: PlannedStep, covered: list[PlannedStep]) -> Question:
    """Write down what is asked: effect, orders, targets, undo, and what it rests on."""
    record, policy = case.record, case.policy
    risk = max((one.risk for one in covered), key=_RISKS.index)
    patience = case.severity_policy.question_seconds
    question = Question(
        id=_digest([step.key, case.now.isoformat(), len(record.questions)])[:12],
        step=step.key,
        text=", then ".join(one.effect for one in covered),
        why=step.why,
        details=list(dict.fromkeys(line for one in covered for line in one.details)),
        orders=[_order(one) for one in covered],
        targets=list(dict.fromkeys(one.target for one in covered)),
        undo=_undo(covered),
        evidence=_evidence(record, policy, _there_now(step)),
        risk=risk,
        requested_by=_requester(record),
        needed=max(policy.needed(one, risk) for one in covered),
        asked_at=case.now,
        next_level_at=case.after(patience),
        expires_at=case.after(2 * patience),
        asked_level=case.level_name(0),
    )
    exactly = [[one.activity, one.order, one.target, one.undo] for one in covered]
    there = lasting(step.before, step.activity)
    # Of what was read, and not of how it is worded: a digest outlives a release.
    exact = _evidence(record, policy, _there_exactly(there))
    seen = [there, question.text, question.details, exact]
    question.shown = _digest([exactly, seen])[:16]
    return question


def deciders(policy: Policy, question: Question) -> list[str]:
    """Name those who may approve *question*; ``*`` is everybody."""
    barred = question.requested_by if policy.other_than_requester else ""
    return [name for name in policy.approvers(question.risk) if name != barred]


def entry(question: Question, record: Record, policy: Policy, key: str) -> Entry:
    """Make the entry of *question* in the thread, as it stands now: decided, it has no buttons."""
    parts = [
        Part(text=f"Risk: {question.risk.value}. Why: {question.why}"),
        Part(text=f"Target: {', '.join(question.targets)}. Undo: {question.undo}."),
        Part(text="\n".join(("Seen:", *(f"• {line}" for line in question.evidence)))),
        Part(text="\n".join([*question.details, *question.orders]), kind="code"),
    ]
    rejected = record.rejected.get(question.step)
    if rejected and not question.answer:
        parts.insert(1, Part(text=f"Rejected before by {rejected}."))
    if not question.answer:
        parts += [
            Part(text=_who(question, policy)),
            Part(text="\n".join(_shell(record, question)), kind="code"),
        ]
        parts += [Part(text=_progress(question))] if question.approvals else []
    elif question.answer == "expired":
        parts.append(
            Part(text="A late approval counts while nothing has changed: "
                 + _shell(record, question)[0])
        )  # fmt: skip
    return Entry(
        key=key,
        title=f"May I? {question.text}" if not question.answer else _ended(question),
        parts=tuple(parts),
        buttons=() if question.answer else _buttons(question, record),
    )


def exactly(question: Question) -> list[str]:
    """Say in lines what would be done, how it is undone, and what it rests on."""
    return [
        *question.details,
        *question.orders,
        *([f"undo: {question.undo}"] if question.undo else []),
        *(f"seen: {line}" for line in question.evidence),
        *([_progress(question)] if question.approvals and question.needed > 1 else []),
    ]


def post(case: Case, question: Question) -> None:
    """Queue the entry of *question*; it is laid out when it is sent, as it then stands."""
    _queue(case, ASKED, question)


def revise(case: Case, question: Question) -> None:
    """Queue that the entry of *question* be brought up to date; one is enough for all changes."""
    waiting = case.record.slack.unsent
    if not any(m.payload.get("question") == question.id and not m.tries for m in waiting):
        _queue(case, REVISED, question)


def find(record: Record, question: str) -> Question | None:
    """Find a question that is kept."""
    known = [*record.questions, *([record.question] if record.question else [])]
    return next((each for each in reversed(known) if each.id == question), None)


def _queue(case: Case, kind: str, question: Question) -> None:
    record = case.record
    if record.slack.silent(case.now) or case.muted:
        return
    record.entries += 1
    key, payload = case.key(f"{kind}-{record.entries}"), {"question": question.id}
    record.slack.unsent.append(Unsent(key=key, kind=kind, payload=payload, queued_at=case.now))


def _order(step: PlannedStep) -> str:
    order = json.dumps(step.order, sort_keys=True, default=str, ensure_ascii=False)
    return cut(f"{step.activity} {order}", _MOST_ORDER)


def _undo(covered: list[PlannedStep]) -> str:
    back = [one.effect for one in covered if one.undo]
    if not back:
        last = any(one.risk is Risk.DESTRUCTIVE for one in covered)
        return "impossible: it cannot be taken back" if last else "none is needed, or by hand"
    some = f" ({'; '.join(back)})" if len(back) < len(covered) else ""
    return f"by itself, once it has settled{some}"


def _evidence(record: Record, policy: Policy, there: list[str]) -> list[str]:
    """Say what the step rests on; what could not be read is said too: it is no good news."""
    known = [f"{fact.label}: {fact.value}" for fact in facts(record, policy) if fact.label != AWAKE]
    said = [line for line in (record.cause, *known, *there, *unread(record.readings)) if line]
    return said[: _MOST_EVIDENCE + max(len(there) - 1, 0)]


def _there_now(step: PlannedStep) -> list[str]:
    there = lasting(step.before, step.activity)
    return [] if there in _NOTHING else lines(_THERE, there)


def _there_exactly(there: Any) -> list[str]:
    if there in _NOTHING:
        return []
    written = json.dumps(there, sort_keys=True, default=str, ensure_ascii=False)
    return [f"{_THERE}: {cut(written, 600)}"]


def _requester(record: Record) -> str:
    """Name who has asked for what is planned; of alerts only our own command's are believed."""
    if record.people.requested_by:
        return record.people.requested_by
    alerts = [state.alert for state in record.alerts.values()]
    by_hand = (a for a in alerts if a.manual)
    return next((name for a in by_hand if (name := a.annotations.get("opened_by"))), "")


def _who(question: Question, policy: Policy) -> str:
    may = ", ".join("everybody" if name == "*" else name for name in deciders(policy, question))
    two = " Two people must approve." if question.needed > 1 else ""
    return f"May answer: {may}, until {clock(question.expires_at)}; silence means no.{two}"


def _progress(question: Question) -> str:
    by = " and ".join(each.by for each in question.approvals)
    return f"{len(question.approvals)} of {question.needed} approved: {by}."


def _ended(question: Question) -> str:
    at = f" at {clock(question.ended_at)}" if question.ended_at else ""
    return f"{question.ended or question.answer}{at}: {question.text}"


def _shell(record: Record, question: Question) -> list[str]:
    return answers(record.id, question)


def _buttons(question: Question, record: Record) -> tuple[Button, ...]:
    value = encode(Target(record.id, record.run, question.id, question.shown))
    return (
        Button(
            action=Pressed.APPROVE, text="Approve", value=value, style="primary",
            confirm=f"{question.text} ({question.risk.value})",
        ),
        Button(action=Pressed.REJECT, text="Reject", value=value, style="danger"),
    )  # fmt: skip


def _digest(shown: list[Any]) -> str:
    return hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()
