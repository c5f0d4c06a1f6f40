"""The commands that run the product, and the one that opens an incident by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from temporalio.client import Client

from activities.words import Severity
from starters.commands_people import As, Json, whoever
from starters.opening import by_hand, grouped, tell
from starters.paging_proof import keep_schedule
from starters.session import Exit, console, print_json, running, stop, talking
from starters.summarizing import keep_summaries
from starters.views import utc_now
from workers.search_attributes import missing, register
from workers.settings import Settings
from workflows.efforts import Queue

_SECONDS = 5.0


def worker(
    queue: Annotated[
        list[Queue] | None,
        typer.Option(help="A task queue to work on, may be repeated; all when left out."),
    ] = None,
) -> None:
    """Work on incidents until told to end (SIGTERM or Ctrl-C)."""
    # Brings in every system's client: only this command needs them.
    from workers.worker import run

    running(lambda settings: run(settings, tuple(queue or Queue)))


def serve() -> None:
    """Take webhooks until told to end (SIGTERM or Ctrl-C)."""
    from starters.serve import serve as serve_door

    running(serve_door)


def register_(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what is missing.")] = False,
) -> None:
    """Register the search attributes of incidents, and the daily test page; twice does no harm."""

    async def work(client: Client, settings: Settings) -> tuple[tuple[str, ...], str]:
        if check:
            return await missing(client), ""
        kept = (await keep_schedule(client, settings), await keep_summaries(client, settings))
        return await register(client), "\n".join(kept)

    found, scheduled = talking(work)
    names = ", ".join(found)
    if check and found:
        stop(Exit.FAILED, f"missing: {names}. `responder register` adds them.")
    console.print(f"registered: {names}" if found else "all search attributes are there")
    if scheduled:
        console.print(scheduled, markup=False)


def start(
    alert: Annotated[
        str, typer.Argument(help="Name of an alert; `responder procedures` has some.")
    ],
    *,
    service: Annotated[str, typer.Option(help="What is broken.")],
    why: Annotated[str, typer.Option(help="What you see, for whoever comes to help.")],
    severity: Annotated[Severity, typer.Option()] = Severity.WARNING,
    environment: Annotated[str, typer.Option(help="That of the settings when left out.")] = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Open an incident by hand; an open one of the same alert and service is told of it."""
    who = whoever(by)
    if not alert.strip() or not service.strip():
        raise typer.BadParameter("an alert and a service need a name")

    async def work(client: Client, settings: Settings) -> str:
        named = environment.strip() or settings.environment
        opened = by_hand(
            alert.strip(),
            service.strip(),
            severity,
            named,
            why=why,
            who=who,
            at=utc_now(),
        )
        [group] = grouped([opened], settings.alertmanager.scope_labels)
        await tell(
            client, group, settings.policy, environment=settings.environment, seconds=_SECONDS
        )
        return group.id

    name = talking(work)
    if as_json:
        print_json({"incident": name})
    else:
        # On one line however narrow the terminal is: it is there to be copied.
        console.print(f"{name} is open. Watch it:", markup=False)
        console.print(f"  responder watch {name}", markup=False, soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    panel = "Running it"
    app.command(rich_help_panel="What a person does")(start)
    for command in (worker, serve):
        app.command(rich_help_panel=panel)(command)
    app.command("register", rich_help_panel=panel)(register_)
