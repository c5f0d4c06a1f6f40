"""The live view of one incident: as much of its newest past as the screen has room for."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from activities.documents import clean
from activities.record import Phase, Record
from activities.verification import Below
from starters import views
from starters.charting import chart
from workflows.glance import commands
from workflows.proposal import exactly

_FINDINGS = 4
_ENTRIES = 3
"""Of the timeline, however small the screen is."""
_LINE = 400
_ROOMY = 30
"""Lines of a screen on which a chart takes nothing from what is asked."""


def live(
    record: Record,
    now: datetime,
    trouble: str,
    console: Console,
    foot: RenderableType | None = None,
) -> RenderableType:
    """Show an incident while it goes on; *foot* is what can be typed."""
    asked = question(record, now)
    # What is asked first: where the screen is small, the rest gives way from below.
    parts: list[RenderableType | None] = [
        Panel(Text(clean(trouble)), style="yellow", title="no contact") if trouble else None,
        # The question itself says more than that there is one.
        views.heading(record.model_copy(update={"asks": ""}) if asked else record),
        asked,
        clocks(record, now),
        views.facts(record),
        views.plan(record, _FINDINGS),
        measured(record, charted=console.height >= _ROOMY),
        None if foot else _commands(record),
    ]
    lines = console.render_lines(Group(*(each for each in parts if each is not None)), pad=False)
    below = len(console.render_lines(foot)) if foot else 0
    above = _Lines(lines[: max(console.height - below - _ENTRIES - 2, 1)])
    recent = views.timeline(record, max(console.height - below - len(above.lines) - 2, _ENTRIES))
    recent.no_wrap, recent.overflow = True, "ellipsis"
    return Group(above, recent, *([foot] if foot else []))


class _Lines:
    """What was rendered, as far as there was room."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self.lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            yield from line
            yield Segment.line()


def clocks(record: Record, now: datetime) -> RenderableType | None:
    """Show what comes next of itself, each with the time that is left."""
    people, times = record.people, record.clocks
    question = record.question if record.question and not record.question.answer else None
    coming = [
        (clean(record.next_action), record.next_action_at),
        ("the hold ends", people.hold_until),
        ("the next level is asked", question.next_level_at if question else None),
        ("the question expires", question.expires_at if question else None),
        ("the next level is called", times.escalate_at),
        ("the page becomes urgent", times.urgent_at),
        ("the acknowledgement runs out", times.renew_at),
        ("the next way to a person", times.reach_at),
        ("the next update", times.update_at),
    ]
    if record.phase is Phase.RESOLVED:
        return None
    # What comes next of itself is often one of the others: it is said once, in its own words.
    shown = {at: what for what, at in reversed(coming) if what and at is not None and at > now}
    line = Text()
    if record.next_action and record.next_action_at is None:
        line.append("next: ", "dim").append(clean(record.next_action)[:_LINE])
    for at, what in sorted(shown.items()):
        line.append("   " if line.plain else "next: ", "dim")
        line.append(f"{what[:_LINE]} ").append(f"in {left((at - now).total_seconds())}", "bold")
    return line if line.plain else None


def measured(record: Record, *, charted: bool) -> RenderableType | None:
    """Show the last watch: as a chart where it has numbers and there is room, else as a line."""
    condition = record.facts.condition if record.facts else None
    if record.behind is not None:
        condition = record.behind
    watch = record.watches[-1] if record.watches else None
    numbers = watch is not None and any(each.value is not None for each in watch.samples)
    if watch is None or not charted or not numbers or not isinstance(condition, Below):
        return views.samples(record)
    title = Text(f"{clean(watch.label)[:_LINE]}: {clean(watch.outcome) or 'measuring'}\n", "dim")
    return title.append_text(chart(watch.samples, condition.threshold, condition.unit))


def question(record: Record, now: datetime) -> RenderableType | None:
    """Show the open question with all that it would do."""
    asked = record.question
    if asked is None or asked.answer or record.phase is Phase.RESOLVED:
        return None
    lines = Text().append(clean(asked.text)[:_LINE], "bold")
    lines.append(f"  [{asked.risk.value}]\n", "yellow")
    for text in (f"why: {asked.why}" if asked.why else "", *exactly(asked)):
        if text:
            lines.append(f"  {clean(text)[:_LINE]}\n")
    if asked.needed > 1 and not asked.approvals:
        lines.append(f"  {asked.needed} people must approve; so far: nobody yet\n", "yellow")
    expires = left((asked.expires_at - now).total_seconds())
    lines.append(f"  no answer within {expires} means no", "dim")
    return Panel(lines, title="asked of you", border_style="yellow")


def _commands(record: Record) -> RenderableType:
    return Text("\n".join(f"  $ {command}" for command in commands(record)), "dim")


def left(seconds: float) -> str:
    """Say how much time is left, as a clock does."""
    whole = max(int(seconds), 0)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
