"""What a report says of evidence, plan, steps and changes."""

from __future__ import annotations

from collections.abc import Sequence

from activities.changes import UNDO
from activities.documents import (
    Block,
    Card,
    Code,
    Notice,
    Section,
    Tag,
    Tone,
    pairs,
    say,
    table,
)
from activities.people import Question
from activities.record import Asks, PlannedStep, Reading, Record, StepState
from activities.report_words import brief, clock, readable, sentence, upper
from activities.values import duration, name_of
from activities.words import Risk

TONES = {
    StepState.HELPED: Tone.GOOD,
    StepState.UNDONE: Tone.GOOD,
    StepState.UNHELPFUL: Tone.WARN,
    StepState.UNCERTAIN: Tone.BAD,
    StepState.FAILED: Tone.BAD,
}
RISKS = {
    Risk.REVERSIBLE: "reversible: no user sees it",
    Risk.DISRUPTIVE: "disruptive: some users notice for a moment",
    Risk.OUTAGE: "outage: users see the maintenance page",
    Risk.DESTRUCTIVE: "destructive: it cannot be undone",
}


def effect(step: PlannedStep) -> str:
    """Name *step* by what it does."""
    return step.effect or step.why or step.key


def temporary(record: Record) -> list[PlannedStep]:
    """List the steps whose change is still in place and should not stay."""
    kept = set(record.resolution.still_temporary) if record.resolution else set()
    named = [step for step in record.steps if step.in_place and kept & {step.key, step.effect}]
    return [*record.temporary, *(step for step in named if step not in record.temporary)]


def temporary_words(record: Record) -> list[str]:
    """Word what is still temporary, also what the resolution names and no step explains."""
    steps = temporary(record)
    explained = {words for step in steps for words in (step.key, step.effect)}
    others = record.resolution.still_temporary if record.resolution else []
    return [effect(step) for step in steps] + [one for one in others if one not in explained]


def evidence(record: Record) -> Section:
    """Show what each probe was for, and its answer or why there is none."""
    if not record.readings:
        return Section("Evidence", (say("No probe was run.", tone=Tone.MUTED),))
    cards = tuple(_reading(reading) for reading in record.readings)
    cause = (say("Cause, as the procedure judged it: ", sentence(record.cause)),)
    return Section("Evidence", (*(cause if record.cause else ()), *cards))


def _reading(reading: Reading) -> Card:
    took = f", after {duration(reading.took_seconds)}" if reading.took_seconds else ""
    blocks: tuple[Block, ...]
    if reading.failed:
        tag = Tag("could not be read", Tone.WARN)
        blocks = (say(f"Could not be read{took}: {reading.failed}"),)
    elif reading.answer in (None, {}, [], ""):
        tag = Tag("empty answer", Tone.MUTED)
        blocks = (say("The answer was empty: that is neither health nor sickness."),)
    else:
        tag = Tag("read", Tone.PLAIN)
        blocks = readable(reading.answer)
    return Card(
        upper(reading.why) or name_of(reading.key), (tag, Tag(reading.key, Tone.MUTED)), blocks
    )


def plan(record: Record) -> Section:
    """Show every step: why, how risky, who allowed it, what it did, what stood there before."""
    title = "Plan and steps"
    if not record.steps:
        why = record.no_procedure or "the procedure planned none"
        return Section(title, (say(sentence(f"No steps: {why}")),))
    cards = [_step(number, step, record) for number, step in enumerate(record.steps, 1)]
    answered = [*record.questions, *([record.question] if record.question else [])]
    unique = list({question.id: question for question in answered}.values())
    return Section(title, (*cards, *_questions(unique, record)))


def _step(number: int, step: PlannedStep, record: Record) -> Card:
    tags = (Tag(step.state, TONES.get(step.state, Tone.PLAIN)), Tag(step.risk, Tone.MUTED))
    took = ""
    if step.started_at and step.ended_at:
        took = f" (took {duration((step.ended_at - step.started_at).total_seconds())})"
    begun = clock(step.started_at, record.opened_at) + took if step.started_at else "not begun"
    undo = "the responder does, once the incident has settled" if step.undo else "not by itself"
    if step.state is StepState.UNDONE:
        undo = "done: what stood there before was put back"
    elif step in temporary(record) and record.resolution:
        undo = "not done: see What was changed"
    block = pairs(
        ("Why", step.why),
        ("Exact effect", step.effect),
        ("Expected", step.expect),
        ("Target", step.target),
        ("Risk", RISKS[step.risk]),
        ("Approved by", _approval(step, record)),
        ("Begun", begun),
        ("Result", step.said or ("nothing was said" if step.started_at else step.state.value)),
        ("Before", brief(step.before) if step.before is not None else None),
        ("Undo", undo if step.started_at else None),
        (
            "Put back",
            "undone once, and applied again: the alert came back" if step.put_back else "",
        ),
        ("Order", Code(f"{step.activity}: {brief(step.order) or 'no particulars'}")),
    )
    return Card(f"Step {number}: {effect(step)}", tags, (block,))


def _approval(step: PlannedStep, record: Record) -> str:
    if step.approved_by:
        return step.approved_by
    asked = [question for question in record.questions if question.step == step.key]
    if asked and asked[-1].answer:
        return f"nobody: {asked[-1].answer}" + (f" by {asked[-1].by}" if asked[-1].by else "")
    if asked or step.state is StepState.ASKED:
        return "nobody yet: the question is open"
    if step.started_at:
        return "nobody: this step needed no approval"
    return "nobody was asked" + (" yet" if step.asks is Asks.ALWAYS and step.open else "")


def _questions(questions: Sequence[Question], record: Record) -> tuple[Block, ...]:
    if not questions:
        return ()
    rows = [
        [
            clock(question.asked_at, record.opened_at),
            question.text,
            question.asked_level,
            question.answer or "not answered",
            question.by or "—",
        ]
        for question in questions
    ]
    return (
        say("Questions that were put to people:"),
        table(("Asked", "Question", "Level", "Answer", "By"), rows),
    )


def changed(record: Record) -> Section:
    """Show what was changed, what was undone, and how to undo what is still there."""
    touched = [step for step in record.steps if step.started_at or step.in_place]
    if not touched:
        return Section(
            "What was changed",
            (say("Nothing was changed by the responder."), *_left(record)),
        )
    rows = [
        [
            clock(step.started_at, record.opened_at) if step.started_at else "—",
            effect(step),
            step.target,
            step.state.value,
            brief(step.before) if step.before is not None else "not read",
            _standing(step),
        ]
        for step in touched
    ]
    head = ("When", "Change", "Target", "Result", "Before", "Now")
    return Section("What was changed", (table(head, rows), *_left(record)))


def _standing(step: PlannedStep) -> str:
    if step.state is StepState.UNDONE:
        return "undone"
    if step.state is StepState.UNCERTAIN:
        return "not known: look"
    if step.state is StepState.RUNNING:
        return "under way"
    if not step.in_place:
        return "not in place"
    if step.undo:
        return "still in place, temporary"
    return "done" if step.restarts else "stays"


def _left(record: Record) -> tuple[Block, ...]:
    steps = temporary(record)
    words = temporary_words(record)
    if not words:
        return (say("Nothing temporary is left in place."),)
    cards = tuple(
        Card(
            f"To undo: {effect(step)}",
            (Tag("still in place", Tone.WARN),),
            (
                pairs(
                    ("Target", step.target),
                    ("Set it back to", brief(step.before) if step.before is not None else None),
                    ("It was set to", brief(step.order)),
                    ("Undone by", Code(f"{step.activity}{UNDO}")),
                    (
                        "First",
                        "look whether it still is as it was set: else somebody changed it since",
                    ),
                ),
            ),
        )
        for step in steps
    )
    return (Notice("Still temporary", tuple(words)), *cards)
