"""What people are shown of a record: the Slack root, a page, and the words that both share."""

from __future__ import annotations

from datetime import datetime

from activities.messages import Fact, Glance, Link, PlanLine, PlanState
from activities.outbox import Unsent
from activities.pagerduty import Page
from activities.record import Phase, PlannedStep, Record, StepState
from activities.verification import Below
from activities.words import Urgency
from workflows.policy import Policy

_STATES = {
    StepState.PLANNED: PlanState.NEXT,
    StepState.ASKED: PlanState.NEXT,
    StepState.RUNNING: PlanState.DOING,
    StepState.DONE: PlanState.DONE,
    StepState.HELPED: PlanState.DONE,
    StepState.UNHELPFUL: PlanState.FAILED,
    StepState.UNCERTAIN: PlanState.FAILED,
    StepState.FAILED: PlanState.FAILED,
    StepState.SKIPPED: PlanState.SKIPPED,
    StepState.UNDONE: PlanState.DONE,
}


def glance(record: Record, policy: Policy, key: str) -> Glance:
    """Make the root message: the runbook's communication template, at a glance."""
    severity = policy.severities[record.severity]
    return Glance(
        key=key,
        channel="incidents",
        severity=record.severity,
        title=record.title,
        service=record.service,
        environment=record.environment,
        impact=impact(record),
        status=status(record),
        actions=tuple(
            PlanLine(state=_STATES[step.state], text=line(step)) for step in record.steps
        ),
        eta=eta(record, policy),
        next_update_at=record.clocks.update_at,
        next_action=record.next_action,
        next_action_at=record.next_action_at,
        asks=record.asks,
        acknowledged_by=record.people.acknowledged_by,
        facts=tuple(facts(record)),
        commands=commands(record),
        links=tuple(links(record, policy)),
        over=record.phase is Phase.RESOLVED,
        updates="at changes"
        if severity.update_seconds is None
        else f"every {words(severity.update_seconds * policy.pace)}",
    )


def page_order(record: Record, policy: Policy, message: Unsent) -> Page:
    """Make the page of *message*, as on-call reads it on a phone."""
    return Page(
        dedup_key=message.key,
        level=message.payload["level"],
        urgency=Urgency(message.payload["urgency"]),
        severity=record.severity,
        summary=f"{record.title} on {record.service}: {message.payload['why']}",
        source=record.environment or record.service,
        component=record.service,
        details=(Fact(label="incident", value=record.id), *facts(record)),
        links=tuple(links(record, policy)),
        at=message.queued_at,
    )


def impact(record: Record) -> str:
    """Say who is affected and how."""
    if record.facts is not None:
        return record.facts.impact
    annotations = [state.alert.annotations for state in record.alerts.values()]
    known = (a.get("description") or a.get("summary") for a in annotations)
    return next((text for text in known if text), "unknown")


def status(record: Record) -> str:
    """Say what we know so far."""
    if record.resolution is not None and record.phase in (Phase.RESOLVED, Phase.DOCUMENTING):
        return f"{record.resolution.how}: {record.resolution.reason}"
    said = [f"{record.phase.value}"]
    if record.cause:
        said.append(record.cause)
    last = record.watches[-1].samples[-1] if record.watches and record.watches[-1].samples else None
    if last is not None and last.note:
        said.append(last.note)
    if record.people.taken_over_by:
        said.append(f"taken over by {record.people.taken_over_by}")
    return " · ".join(said)


def eta(record: Record, policy: Policy) -> str:
    """Tell how long it takes if the step that runs helps; only the ladder knows, else
    "unknown".
    """
    if record.phase is Phase.RESOLVED:
        return "over"
    if record.phase in (Phase.MITIGATING, Phase.VERIFYING) and any(
        step.state in (StepState.RUNNING, StepState.DONE) for step in record.ladder
    ):
        return f"{words(policy.verify_seconds * policy.pace)} if the present step helps"
    if record.phase in (Phase.SETTLING, Phase.UNDOING):
        return f"recovered; settling for {words(policy.settle_seconds * policy.pace)}"
    return "unknown"


def line(step: PlannedStep) -> str:
    """Say one step in a line."""
    said = f" — {step.said}" if step.said else f" — {step.state.value}" if not step.open else ""
    return f"{step.effect}{said}"


def facts(record: Record) -> list[Fact]:
    """Pick the figures that matter at a glance."""
    found = [Fact(label="alerts", value=f"{len(record.firing)} of {len(record.alerts)} firing")]
    condition = record.facts.condition if record.facts else None
    last = record.watches[-1].samples[-1] if record.watches and record.watches[-1].samples else None
    if isinstance(condition, Below):
        now = (
            "no data" if last is None or last.value is None else f"{last.value:.3g}{condition.unit}"
        )
        found.append(
            Fact(
                label="now / recovered below",
                value=f"{now} / {condition.threshold:g}{condition.unit}",
            )
        )
    if record.recurrence:
        found.append(Fact(label="came back", value=f"{record.recurrence} times"))
    if record.people.level:
        found.append(Fact(label="escalated", value=f"level {record.people.level}"))
    return found


def commands(record: Record) -> tuple[str, ...]:
    """Write the exact command lines for what can be done now."""
    name = record.id
    if record.phase is Phase.RESOLVED:
        return (f"responder show {name}",)
    lines = []
    if record.question is not None and not record.question.answer:
        lines += [f"responder approve {name}", f"responder reject {name}"]
    if not record.people.acknowledged_by:
        lines.append(f"responder ack {name}")
    if record.people.taken_over_by:
        lines.append(f"responder hand-back {name}")
    else:
        lines += [f"responder hold {name}", f"responder take-over {name}"]
    lines.append(f'responder resolve {name} --why "…"')
    return tuple(lines)


def links(record: Record, policy: Policy) -> list[Link]:
    """Collect the pages to open: progress, runbook, dashboards, report."""
    found = []
    if policy.ui:
        address = f"{policy.ui}/workflows/{record.id}/{record.run}/user-metadata"
        found.append(Link(text="Progress", url=address))
    if record.facts is not None and record.facts.runbook.startswith("http"):
        found.append(Link(text="Runbook", url=record.facts.runbook))
    found += [Link(text=text, url=url) for text, url in policy.links.items()]
    found += [Link(text="Report", url=url) for url in record.report if url.startswith("http")]
    return found


def words(seconds: float) -> str:
    """Say a duration as people do."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"


def clock(at: datetime | None) -> str:
    """Say a time of day in UTC."""
    return "" if at is None else f"{at:%H:%M:%S} UTC"
