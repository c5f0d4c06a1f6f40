"""What the terminal shows of a game day: a story told once, line by line, to scroll back in."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from activities.record import Phase, Record
from activities.verification import Below, Sample
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import SlackStandIn

_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {True: "[green]●[/]", False: "[red]●[/]", None: "[yellow]○[/]"}
_MOST_MARKS = 40
_LOOKS_A_LINE = 8
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
    """Tells what is new since it last looked."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lines = 0
        self._phase: Phase | None = None
        self._seen: set[str] = set()
        self._samples = 0
        self._told_evidence = False

    def header(self, title: str, *lines: str) -> None:
        """Open the show."""
        self.console.print(Panel("\n".join(lines), title=f"[bold]{escape(title)}", expand=False))

    def say(self, text: str, style: str = "") -> None:
        """Say a line of our own."""
        self.console.print(Text(f"{datetime.now():%H:%M:%S}  ", "dim").append(text, style))  # noqa: DTZ005 - the reader's clock

    def record(self, record: Record) -> None:
        """Tell what came into the record."""
        if record.phase is not self._phase:
            self._phase, self._samples = record.phase, 0
            self.console.print(Rule(f"[bold]{record.phase.value.upper()}", align="left"))
        if record.readings and not self._told_evidence:
            self._told_evidence = True
            self._evidence(record)
        whole = record.left_out + len(record.timeline)
        for entry in record.timeline[len(record.timeline) - (whole - self._lines) :]:
            by = "" if entry.by == "responder" else f"[bold]{escape(entry.by)}[/]: "
            style = _KINDS.get(entry.kind, "")
            text = f"[{style}]{escape(entry.text)}[/]" if style else escape(entry.text)
            self.console.print(f"[dim]{entry.at.astimezone():%H:%M:%S}[/]  {by}{text}")
        self._lines = whole

    def samples(self, samples: list[Sample], record: Record) -> None:
        """Tell how a watch goes on: at every turn, and every few looks."""
        fresh = samples[self._samples :]
        if not fresh:
            return
        before = samples[self._samples - 1].good if self._samples else None
        turned = any(
            now.good != last
            for now, last in zip(fresh, [before, *(s.good for s in fresh)], strict=False)
        )
        if not turned and len(fresh) < _LOOKS_A_LINE:
            return
        self._samples = len(samples)
        condition = record.facts.condition if record.facts else None
        marks = "".join(_MARKS[sample.good] for sample in samples[-_MOST_MARKS:])
        line = f" {_sparkline(samples, condition)}" if isinstance(condition, Below) else ""
        at, note = f"{fresh[-1].at.astimezone():%H:%M:%S}", escape(fresh[-1].note)
        self.console.print(f"[dim]{at}[/]  {marks}{line} [dim]{len(samples)} looks: {note}[/]")

    def messages(self, slack: SlackStandIn, pagerduty: PagerDutyStandIn) -> None:
        """Tell what people got on their phones and in their channel."""
        for alert in pagerduty.alerts:
            self._once(
                f"{alert.dedup_key}{alert.status}", "PagerDuty", f"{alert.status}: {alert.summary}"
            )
        for message in slack.messages():
            where = "Slack thread" if message.thread_ts else "Slack #incidents"
            self._once(f"{message.ts}", where, message.text)

    def _once(self, key: str, where: str, text: str) -> None:
        if key in self._seen:
            return
        self._seen.add(key)
        first, *rest = text.strip().splitlines() or [""]
        more = f" [dim](+{len(rest)} lines)[/]" if rest else ""
        self.console.print(f"          [magenta]✉ {where}[/] {escape(first[:140])}{more}")

    def _evidence(self, record: Record) -> None:
        for reading in record.readings:
            mark = "[red]✗[/]" if reading.failed else "[green]✓[/]"
            said = reading.failed or _short(reading.answer)
            self.console.print(f"          {mark} {escape(reading.why)}: [dim]{escape(said)}[/]")
        for finding in record.findings:
            self.console.print(f"          [yellow]for people:[/] {escape(finding)}")


def _short(answer: object) -> str:
    if not isinstance(answer, dict):
        return str(answer)[:100]
    plain = (f"{k} {v}" for k, v in answer.items() if isinstance(v, str | int | float) and v != "")
    return ", ".join(plain)[:110]


def _sparkline(samples: list[Sample], condition: Below) -> str:
    values = [sample.value for sample in samples[-_MOST_MARKS:]]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    top = max(*known, condition.threshold) or 1.0
    bars = (
        " " if value is None else _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)]
        for value in values
    )
    return f"{''.join(bars)}"
