"""What a report says of people, alerts and of itself."""

from __future__ import annotations

from collections.abc import Iterator

from activities.documents import (
    Block,
    Card,
    Code,
    Inline,
    Link,
    Section,
    Tag,
    Tone,
    Verbatim,
    pairs,
    say,
    table,
)
from activities.record import AlertState, Record
from activities.report_words import brief, clock, count, listed, times
from activities.values import moment


def people(record: Record) -> Section:
    """Say who took part, with what, and thank them."""
    deeds: dict[str, list[str]] = {name: [] for name in record.people.took_part if name}

    def did(name: str, deed: str) -> None:
        if name and name != "responder" and deed not in deeds.setdefault(name, []):
            deeds[name].append(deed)

    if record.people.acknowledged_at:
        did(record.people.acknowledged_by, "acknowledged")
    for name, deed in _decided(record):
        did(name, deed)
    did(record.people.taken_over_by, "took over")
    if record.resolution:
        did(record.resolution.by, "resolved it")
    wrote = [entry.by for entry in record.timeline if entry.by != "responder"]
    for name in dict.fromkeys(wrote):
        did(name, f"{count(wrote.count(name), 'line')} of the timeline")
    if not deeds:
        return Section("Who took part", (say("Nobody but the responder took part."),))
    rows = [[name, "; ".join(done) or "took part"] for name, done in deeds.items()]
    thanks = say(f"Thank you, {listed(list(deeds))}.")
    return Section("Who took part", (table(("Who", "What"), rows), thanks))


def alerts(record: Record) -> Section:
    """List the alerts: what their labels share once, and what sets each apart."""
    states = list(record.alerts.values())
    if not states:
        return Section("Alerts", (say("No alert is on record."),))
    first, *others = (state.alert.labels for state in states)
    shared = {
        name: value for name, value in first.items() if all(o.get(name) == value for o in others)
    }
    common: tuple[Block, ...] = ()
    if others and shared:
        labels = pairs(*((name, Code(value)) for name, value in sorted(shared.items())))
        common = (Card("Labels that all share", (), (labels,)),)
    known = shared if others else {}
    return Section("Alerts", (*common, *(_alert(state, known, record) for state in states)))


def _alert(state: AlertState, shared: dict[str, str], record: Record) -> Card:
    alert = state.alert
    tag = Tag("firing", Tone.BAD) if state.firing else Tag("resolved", Tone.GOOD)
    rows: list[tuple[str, Inline | None]] = [
        ("Fingerprint", Code(alert.fingerprint)),
        ("Began (startsAt)", moment(alert.starts_at)),
        ("First seen here", clock(state.first_seen, record.opened_at)),
        ("Fired", times(state.times)),
        ("Resolved because", state.why),
        *((f"Label {n}", Code(v)) for n, v in sorted(alert.labels.items()) if n not in shared),
        *((f"Annotation {n}", v) for n, v in sorted(alert.annotations.items())),
        ("Shown at", Link(alert.source, alert.source) if alert.source else None),
    ]
    expression = (Verbatim(alert.expression),) if alert.expression else ()
    return Card(alert.name, (tag,), (pairs(*rows), *expression))


def about(record: Record, occasion: str) -> Section:
    """Say which incident, which run and which version of the procedure this is about."""
    facts = record.facts
    limits = brief(facts.thresholds) if facts else ""
    return Section(
        "About this report",
        (
            say("Written by the responder from the record of the incident, and from nothing else."),
            pairs(
                ("Incident", Code(record.id)),
                ("Run", Code(record.run)),
                ("Incident before it", Code(record.earlier) if record.earlier else None),
                ("Occasion", occasion),
                ("Phase", record.phase.value),
                ("Procedure", f"{facts.name}, version {facts.version}" if facts else "none"),
                ("Runbook", Link(facts.section or facts.runbook, facts.runbook) if facts else None),
                ("Thresholds", limits),
                ("Paged with", f"{record.page_urgency} urgency" if record.page_urgency else ""),
            ),
        ),
    )


def _decided(record: Record) -> Iterator[tuple[str, str]]:
    """Say who approved or rejected what; of two people both."""
    both = {each.by: [one.by for one in each.approvals] for each in record.questions}
    for step in record.steps:
        for name in both.get(step.approved_by) or [step.approved_by]:
            yield name, f"approved: {step.effect or step.key}"
    for question in record.questions:
        if question.answer not in ("approved", "void"):
            yield question.by, f"{question.answer}: {question.text}"
