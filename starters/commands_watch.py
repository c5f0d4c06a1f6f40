"""The command that watches an incident, and lets it be acted on while it is watched."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from typing import Annotated

import typer
from temporalio.client import Client

from activities.record import Record
from starters import views
from starters.commands_people import As, Incident, door, whoever
from starters.finding import full_id, over
from starters.keys import Keys, Wanted
from starters.session import console, talking
from starters.watching import AGAIN_SECONDS, Watch, act_of, look
from workers.settings import Settings
from workflows.acts import Act


def watch(
    incident: Incident,
    *,
    full_screen: Annotated[
        bool, typer.Option("--full-screen", help="Use the whole screen; nothing is scrolled back.")
    ] = False,
    keys: Annotated[bool, typer.Option(help="Act by single keys, each asked about.")] = True,
    by: As = "",
) -> None:
    """Watch an incident until it is over; Ctrl-C stops watching, and nothing else.

    In a terminal: what it is, who has it, the plan, a chart of what is measured, the open question
    and what runs out when, with keys to act. Else: each new line of the timeline.
    """
    listens = keys and console.is_terminal and sys.stdin.isatty()
    who = whoever(by) if listens else ""

    def make(wanted: Wanted) -> Act:
        return act_of(wanted, by=who, via=door(), id=f"cli-{uuid.uuid4()}")

    async def work(client: Client, settings: Settings) -> None:  # noqa: ARG001
        name = await full_id(client, incident)
        if console.is_terminal:
            typing = Keys(who) if listens else None
            seen = Watch(client, name, console, keys=typing, make=make)
            await seen.run(full_screen=full_screen)
        else:
            await _follow(client, name)

    with contextlib.suppress(KeyboardInterrupt):
        talking(work)


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(rich_help_panel="What there is to see")(watch)


async def _follow(client: Client, name: str) -> None:
    """Write each new line of the timeline: for a file, or another program."""
    record: Record | None = None
    told, said = 0, ""
    while record is None or not over(record):
        newest, trouble = await look(client, name)
        record = newest or record
        if trouble and trouble != said:
            console.print(f"({trouble})", markup=False, soft_wrap=True)
        said = trouble
        if newest is not None:
            count = newest.left_out + len(newest.timeline)
            for entry in newest.timeline[-(count - told) :] if count > told else ():
                console.print(views.entry_line(entry), soft_wrap=True)
            told = count
        if record is None or not over(record):
            await asyncio.sleep(AGAIN_SECONDS)
