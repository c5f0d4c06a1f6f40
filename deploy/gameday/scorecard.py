"""`responder gameday`: every scenario one after the other, and a table of how well it went."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from temporalio.service import RPCError

from activities.record import StepState
from deploy.gameday.day import PACE, Day
from deploy.gameday.demo import REPORTS
from deploy.gameday.performance import Performance, Performed
from deploy.gameday.scenarios import SCENARIOS, Scenario
from deploy.gameday.show import Show
from deploy.gameday.verdict import handed_over
from deploy.local import data
from deploy.local.ending import FORESEEN, ended_when_asked, in_words
from deploy.local.scratch import Scratch
from starters.session import Exit, stop
from workers.ending import goodbye

_TAKEN = (StepState.DONE, StepState.HELPED, StepState.UNHELPFUL, StepState.UNDONE)
_COLUMNS = (
    "scenario", "alert", "detected", "paged", "mitigated", "resolved", "steps", "by people",
    "messages", "pages", "as found", "well",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """How well one scenario went; times are seconds after the fault."""

    scenario: str
    alert: str
    detected: float | None = None
    """When the alert fired."""
    paged: float | None = None
    mitigated: float | None = None
    resolved: float | None = None
    steps: tuple[str, ...] = ()
    """The changes that were made, in order."""
    by_people: bool = False
    """Whether it was left to people for a while."""
    messages: int = 0
    pages: int = 0
    left_as_found: bool = False
    wrong: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether all is as it must be."""
        return not self.wrong

    def cells(self) -> tuple[str, ...]:
        """Give the row of a table."""
        times = (self.detected, self.paged, self.mitigated, self.resolved)
        return (
            self.scenario,
            self.alert,
            *("-" if each is None else f"{each:.1f}" for each in times),
            ", ".join(self.steps) or "none",
            "yes" if self.by_people else "no",
            str(self.messages),
            str(self.pages),
            "yes" if self.left_as_found else "NO",
            "yes" if self.well else "NO",
        )


def score(performed: Performed) -> Score:
    """Measure how a scenario went."""
    scenario, record, broken = performed.scenario, performed.record, performed.broken_at
    found = not performed.unwell
    if record is None or broken is None:
        return Score(
            scenario.name, scenario.alert, left_as_found=found, wrong=tuple(performed.wrong)
        )

    def after(at: datetime | None) -> float | None:
        return None if at is None else round((at - broken).total_seconds(), 1)

    return Score(
        scenario=scenario.name,
        alert=scenario.alert,
        detected=after(record.starts_at),
        paged=after(record.paged_at),
        mitigated=after(record.mitigated_at),
        resolved=after(record.resolution.at if record.resolution else None),
        steps=tuple(step.key for step in record.steps if step.state in _TAKEN),
        by_people=handed_over(record),
        messages=performed.messages,
        pages=performed.pages,
        left_as_found=found,
        wrong=tuple(performed.wrong),
    )


async def play(
    scenarios: Sequence[Scenario],
    folder: Path,
    console: Console,
    scores: list[Score],
    *,
    pace: float,
) -> None:
    """Play scenarios one after the other: on one day, as long as it is left as it was found."""
    async with AsyncExitStack() as going:
        day: Day | None = None
        for number, scenario in enumerate(scenarios, 1):
            console.print(f"{number}/{len(scenarios)} {scenario.name}: {scenario.story}")
            if day is None:
                day = await going.enter_async_context(Day(folder / f"day-{number}", pace=pace))
            scores.append(await _played(scenario, day, folder, pace))
            console.print(f"    {said(scores[-1])}", style="" if scores[-1].well else "bold red")
            if not scores[-1].well:
                await going.aclose()
                day = None


async def _played(scenario: Scenario, day: Day, folder: Path, pace: float) -> Score:
    # What happens in it is for whoever wants to know why: a file beside its data.
    with (folder / f"{scenario.name}.log").open("w") as log:
        show = Show(Console(file=log, width=120))
        performance = Performance(scenario, show, yes=True, pace=pace)
        try:
            scored = score(await performance.perform(day, await day.stack.client()))
        except Exception as error:  # noqa: BLE001 (one that cannot be played is not well; on with the next)
            wrong = f"it could not be played: {type(error).__name__}: {in_words(error)}"
            return Score(scenario.name, scenario.alert, wrong=(wrong,))
    # What was unusual in it is no longer what the next one is compared with.
    day.used_since = time.monotonic()
    return scored


def said(one: Score) -> str:
    """Say in a line how it went."""
    if one.wrong:
        return f"NOT WELL: {'; '.join(one.wrong)}"
    return f"well: resolved {one.resolved} s after the fault, with {len(one.steps)} steps"


def table(scores: Sequence[Score]) -> Table:
    """Show the figures in a terminal; what was changed is in the file."""
    shown = Table(title=_title(scores), title_justify="left", box=None, padding=(0, 2, 0, 0))
    shown.add_column("", no_wrap=True)
    for column in ("fired", "paged", "helped", "closed", "steps", "posts", "found"):
        shown.add_column(column, justify="right", no_wrap=True)
    for one in scores:
        _, _, *times, _, _, messages, pages, found, _ = one.cells()
        shown.add_row(
            f"{'✓' if one.well else '✗'} {one.scenario}",
            *times,
            str(len(one.steps)),
            f"{messages}+{pages}",
            found,
            style="" if one.well else "bold red",
        )
    shown.caption = (
        "Seconds after the fault until the alert fired, somebody was paged, a step helped, it was "
        "closed. Posts: messages on Slack + pages. Found: left as it was found."
    )
    shown.caption_justify = "left"
    return shown


def markdown(scores: Sequence[Score], *, pace: float, at: datetime) -> str:
    """Write the scores for a page."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(one.cells() for one in scores)]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    wrong = [f"- {one.scenario}: {each}" for one in scores for each in one.wrong]
    how = (
        f"Times are after the fault, at a pace of {pace:g}: every wait of the responder is "
        "shortened to that share of real life. Whatever it asked was approved."
    )
    return "\n".join(
        [
            f"# Game day of {at:%Y-%m-%d %H:%M} UTC",
            "",
            f"{_title(scores)} {how}",
            "",
            *lines,
            *(["", "## Not well", "", *wrong] if wrong else []),
            "",
        ]
    )


def _title(scores: Sequence[Score]) -> str:
    return f"{sum(one.well for one in scores)} of {len(scores)} scenarios went well."


def gameday(
    names: Annotated[
        list[str] | None, typer.Argument(help="What to break; everything when left out.")
    ] = None,
    *,
    pace: Annotated[
        float, typer.Option(min=0.02, max=1.0, help="Every wait is shortened by this factor.")
    ] = PACE,
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder for all data; else a new one.")
    ] = None,
    results: Annotated[
        Path, typer.Option(help="Folder for gameday.md and gameday.json.")
    ] = REPORTS,
) -> None:
    """Break one thing after the other, and score how each was answered.

    Ends with 0 only if every scenario was resolved by recovery, as it should be, and left
    everything as it was found.
    """
    console = Console(highlight=False)
    if strange := [name for name in names or () if name not in SCENARIOS]:
        stop(Exit.USAGE, f"There is no {', '.join(strange)}; there are {', '.join(SCENARIOS)}.")
    chosen = [SCENARIOS[name] for name in names or SCENARIOS]
    scratch = None if folder else Scratch("responder-gameday-")
    place = scratch.path if scratch else (folder or Path()).absolute()
    scores: list[Score] = []
    status = int(Exit.FAILED)
    try:
        status = _whole(chosen, place, console, scores, pace)
    finally:
        if scratch is not None and status == Exit.DONE:
            scratch.remove()
        elif scratch is not None:
            console.print(f"All data and logs are left in {scratch.keep()}", soft_wrap=True)
        if scores:
            _keep(scores, results.absolute(), pace)
            console.print(table(scores))
            console.print(f"Kept in {results / 'gameday.md'} and gameday.json", soft_wrap=True)
    raise typer.Exit(status)


def _whole(
    chosen: Sequence[Scenario], folder: Path, console: Console, scores: list[Score], pace: float
) -> int:
    """Play all of it, and give the exit status; what can go wrong is told in a sentence."""

    async def played() -> int:
        with ended_when_asked() as asked:
            await play(chosen, folder, console, scores, pace=pace)
        await goodbye()
        return asked.status

    try:
        with data.taken(folder):
            status = asyncio.run(played())
    except (*FORESEEN, RPCError, OSError) as error:
        stop(Exit.FAILED, in_words(error))
    except KeyboardInterrupt:
        return 130
    return status or int(Exit.DONE if all(one.well for one in scores) else Exit.FAILED)


def _keep(scores: Sequence[Score], folder: Path, pace: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC)
    (folder / "gameday.md").write_text(markdown(scores, pace=pace, at=at))
    kept = {"at": at.isoformat(), "pace": pace, "scores": [asdict(each) for each in scores]}
    (folder / "gameday.json").write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
