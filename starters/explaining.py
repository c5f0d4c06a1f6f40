"""How an alert is explained in a terminal: what would be done, before it fires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from activities.words import Severity
from workflows.explanation import DECIDES, Act, Explained, Response
from workflows.policy import Verdict

_SEVERITIES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_DECIDED = {
    DECIDES[Verdict.ACT]: "bold green",
    DECIDES[Verdict.ASK]: "bold yellow",
    DECIDES[Verdict.NEVER]: "dim",
}


def known(explained: Sequence[Explained]) -> RenderableType:
    """Show the procedures, a line or two each."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 1, 0))
    table.add_column("alert", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("recovered when", ratio=1)
    table.add_column("may change", ratio=1)
    for each in explained:
        severity = Text(each.severity, _SEVERITIES[each.facts.severity])
        # The names by which the settings approve a change beforehand.
        may = "\n".join(each.may) or "nothing"
        table.add_row(each.facts.name, severity, ";\n".join(each.recovered), may)
    return table


def whole(one: Explained) -> RenderableType:
    """Show all that can be said of one alert."""
    parts: list[RenderableType] = [_heading(one), _facts(one)]
    for response in one.responses:
        parts += [Text(), _response(response)]
    if one.always:
        parts += [Text(), Text("in each of these people are told, too", "dim")]
        parts += [_indented(f"→ {each}", "cyan") for each in one.always]
    if one.at_last:
        parts += [Text(), Text("if nothing helps", "dim"), _indented(one.at_last)]
    if one.by_hand:
        parts += [Text(), Text("by hand", "dim"), _indented(one.by_hand.rstrip())]
    return Group(*parts)


def _heading(one: Explained) -> Text:
    title = Text()
    title.append(
        f" {one.facts.severity.value.upper()} ", f"reverse {_SEVERITIES[one.facts.severity]}"
    )
    return title.append(f" {one.facts.name}: {one.facts.title}", "bold")


def _facts(one: Explained) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {
        "severity": one.severity,
        "impact": one.facts.impact,
        "fires": f"after {one.hold} of {one.rule.expression}{one.ours('expression')}",
        "recovered when": "; ".join(one.recovered),
        "who hears of it": "; ".join(one.told),
        "it looks at": " · ".join(one.looks),
        "it decides": one.decision,
        "runbook": one.facts.runbook,
    }
    for name, text in rows.items():
        if text:
            grid.add_row(name, Text(text))
    return grid


def _response(response: Response) -> Group:
    title = Text(response.situation, "bold")
    if response.declared:
        title.append(f" ({response.declared})", "dim")
    return Group(title, _indented(response.cause), *_acts(response), *_told(response))


def _acts(response: Response) -> Iterator[RenderableType]:
    for number, act in enumerate(response.acts, 1):
        decides = f"{act.decides}{_of_whom(act)}: "
        line = Text(f"{number}. ").append(decides, _DECIDED[act.decides])
        line.append(act.effect)
        also = "; ".join(filter(None, (act.why, act.risk, act.afterwards)))
        yield Padding(line, (0, 0, 0, 2))
        yield Padding(Text(also, "dim"), (0, 0, 0, 5))
        yield from (Padding(Text(f"· {each}", "dim"), (0, 0, 0, 5)) for each in act.details)
    if not response.acts:
        yield _indented(f"no step: {response.when_out or 'people decide'}", "yellow")


def _of_whom(act: Act) -> str:
    """Name those who may approve it; by default nobody may."""
    if act.decides != DECIDES[Verdict.ASK]:
        return ""
    names = ["everybody" if name == "*" else name for name in act.asked]
    return f" ({' or '.join(names)})" if names else " (the settings let nobody approve it)"


def _told(response: Response) -> Iterator[RenderableType]:
    yield from (_indented(f"→ people are told: {each}", "cyan") for each in response.findings)
    if response.acts and response.when_out:
        yield _indented(f"if nothing helps: {response.when_out}", "dim")


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2))
