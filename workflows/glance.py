"""What people are shown of a record: the Slack root, a page, and the words that both share."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from activities.messages import Fact, Glance, Link, PlanLine, PlanState
from activities.outbox import Unsent
from activities.pagerduty import Page
from activities.people import Question
from activities.prometheus import spoken
from activities.record import Phase, PlannedStep, Record, StepState
from activities.verification import Below
from activities.words import Urgency
from workflows.headline import brief, outage, update_seconds
from workflows.offers import offered
from workflows.policy import Policy

FAILING = "failing"
DEPLOYMENT = "deployment"
"""Keys of the probes that every root message shows, whichever procedure asked."""
AWAKE = "who is awake"

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
    return Glance(
        key=key,
        channel="incidents",
        severity=record.severity,
        title=record.title,
        brief=brief(record),
        outage=outage(record),
        service=record.service,
        environment=record.environment,
        impact=impact(record),
        status=status(record),
        actions=tuple(_plan_line(record, step) for step in record.steps),
        eta=eta(record, policy),
        next_update_at=record.clocks.update_at,
        next_action=record.next_action,
        next_action_at=record.next_action_at,
        asks=record.asks,
        acknowledged_by=record.people.acknowledged_by,
        facts=tuple(facts(record, policy)),
        commands=commands(record),
        links=tuple(links(record, policy)),
        buttons=offered(record, policy),
        over=record.phase is Phase.RESOLVED,
        updates=promise(record, policy),
    )


def promise(record: Record, policy: Policy) -> str:
    """Say how often people hear."""
    seconds = update_seconds(record, policy)
    return "at changes" if seconds is None else f"every {words(seconds * policy.pace)}"


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
        details=(Fact(label="incident", value=record.id), *facts(record, policy)),
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
    if record.people.frozen:
        said.append(record.people.freezes.said)
    if record.people.taken_over_by:
        said.append(f"taken over by {record.people.taken_over_by}")
    return " · ".join(said)


def eta(record: Record, policy: Policy) -> str:
    """Tell how long it takes if the present step helps; only the ladder knows."""
    if record.phase is Phase.RESOLVED:
        return "over"
    if record.phase in (Phase.MITIGATING, Phase.VERIFYING) and any(
        step.mends and step.state in (StepState.RUNNING, StepState.DONE) for step in record.ladder
    ):
        return f"{words(policy.verify_seconds * policy.pace)} if the present step helps"
    if record.phase in (Phase.SETTLING, Phase.UNDOING):
        return f"recovered; settling for {words(policy.settling_seconds(record) * policy.pace)}"
    return "unknown"


def _plan_line(record: Record, step: PlannedStep) -> PlanLine:
    """Show one step; what was left when it was over will not come any more."""
    if record.phase is Phase.RESOLVED and step.state is StepState.PLANNED:
        return PlanLine(state=PlanState.SKIPPED, text=f"{step.effect} — not needed")
    return PlanLine(state=_STATES[step.state], text=line(step))


def line(step: PlannedStep) -> str:
    """Say one step in a line."""
    said = f" — {step.said}" if step.said else f" — {step.state.value}" if not step.open else ""
    helped = " (did not help)" if step.said and step.state is StepState.UNHELPFUL else ""
    return f"{step.effect}{said}{helped}"


def facts(record: Record, policy: Policy) -> list[Fact]:
    """Pick the figures that matter at a glance."""
    found = [Fact(label="alerts", value=f"{len(record.firing)} of {len(record.alerts)} firing")]
    condition = record.facts.condition if record.facts else None
    last = record.watches[-1].samples[-1] if record.watches and record.watches[-1].samples else None
    if isinstance(condition, Below):
        now = "not measured yet" if last is None else "no data"
        if last is not None and last.value is not None:
            now = spoken(last.value, condition.unit)
        found.append(
            Fact(
                label="now / recovered below",
                value=f"{now} / {spoken(condition.threshold, condition.unit)}",
            )
        )
    if failing := _failing(record):
        found.append(Fact(label="requests failing", value=failing))
    if deployed := _deployed(record):
        found.append(Fact(label="last deployment", value=deployed))
    if turns := on_call(record):
        found.append(Fact(label="on call", value=turns))
    found.append(Fact(label=AWAKE, value=_awake(record, policy)))
    if record.recurrence:
        found.append(Fact(label="came back", value=f"{record.recurrence} times"))
    return found


def _failing(record: Record) -> str:
    """Say which share of the requests fails, where a probe has looked."""
    for reading in record.readings:
        if reading.key == FAILING and isinstance(reading.answer, dict):
            value = reading.answer.get("value")
            return "no data" if not isinstance(value, int | float) else f"{value:.1%}"
    return ""


def _deployed(record: Record) -> str:
    """Say what was deployed last and by whom, where a probe has looked."""
    for reading in record.readings:
        if reading.key != DEPLOYMENT:
            continue
        if reading.failed or not isinstance(reading.answer, dict):
            return "could not be read"
        last = reading.answer.get("last") or [None]
        if not isinstance(last[0], dict):
            return "none known"
        minutes = reading.answer.get("newest_minutes_ago")
        ago = f", {words(60 * minutes)} ago" if isinstance(minutes, int | float) else ""
        by = last[0].get("author") or "unknown"
        return f"{last[0].get('release') or 'unknown'} by {by}{ago}"
    return ""


def _awake(record: Record, policy: Policy) -> str:
    """Say who has it, and who else was called."""
    people = record.people
    levels = policy.severities[record.severity].levels[: people.level]
    names = [called_by_name(record, each) for each in levels]
    called = ", ".join((called_by_name(record, "on-call"), *names) if record.paged_at else names)
    calls = f" (called: {called})" if called else ""
    if people.taken_over_by:
        return f"{people.taken_over_by} has taken over{calls}"
    if people.acknowledged_by:
        return f"{people.acknowledged_by} since {clock(people.acknowledged_at)}{calls}"
    return f"nobody has acknowledged{calls}"


def called_by_name(record: Record, level: str) -> str:
    """Name a level, and who has its turn where that is known."""
    people = record.paging.on_call.get(level)
    return f"{level} {', '.join(people)}" if people else level


def on_call(record: Record) -> str:
    """Say who is on call, level by level; blank where nobody was asked."""
    paging = record.paging
    if paging.on_call_unknown:
        return f"unknown: {paging.on_call_unknown}"
    turns = paging.on_call.items()
    return "; ".join(f"{level}: {', '.join(people) or 'nobody'}" for level, people in turns)


def commands(record: Record) -> tuple[str, ...]:
    """Write the exact command lines for what can be done now."""
    name = record.id
    if record.phase is Phase.RESOLVED:
        return (f"responder show {name}",)
    lines = []
    if record.question is not None and not record.question.answer:
        lines += answers(name, record.question)
    if not record.people.acknowledged_by:
        lines.append(f"responder ack {name}")
    if record.people.frozen:
        where = f" --environment {record.environment}" if record.environment else ""
        lines.append(f"responder unfreeze{where}")
    if record.people.taken_over_by:
        lines.append(f"responder hand-back {name}")
    else:
        lines += [f"responder hold {name}", f"responder take-over {name}"]
    lines.append(f'responder resolve {name} --why "…"')
    return tuple(lines)


def answers(incident: str, question: Question) -> list[str]:
    """Write the command lines that answer exactly *question*, and no later one."""
    exactly = f"--question {question.id}" + (f" --hash {question.shown}" if question.shown else "")
    return [f"responder {word} {incident} {exactly}" for word in ("approve", "reject")]


def links(record: Record, policy: Policy) -> list[Link]:
    """Collect the pages to open: progress, runbook, report, dashboards of what it is about."""
    found = []
    if policy.ui:
        address = f"{policy.ui}/workflows/{record.id}/{record.run}/user-metadata"
        found.append(Link(text="Progress", url=address))
    if record.facts is not None and record.facts.runbook.startswith("http"):
        found.append(Link(text="Runbook", url=record.facts.runbook))
    found += [Link(text="Report", url=url) for url in record.report if url.startswith("http")]
    dashboards = (record.facts.links if record.facts is not None else {}) | policy.links
    # Labels of an alert come from outside.
    service, environment = (quote(each, safe="") for each in (record.service, record.environment))
    for text, url in dashboards.items():
        to = url.replace("{service}", service).replace("{environment}", environment)
        found.append(Link(text=text, url=to))
    return found


def words(seconds: float) -> str:
    """Say a duration as people do."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{round(minutes / 60, 1):g} hours"


def clock(at: datetime | None) -> str:
    """Say a time of day in UTC."""
    return "" if at is None else f"{at:%H:%M:%S} UTC"
