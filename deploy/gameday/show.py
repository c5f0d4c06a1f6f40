"""What the terminal shows of a game day: a story told once, line by line, to scroll back in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from activities.record import Entry, Phase, Record, WatchRecord
from activities.report_words import count
from activities.verification import Below, Condition, Sample
from activities.words import cut
from deploy.gameday.gist import gist
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import SlackStandIn
from deploy.gameday.standins.slack_state import Message

_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {True: ("●", "green"), False: ("●", "red"), None: ("○", "yellow")}
_MOST_MARKS = 20
_LOOKS_A_LINE = 8
_LONGEST = 300
_KINDS = {
    "alert": "bold red",
    "page": "bold magenta",
    "evidence": "cyan",
    "plan": "bold cyan",
    "question": "bold yellow",
    "step": "bold blue",
    "verification": "green",
    "person": "bold green",
    "escalation": "bold magenta",
    "problem": "bold red",
}


class Show:
    """Tells what is new since it last looked: when, who, what."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._run = ""
        self._lines = 0
        self._phase: Phase | None = None
        self._seen: set[str] = set()
        self._samples: list[Sample] = []
        self._watches = 0
        self._told_evidence = False

    def header(self, title: str, *lines: str) -> None:
        """Open a part of the show."""
        self.console.print()
        self.console.print(Panel("\n".join(lines), title=f"[bold]{escape(title)}", expand=False))

    def say(self, text: str, style: str = "", who: str = "", at: datetime | None = None) -> None:
        """Say a line, what is long beneath itself; now, when no time is given."""
        clock = (at or datetime.now().astimezone()).astimezone()
        self._line(f"{clock:%H:%M:%S}", who, Text(text, style))

    def path(self, name: str, path: str) -> None:
        """Tell where something is, on a line of its own that can be copied."""
        self.console.print(f"  {name:<11} {path}", soft_wrap=True, markup=False)

    def record(self, record: Record) -> None:
        """Tell what came into the record."""
        if record.run != self._run:
            self._run, self._lines, self._watches, self._phase = record.run, 0, 0, None
            self._told_evidence = False
        for watch in record.watches[self._watches :]:
            self._ended(watch, record.facts.condition if record.facts else None)
        self._watches = len(record.watches)
        whole = record.left_out + len(record.timeline)
        fresh = max(whole - self._lines, 0)
        for entry in record.timeline[max(len(record.timeline) - fresh, 0) :]:
            self._entry(entry)
            if entry.kind == "evidence" and record.readings and not self._told_evidence:
                self._told_evidence = True
                self._evidence(record)
        self._lines = whole
        if record.phase is not self._phase:
            self._phase, self._samples = record.phase, []
            self.console.print(Rule(f"[bold]{record.phase.value.upper()}", align="left"))

    def samples(self, samples: list[Sample], record: Record) -> None:
        """Tell how a watch goes on: at every turn, and every few looks."""
        before = len(self._samples)
        fresh = samples[before:]
        turned = any(
            one.good != other.good for one, other in pairwise(samples[max(before - 1, 0) :])
        )
        if fresh and (not before or turned or len(fresh) >= _LOOKS_A_LINE):
            self._looks(samples, record.facts.condition if record.facts else None)

    def messages(self, slack: SlackStandIn, pagerduty: PagerDutyStandIn) -> None:
        """Tell what people got on their phones and in their channel."""
        for key, who, text in _all_told(slack, pagerduty):
            self._once(key, who, text)

    def leave_out(self, slack: SlackStandIn, pagerduty: PagerDutyStandIn) -> None:
        """Take what people got until now for known: it is of an earlier scenario."""
        self._seen.update(key for key, _, _ in _all_told(slack, pagerduty))

    def _line(self, clock: str, who: str, text: Text) -> None:
        row = Table.grid(padding=(0, 2), expand=False)
        row.add_column(width=8, no_wrap=True, style="dim")
        row.add_column(width=10, no_wrap=True, style="magenta" if not clock else "dim")
        row.add_column(overflow="fold")
        row.add_row(clock, who, text)
        self.console.print(row)

    def _entry(self, entry: Entry) -> None:
        style = _KINDS.get(entry.kind, "")
        self.say(cut(entry.text, _LONGEST), style, who=entry.by, at=entry.at)

    def _evidence(self, record: Record) -> None:
        for reading in record.readings:
            mark = ("✗ ", "red") if reading.failed else ("✓ ", "green")
            self._line("", "", Text.assemble(mark, f"{reading.why}: ", (gist(reading), "dim")))
        for finding in record.findings:
            self._line("", "", Text.assemble(("for people: ", "yellow"), finding))

    def _once(self, key: str, who: str, text: str) -> None:
        if key not in self._seen:
            self._seen.add(key)
            shown = Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")
            self._line("", who, shown)

    def _ended(self, watch: WatchRecord, condition: Condition | None) -> None:
        if watch.samples and len(watch.samples) != len(self._samples):
            self._looks(watch.samples, condition)
        self._samples = []

    def _looks(self, samples: list[Sample], condition: Condition | None) -> None:
        self._samples = samples
        shown = samples[-_MOST_MARKS:]
        told = Text()
        for sample in shown:
            told.append(*_MARKS[sample.good])
        bars = _sparkline(shown, condition) if isinstance(condition, Below) else ""
        last = samples[-1]
        told.append(f" {bars} " if bars else " ")
        told.append(f"{count(len(samples), 'look')}: {last.note}", "dim")
        self._line(f"{last.at.astimezone():%H:%M:%S}", "watching", told)


def _told(message: Message) -> str:
    """Word a message as a line; a picture has no text of its own."""
    if message.text.strip():
        return f"{'↳ ' if message.thread_ts else '#incidents '}{message.text}"
    named = [str(file.get("title") or file.get("name")) for file in message.files]
    return f"↳ a chart: {', '.join(named)}" if named else "↳ (a message without text)"


def _sparkline(samples: list[Sample], condition: Below) -> str:
    values = [sample.value for sample in samples]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    top = max(*known, condition.threshold) or 1.0
    bars = (
        " " if value is None else _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)]
        for value in values
    )
    return "".join(bars)


def _all_told(slack: SlackStandIn, pagerduty: PagerDutyStandIn) -> Iterator[tuple[str, str, str]]:
    for alert in pagerduty.alerts:
        key = f"{alert.dedup_key}{alert.status}"
        yield key, "PagerDuty", f"{alert.status}: {alert.summary}"
    for message in slack.messages():
        yield message.ts, "Slack", _told(message)
