"""What a report hands on to people: findings, follow-ups, and the post-mortem."""

from __future__ import annotations

from datetime import timedelta

from activities.documents import Bullets, Section, Tone, say
from activities.record import Record, StepState
from activities.report_actions import effect, temporary_words
from activities.report_words import listed, sentence, times
from activities.values import moment
from activities.words import Severity

REVIEW = timedelta(hours=24)
POST_MORTEM = timedelta(hours=48)
"""By when the report of a critical incident is reviewed, and its post-mortem held (runbook)."""


def findings(record: Record) -> Section:
    """List what was found for people to look into."""
    found = [sentence(finding) for finding in record.findings]
    if record.when_out:
        found.append(f"The procedure's advice once its steps ran out: {sentence(record.when_out)}")
    if not found:
        return Section(
            "Findings", (say("Nothing was found for people to look into.", tone=Tone.MUTED),)
        )
    return Section("Findings", (Bullets(tuple(found)),))


def follow_ups(record: Record) -> Section:
    """List what is to be done now, each from a fact of the record."""
    return Section("Follow-ups", (Bullets(tuple(actions(record)), tasks=True),))


def actions(record: Record) -> list[str]:
    """Word the action items that the record itself gives reason for, most urgent first."""
    items = [f"Undo what is still temporary: {words}." for words in temporary_words(record)]
    items += [
        f"Find out whether this took effect: {effect(step)} ({step.target})."
        for step in record.steps
        if step.state is StepState.UNCERTAIN
    ]
    if record.resolution is None:
        items.append("Bring the incident to its end: it is still open.")
    if record.paged_at and not record.people.acknowledged_at:
        items.append("Find out why nobody acknowledged the page.")
    if record.recurrence:
        items.append(
            f"Find the cause: the alert came back {times(record.recurrence)} before the end."
        )
    if record.earlier:
        items.append(f"Read it together with the incident before it (run {record.earlier}).")
    items += [
        f"Make readable: {reading.why or reading.key} ({reading.failed})."
        for reading in record.readings
        if reading.failed
    ]
    items += [f"Look into: {sentence(finding)}" for finding in record.findings]
    end = record.resolution.at if record.resolution else record.opened_at
    if record.severity is Severity.CRITICAL:
        items.append(f"Review this report by {moment(end + REVIEW)}.")
    section = f" ({record.facts.section})" if record.facts and record.facts.section else ""
    if record.facts:
        items.append(f"Update the runbook with what was learned{section}.")
    else:
        items.append(f"Update the runbook: it has no procedure for {record.title}.")
    return items


def post_mortem(record: Record) -> tuple[Section, ...]:
    """Prepare the post-mortem; only a critical incident has one."""
    if record.severity is not Severity.CRITICAL:
        return ()
    end = record.resolution.at if record.resolution else record.opened_at
    since = "the end" if record.resolution else "the opening, as it is still open"
    return (
        Section(
            "Post-mortem",
            (
                say(
                    f"To be held by {moment(end + POST_MORTEM)}: 48 hours after {since}. "
                    "It is about the system, not about who is to blame."
                ),
                Bullets(tuple(_questions(record)), tasks=True),
                say("Action items, to be given an owner and a date:"),
                Bullets(
                    (
                        "What prevents it: …  Owner: …  Date: …",
                        "What would have found it earlier: …  Owner: …  Date: …",
                        "What would have mended it faster: …  Owner: …  Date: …",
                        "Update the runbook.  Owner: …  Date: …",
                    ),
                    tasks=True,
                ),
            ),
        ),
    )


def _questions(record: Record) -> list[str]:
    judged = f" (the procedure judged: {record.cause.rstrip('.')})" if record.cause else ""
    helped = [effect(step) for step in record.steps if step.state is StepState.HELPED]
    failed = [
        effect(step)
        for step in record.steps
        if step.state in (StepState.FAILED, StepState.UNHELPFUL, StepState.UNCERTAIN)
    ]
    return [
        f"What was the root cause{judged}?",
        "What did users notice, how many, and for how long?",
        "What set it off at this moment, and why did nothing stop it?",
        "Could the alert have come earlier?",
        f"Did this mend the cause or only the symptom: {listed(helped)}?"
        if helped
        else "What mended it in the end?",
        *([f"Why did this not help: {listed(failed)}?"] if failed else []),
        *(["Why was the page not acknowledged?"] if not record.people.acknowledged_at else []),
        *(["What would have spared people the take-over?"] if record.people.taken_over_by else []),
        "What went well, and where were we lucky?",
    ]
