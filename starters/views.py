"""How an incident looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from activities.documents import clean
from activities.record import Entry, Phase, PlannedStep, Record, StepState
from activities.verification import Below, Sample
from activities.words import Severity
from starters.finding import Listed
from workflows.glance import clock, commands, impact, on_call, status
from workflows.proposal import exactly

SPARKS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
_MOST_SAMPLES = 60
_LINE = 400

_SEVERITIES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_TICKS = {
    StepState.PLANNED: ("○", "dim"),
    StepState.ASKED: ("?", "bold yellow"),
    StepState.RUNNING: ("…", "bold"),
    StepState.DONE: ("✓", ""),
    StepState.HELPED: ("✓", "bold green"),
    StepState.UNHELPFUL: ("-", "dim"),
    StepState.UNCERTAIN: ("?", "bold red"),
    StepState.FAILED: ("✗", "red"),
    StepState.SKIPPED: ("»", "dim"),
    StepState.UNDONE: ("↩", "dim"),
}
_KINDS = {"problem": "red", "question": "yellow", "person": "cyan", "note": "cyan", "step": "bold"}


def whole(record: Record, *, entries: int | None = None) -> RenderableType:
    """Show all of an incident, but for `next_steps`: they are copied, and must not be folded."""
    parts = [heading(record), facts(record), plan(record), samples(record)]
    parts += [people(record), timeline(record, entries)]
    return Group(*(part for part in parts if part is not None))


def listing(found: Sequence[Listed], now: datetime) -> RenderableType:
    """Show a list of incidents."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("incident", "severity", "phase", "alert", "where", "opened"):
        # An id is copied, so it stands on one line; the others give way, and lose nothing.
        whole = head in ("incident", "severity")
        table.add_column(head, no_wrap=whole, min_width=len(head), overflow="fold")
    for each in found:
        style = _SEVERITIES.get(_severity(each.severity), "") if each.open else "dim"
        table.add_row(
            _plain(each.id),
            Text(each.severity, style),
            _plain(each.phase if each.open else "closed"),
            _plain(each.alert),
            _plain(each.environment),
            _ago((now - each.opened_at).total_seconds()),
        )
    return table


def heading(record: Record) -> RenderableType:
    """Show what it is, and what is asked of the reader."""
    title = Text()
    title.append(f" {record.severity.value.upper()} ", f"reverse {_SEVERITIES[record.severity]}")
    title.append(f" {clean(record.title)} on {clean(record.service)}", "bold")
    if record.environment:
        title.append(f" ({clean(record.environment)})")
    title.append(f"\n {record.id}", "dim")
    asked = clean(record.asks)
    lines: list[RenderableType] = [title]
    if asked:
        lines.append(Panel(Text(asked), title="asked of you", style="bold yellow"))
    return Group(*lines)


def facts(record: Record) -> RenderableType:
    """Show phase, status and impact."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    rows = [("phase", record.phase.value), ("status", status(record)), ("impact", impact(record))]
    if record.no_procedure:
        rows.append(("procedure", record.no_procedure))
    acknowledged = record.people.acknowledged_by or "nobody yet"
    rows.append(("acknowledged", acknowledged))
    if turns := on_call(record):
        rows.append(("on call", turns))
    if record.people.taken_over_by:
        rows.append(("taken over", record.people.taken_over_by))
    rows += [("report", place) for place in record.report]
    for name, text in rows:
        grid.add_row(name, _plain(text))
    return grid


def plan(record: Record, findings: int | None = None) -> RenderableType | None:
    """Show the steps, ticked off."""
    if not record.steps:
        return None
    lines = Text().append("plan\n", "dim")
    for step in record.steps:
        tick, style = _TICKS[step.state]
        lines.append(f"  {tick} ", style)
        lines.append(_step(step), style)
        lines.append("\n")
    for finding in record.findings[:findings]:
        lines.append(f"  → for people: {clean(finding)[:_LINE]}\n", "cyan")
    if findings and len(record.findings) > findings:
        lines.append(f"  → and {len(record.findings) - findings} more: responder show\n", "cyan")
    lines.rstrip()
    return lines


def samples(record: Record) -> RenderableType | None:
    """Show the last watch as a line of bars."""
    if not record.watches or not record.watches[-1].samples:
        return None
    watch = record.watches[-1]
    taken = watch.samples[-_MOST_SAMPLES:]
    line = Text().append(f"{clean(watch.label)}  ", "dim")
    for spark, sample in zip(sparkline(taken), taken, strict=True):
        good = {True: "green", False: "red", None: "dim"}[sample.good]
        line.append(spark, good)
    last = taken[-1]
    line.append(f"  {clean(last.note)}"[:_LINE])
    condition = record.facts.condition if record.facts else None
    if isinstance(condition, Below):
        line.append(f"  (recovered below {condition.threshold:g} {condition.unit})".rstrip(), "dim")
    return line


def sparkline(taken: Sequence[Sample]) -> str:
    """Draw samples, one character each; what could not be read is a dot."""
    values = [sample.value for sample in taken if sample.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    drawn = ""
    for sample in taken:
        if sample.good is None or sample.value is None:
            drawn += _UNKNOWN if sample.good is None else SPARKS[0 if sample.good else -1]
        elif high == low:
            drawn += SPARKS[3]
        else:
            drawn += SPARKS[round((sample.value - low) / (high - low) * (len(SPARKS) - 1))]
    return drawn


def people(record: Record) -> RenderableType | None:
    """Show who took part."""
    if not record.people.took_part:
        return None
    return _plain(f"took part: {', '.join(record.people.took_part)}", "dim")


def timeline(record: Record, most: int | None) -> Text:
    """Show what happened, the newest last."""
    entries = record.timeline[-most:] if most else record.timeline
    left_out = record.left_out + len(record.timeline) - len(entries)
    lines = Text().append("timeline", "dim")
    if left_out:
        lines.append(f" ({left_out} earlier left out)")
    for entry in entries:
        lines.append("\n")
        lines.append_text(entry_line(entry))
    return lines


def entry_line(entry: Entry) -> Text:
    """Show one line of the timeline."""
    line = Text().append(f"  {clock(entry.at)}  ", "dim")
    if entry.by != "responder":
        line.append(f"{clean(entry.by)}: ", "bold cyan")
    return line.append(clean(entry.text)[:_LINE], _KINDS.get(entry.kind, ""))


def next_steps(record: Record) -> RenderableType | None:
    """Show the open question, and the exact commands."""
    if record.phase is Phase.RESOLVED:
        return None
    lines = Text()
    if record.question is not None and not record.question.answer:
        lines.append(f"question: {clean(record.question.text)}\n", "bold yellow")
        for said in exactly(record.question):
            lines.append(f"  {clean(said)[:_LINE]}\n")
    for command in commands(record):
        lines.append(f"  $ {command}\n", "dim")
    lines.rstrip()
    return lines


def _step(step: PlannedStep) -> str:
    said = clean(step.said) or ("" if step.open else step.state.value)
    text = f"{clean(step.effect)} [{step.risk.value}]"
    return f"{text}: {said}"[:_LINE] if said else text[:_LINE]


def _plain(text: str, style: str = "") -> Text:
    # Alerts and logs are anybody's: no markup, and no commands to the terminal.
    return Text(clean(text)[:_LINE], style)


def _severity(value: str) -> Severity:
    try:
        return Severity(value)
    except ValueError:
        return Severity.INFO


def _ago(seconds: float) -> str:
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds / size)} {unit} ago"
    return f"{int(seconds / 86_400)} days ago"


def utc_now() -> datetime:
    """The time of this machine, for what is shown as "ago"."""
    return datetime.now(UTC)
