"""The commands that look and change nothing."""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter
from temporalio.client import Client

from activities.record import Phase, Record
from activities.words import Severity
from starters import views
from starters.commands_environment import tell_frozen
from starters.commands_people import As, Incident, Json, whoever
from starters.completing import alert_names
from starters.finding import (
    Filters,
    Listed,
    NoWorker,
    described,
    full_id,
    held_by,
    incidents,
    record_of,
)
from starters.session import Exit, console, errors, print_json, stop, talking
from workers.settings import Settings, SettingsWrong, load

if TYPE_CHECKING:
    from workflows.policy import Policy
    from workflows.procedures.base import Given


def list_(
    *,
    closed: Annotated[
        bool, typer.Option("--closed", "--all", help="Also those that are over.")
    ] = False,
    mine: Annotated[
        bool, typer.Option("--mine", help="Those that you have acknowledged or taken over.")
    ] = False,
    severity: Annotated[Severity | None, typer.Option()] = None,
    phase: Annotated[Phase | None, typer.Option(help="As the list shows it.")] = None,
    service: Annotated[str, typer.Option()] = "",
    environment: Annotated[str, typer.Option()] = "",
    alert: Annotated[
        str, typer.Option(help="Such as HighAPILatency.", autocompletion=alert_names)
    ] = "",
    indicator: Annotated[str, typer.Option(help="What it is about, such as APILatency.")] = "",
    most: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    by: As = "",
    as_json: Json = False,
) -> None:
    """List the open incidents, the newest first."""
    filters = Filters(
        closed=closed,
        severity=severity.value if severity else "",
        phase=phase.value if phase else "",
        service=service,
        environment=environment,
        indicator=indicator,
        alert=alert,
    )
    who = whoever(by) if mine else ""

    async def work(client: Client, settings: Settings) -> list[Listed]:  # noqa: ARG001
        await tell_frozen(client)
        found = await incidents(client, filters, most)
        return await held_by(client, found, who) if mine else found

    found = talking(work)
    if as_json:
        print_json([dataclasses.asdict(each) for each in found])
    elif found:
        console.print(views.listing(found, views.utc_now()))
    else:
        nothing = filters == Filters() and not mine
        console.print("No incident is open." if nothing else "None fits.")


def show(incident: Incident, *, as_json: Json = False) -> None:
    """Show all that is known of an incident."""

    async def work(client: Client, settings: Settings) -> Record | Listed:  # noqa: ARG001
        name = await full_id(client, incident)
        try:
            return await record_of(client, name)
        except NoWorker:
            return await described(client, name)

    found = talking(work)
    if isinstance(found, Record):
        if as_json:
            print_json(found.model_dump(mode="json"))
        else:
            console.print(views.whole(found))
            if (asked := views.next_steps(found)) is not None:
                console.print(asked, soft_wrap=True)
        return
    if as_json:
        stop(Exit.NO_ANSWER, "no worker answers: the record cannot be asked for now")
    console.print(views.listing([found], views.utc_now()))
    stop(
        Exit.NO_ANSWER,
        "No worker answers, so this is all that can be known now. Nothing is lost: the incident "
        "goes on when one runs (`responder worker`).",
    )


def procedures(*, as_json: Json = False) -> None:
    """Name the procedures: one for each alert that is known, and what each may change."""
    from starters import explaining
    from workflows.explanation import everything

    known = everything(*_settled())
    if as_json:
        print_json(
            [
                {**each.facts.model_dump(mode="json"), "recovered": each.recovered, "may": each.may}
                for each in known
            ]
        )
        return
    console.print(explaining.known(known))
    console.print("responder explain ALERT says what it would do, and who would be asked.")


def explain(
    alert: Annotated[
        str,
        typer.Argument(
            help="Such as HighAPILatency; it may be cut short.", autocompletion=alert_names
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Explain an alert: what would be looked at and done in which situation, asking whom."""
    from starters import explaining
    from workflows.explanation import Explained, explained
    from workflows.procedures import PROCEDURES

    known = {kind.__name__: kind for kind in PROCEDURES}
    fits = [name for name in known if name.lower() == alert.lower()] or [
        name for name in known if name.lower().startswith(alert.lower())
    ]
    if len(fits) != 1:
        near = fits or difflib.get_close_matches(alert, known) or list(known)
        stop(Exit.NOT_THERE, f"{alert} is no single alert with a procedure: {', '.join(near)}?")
    one = explained(known[fits[0]], *_settled())
    if as_json:
        print_json(TypeAdapter(Explained).dump_python(one, mode="json"))
    else:
        console.print(explaining.whole(one))


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    panel = "What there is to see"
    app.command("list", rich_help_panel=panel)(list_)
    for command in (show, procedures, explain):
        app.command(rich_help_panel=panel)(command)


def _settled() -> tuple[Given, Policy]:
    """Read what the procedures of this installation are given, and its policy, where that can be.

    At 3 a.m. a mistyped variable must not be what hides the runbook.
    """
    from workflows.policy import Policy
    from workflows.procedures.base import Given

    try:
        settings = load()
    except SettingsWrong as error:
        errors.print(f"As the defaults are, for {error}", markup=False, soft_wrap=True)
        return Given(), Policy()
    return settings.given, settings.policy
