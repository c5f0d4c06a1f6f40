"""What a report says: a record put into words, from its facts alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from activities.charts import chart_of
from activities.documents import (
    Block,
    Document,
    Measure,
    Measures,
    Notice,
    Picture,
    Section,
    Tag,
    Tone,
    pairs,
    say,
    table,
)
from activities.record import Record, StepState
from activities.report_actions import changed, effect, evidence, plan, temporary_words
from activities.report_lessons import findings, follow_ups, post_mortem
from activities.report_people import about, alerts, people
from activities.report_words import clock, count, sentence, times, upper
from activities.values import duration, moment
from activities.words import Severity

SEVERITY_TONES = {
    Severity.CRITICAL: Tone.BAD,
    Severity.WARNING: Tone.WARN,
    Severity.INFO: Tone.PLAIN,
}


def compose(record: Record, occasion: str) -> Document:
    """Put *record* into words; the same record always gives the same words."""
    where = f" in {record.environment}" if record.environment else ""
    resolved = record.resolution is not None
    return Document(
        title=f"{record.title} on {record.service}{where}",
        tags=(
            Tag(record.severity, SEVERITY_TONES[record.severity]),
            Tag(record.service),
            Tag(record.environment or "environment not known"),
            Tag(
                "resolved" if resolved else f"open: {record.phase}",
                Tone.GOOD if resolved else Tone.WARN,
            ),
        ),
        sections=(
            summary(record),
            timings(record),
            impact(record),
            happened(record),
            evidence(record),
            plan(record),
            changed(record),
            findings(record),
            follow_ups(record),
            *post_mortem(record),
            people(record),
            alerts(record),
            about(record, occasion),
        ),
    )


def summary(record: Record) -> Section:
    """Tell the incident in a paragraph, and what it leaves to do."""
    told = [
        f"{record.title} began at {moment(record.starts_at)} by the alert's own account."
        if record.alerts
        else f"{record.title}: when it began is not known, for no alert is on record.",
        _response(record),
        _acted(record),
        _ended(record),
    ]
    matters = _attention(record)
    notice = (Notice("Needs attention", tuple(matters)),) if matters else ()
    return Section("Summary", (say(" ".join(filter(None, told))), *_written(record), *notice))


def _written(record: Record) -> tuple[Block, ...]:
    """Show what a model wrote, and say that a model wrote it."""
    if not record.summary:
        return ()
    said = f"Written by a machine ({record.summary_by}) from the facts below: {record.summary}"
    return (say(said, tone=Tone.MUTED),)


def _response(record: Record) -> str:
    day, who = record.opened_at, record.people
    opened = f"The responder opened this incident at {clock(record.opened_at, day)}"
    if record.paged_at:
        opened += f" and paged on-call at {clock(record.paged_at, day)}"
    elif record.told_at:
        opened += f" and told the team at {clock(record.told_at, day)}"
    said = [f"{opened}."]
    if who.acknowledged_at:
        at = clock(who.acknowledged_at, day)
        said.append(f"{who.acknowledged_by} acknowledged it at {at}.")
    elif record.paged_at:
        said.append(f"Nobody acknowledged the page{'' if record.resolution else ' yet'}.")
    if who.taken_over_by:
        said.append(f"{who.taken_over_by} took over.")
    return " ".join(said)


def _acted(record: Record) -> str:
    done = [step for step in record.steps if step.started_at]
    if record.no_procedure:
        return sentence(f"It is left to people, without a procedure: {record.no_procedure}")
    if not done:
        return "The responder changed nothing."
    told = "; ".join(f"{effect(step).rstrip('.')} ({step.state})" for step in done)
    return f"The responder made {count(len(done), 'change')}: {told}."


def _ended(record: Record) -> str:
    end = record.resolution
    if end is None:
        return f"It is not resolved: {record.phase} when this was written."
    took = duration((end.at - record.starts_at).total_seconds())
    by = f" by {end.by}" if end.by != "responder" else ""
    how = "" if end.how == "resolved by a person" else f"{upper(end.how)}: "
    when = clock(end.at, record.opened_at)
    reason = sentence(f"{how}{end.reason}" if how else f"Reason: {end.reason}")
    return f"It was resolved{by} at {when}, {took} after the alert began. {reason}"


def _attention(record: Record) -> list[str]:
    matters = [f"Still temporary: {words}" for words in temporary_words(record)]
    matters += [
        f"Outcome unknown: {effect(step)}"
        for step in record.steps
        if step.state is StepState.UNCERTAIN
    ]
    if record.resolution is None:
        matters.append(f"Still open: {record.asks or record.phase}")
    if record.incomplete:
        matters.append("Alertmanager left alerts out of what it sent: the list is not complete")
    return matters


def timings(record: Record) -> Section:
    """Give the figures an incident is judged by, measured from the alert's startsAt."""
    quiet = record.severity is Severity.INFO
    resolved = record.resolution.at if record.resolution else None
    touched = any(step.started_at for step in record.steps)
    late = "never" if resolved else "not yet"
    mitigated = "not needed" if resolved and not touched and record.recovered_at else late
    if resolved and (record.people.taken_over_by or record.no_procedure):
        # People mended it by means that we did not see: "never" would be wrong.
        mitigated = "not recorded"
    measures = (
        _measure(record, "To page", record.paged_at, "not needed" if quiet else late),
        _measure(
            record,
            "To acknowledge",
            record.people.acknowledged_at,
            "not needed" if quiet and resolved else late,
        ),
        _measure(record, "To mitigate", record.mitigated_at, mitigated),
        _measure(record, "To resolve", resolved, late),
    )
    origin = "the alert's own startsAt" if record.alerts else "the opening: no alert is on record"
    moments = (
        ("Alert began (startsAt)", record.starts_at if record.alerts else None),
        ("Incident opened", record.opened_at),
        ("Team told", record.told_at),
        ("Recovered", record.recovered_at),
    )
    return Section(
        "Timings",
        (
            say(f"Measured from {origin}; all times are UTC.", tone=Tone.MUTED),
            Measures(measures),
            pairs(*((name, _since(record, at)) for name, at in moments)),
        ),
    )


def _measure(record: Record, name: str, at: datetime | None, missing: str) -> Measure:
    if at is None:
        return Measure(name, missing)
    took = duration((at - record.starts_at).total_seconds())
    return Measure(name, took, f"at {clock(at, record.opened_at)}")


def _since(record: Record, at: datetime | None) -> str:
    if at is None:
        return "not recorded"
    if at == record.starts_at:
        return moment(at)
    took = duration((at - record.starts_at).total_seconds())
    return f"{clock(at, record.opened_at)}, {took} after the alert began"


def impact(record: Record) -> Section:
    """Say what users had of it, as far as it is known."""
    said = (
        f"By the procedure's account: {sentence(record.facts.impact)}"
        if record.facts and record.facts.impact
        else "What users noticed is not known: no procedure says so for this alert."
    )
    if record.recovered_at:
        lasted = duration((record.recovered_at - record.starts_at).total_seconds())
        said += f" It lasted {lasted} from the alert's start to recovery."
    elif record.resolution:
        said += " The watch did not see it recover before it was closed."
    alike = count(len(record.alerts), "alert") if record.alerts else "No alert"
    back = f"; it came back {times(record.recurrence)}" if record.recurrence else ""
    return Section("Impact", (say(said), say(f"{alike} belonged to it{back}.")))


def happened(record: Record) -> Section:
    """Show the chart, the watches and the timeline."""
    blocks: list[Block] = []
    chart = chart_of(record)
    if chart:
        blocks.append(Picture(chart, chart.words))
    if record.watches:
        rows = [
            [
                clock(watch.started_at, record.opened_at),
                watch.label,
                watch.outcome,
                *(
                    str(sum(wanted(sample.good) for sample in watch.samples))
                    for wanted in _LOOKS.values()
                ),
            ]
            for watch in record.watches
        ]
        blocks.append(table(("From", "Watch", "Outcome", *_LOOKS), rows))
    if not record.timeline:
        blocks.append(say("The timeline is empty.", tone=Tone.MUTED))
        return Section("What happened", tuple(blocks))
    day = record.opened_at
    blocks.append(
        table(
            ("Time", "What", "Kind", "By"),
            [[clock(entry.at, day), entry.text, entry.kind, entry.by] for entry in record.timeline],
        )
    )
    if record.left_out:
        left = f"{count(record.left_out, 'routine line')} left out to keep the record small."
        blocks.append(say(left, tone=Tone.MUTED))
    return Section("What happened", tuple(blocks))


_LOOKS: dict[str, Callable[[bool | None], bool]] = {
    "Healthy": lambda good: good is True,
    "Not healthy": lambda good: good is False,
    "No data": lambda good: good is None,
}
