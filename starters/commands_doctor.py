"""The command that looks at every integration, and how what it finds is shown."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from activities.documents import clean
from starters.commands_people import As, Json, whoever
from starters.paging_proof import prove_page
from starters.session import Exit, console, errors, print_json, running, talking
from workers.ending import goodbye
from workers.settings import Settings
from workflows.page_proof import Proof

if TYPE_CHECKING:
    from workers.checks.check import Diagnosis

_STYLES = {"ok": "green", "wrong": "bold red", "not configured": "dim"}


def doctor(
    *,
    changes: Annotated[
        bool,
        typer.Option(help="Also the rights to change something; only `changes` needs them."),
    ] = True,
    page: Annotated[
        bool,
        typer.Option(
            "--page",
            help="Send a marked test page instead, and wait for a person to acknowledge it.",
        ),
    ] = False,
    level: Annotated[str, typer.Option(help="Whom to page; that of the settings if not.")] = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Look at every integration and say which right is missing; nothing is changed or sent.

    It looks from this machine, with this machine's settings. Exit status 1: something is wrong.
    """
    if page:
        _prove(level, whoever(by), as_json=as_json)
        return
    # Brings in every system's client: only this command and the worker need them.
    from workers.checks.doctor import diagnosed

    # The SDK logs what we say in words ourselves.
    logging.getLogger("temporalio").setLevel(logging.ERROR)

    async def work(settings: Settings) -> list[Diagnosis]:
        try:
            return await diagnosed(settings, changes=changes)
        finally:
            await goodbye()

    found = running(work)
    if as_json:
        print_json([dataclasses.asdict(each) for each in found])
    else:
        console.print(diagnoses(found))
    if any(each.state == "wrong" for each in found):
        raise typer.Exit(Exit.FAILED)


def _prove(level: str, by: str, *, as_json: bool) -> None:
    async def work(client: Client, settings: Settings) -> Proof:
        say = errors.print if as_json else console.print
        return await prove_page(client, settings, by=by, level=level, say=say)

    proof = talking(work)
    if as_json:
        print_json(proof.model_dump(mode="json"))
    else:
        console.print(f"proven: {proof.said}", markup=False)


def diagnoses(found: Sequence[Diagnosis]) -> RenderableType:
    """Show what was found, and under it what is to be done."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("integration", no_wrap=True)
    table.add_column("is", no_wrap=True)
    table.add_column("what was found, and what to do", ratio=1, overflow="fold")
    for each in found:
        style = _STYLES[each.state]
        lines = Text(clean(each.said), "dim" if each.state == "not configured" else "")
        for todo in each.todo:
            lines.append("\n" if lines.plain else "").append(f"✗ {clean(todo)}", "red")
        table.add_row(Text(each.integration), Text(each.state, style), lines)
    count = {state: sum(each.state == state for each in found) for state in _STYLES}
    said = ", ".join(f"{number} {state}" for state, number in count.items())
    return Group(table, Text(), Text(said, _STYLES["wrong"] if count["wrong"] else ""))


def add_to(app: typer.Typer) -> None:
    """Put this command on the command line."""
    app.command(rich_help_panel="Running it")(doctor)
