"""`responder demo`: break a real component, and watch the response live until it is resolved."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from temporalio.service import RPCError

from deploy.gameday.day import PACE
from deploy.gameday.performance import Performance
from deploy.gameday.scenarios import SCENARIOS
from deploy.gameday.show import Show
from deploy.local import data
from deploy.local.ending import FORESEEN, in_words
from deploy.local.scratch import Scratch
from starters.session import Exit, stop

REPORTS = Path("reports")
"""Where reports stay when all else goes."""


def demo(
    scenario: Annotated[str, typer.Argument(help="What to break; see --list.")] = "redis",
    *,
    list_: Annotated[bool, typer.Option("--list", help="List what can be broken.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve whatever is asked.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all up to look at.")] = False,
    pace: Annotated[
        float, typer.Option(min=0.02, max=1.0, help="Every wait is shortened by this factor.")
    ] = PACE,
    folder: Annotated[
        Path | None, typer.Option("--data", help="Folder for all data; else a new one.")
    ] = None,
) -> None:
    """Break a real component of a small platform, and show the response until it is over.

    Ends with 0 only if it was resolved by recovery, with a report, nothing temporary left, no
    incident open and the platform healthy.
    """
    console = Console(highlight=False)
    if list_:
        for known in SCENARIOS.values():
            console.print(f"[bold]{known.name:12}[/] {known.alert}: {known.story}")
        return
    if scenario not in SCENARIOS:
        stop(Exit.USAGE, f"There is no {scenario!r}; there are {', '.join(SCENARIOS)}.")
    performance = Performance(SCENARIOS[scenario], Show(console), yes=yes, keep=keep, pace=pace)
    if folder is not None:
        raise typer.Exit(_played(performance, folder.absolute(), reports=None))
    scratch = Scratch("responder-demo-")
    # Where nothing can be written to, the report stays with all else.
    stays = keep or not os.access(Path.cwd(), os.W_OK)
    status = int(Exit.FAILED)
    try:
        status = _played(performance, scratch.path, None if stays else REPORTS.absolute())
    finally:
        if stays or status == Exit.FAILED:
            console.print(f"All data and logs are left in {scratch.keep()}", soft_wrap=True)
        else:
            scratch.remove()
    raise typer.Exit(status)


def _played(performance: Performance, folder: Path, reports: Path | None) -> int:
    """Play it in a folder of its own; what can go wrong is told in a sentence."""
    try:
        with data.taken(folder):
            return asyncio.run(performance.play(folder, reports))
    except (*FORESEEN, RPCError, OSError) as error:
        stop(Exit.FAILED, in_words(error))
    except KeyboardInterrupt:
        return 130
