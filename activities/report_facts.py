"""What a model may be told of an incident: short lines from the record, and nobody's name."""

from __future__ import annotations

from collections.abc import Iterator

from activities.llm_summary import LONGEST_FACT, MOST_FACTS
from activities.record import Record, StepState
from activities.report_words import times
from activities.values import duration, moment
from activities.words import cut

_MOST_FINDINGS = 8
_MOST_STEPS = 20


def facts(record: Record) -> tuple[str, ...]:
    """List the facts that a summary may use, most important first; the same record, the same."""
    lines = (" ".join(line.split()) for line in _facts(record))
    return tuple(cut(line, LONGEST_FACT) for line in lines if line)[:MOST_FACTS]


def _facts(record: Record) -> Iterator[str]:
    where = f" in {record.environment}" if record.environment else ""
    yield f"Alert: {record.title} on {record.service}{where}, severity {record.severity}."
    yield f"It began at {moment(record.starts_at)}."
    if record.facts is not None:
        yield f"What it means for users: {record.facts.impact}"
    yield f"Cause, as the evidence shows it: {record.cause}" if record.cause else ""
    yield f"No procedure: {record.no_procedure}" if record.no_procedure else ""
    people = record.people
    moments = (
        ("On-call was paged", record.paged_at),
        ("A person acknowledged it", people.acknowledged_at),
        ("It was mitigated", record.mitigated_at),
        ("It had recovered", record.recovered_at),
    )
    for what, at in moments:
        if at is not None:
            yield f"{what} {duration((at - record.starts_at).total_seconds())} after it began."
    taken = [step for step in record.steps if step.started_at or step.state is StepState.SKIPPED]
    for step in taken[:_MOST_STEPS]:
        yield f"Step: {step.effect}. Outcome: {step.state}."
    if not any(step.started_at for step in record.steps):
        yield "The responder changed nothing."
    if record.recurrence:
        yield f"It came back {times(record.recurrence)} before the end."
    if record.handed_over_why:
        yield f"It was handed to people: {record.handed_over_why}"
    yield from (f"Found for people: {each}" for each in record.findings[:_MOST_FINDINGS])
    end = record.resolution
    if end is not None:
        took = duration((end.at - record.starts_at).total_seconds())
        yield f"It ended {took} after it began: {end.how}. {end.reason}"
        yield from (f"Still temporary: {effect}" for effect in end.still_temporary)
