"""`responder up`: Temporal, worker and door in one command, for as long as it runs."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from deploy.local import data, ports
from deploy.local.ending import FORESEEN, ended_when_asked
from deploy.local.greeting import TEMPORAL_PORT, greeting
from deploy.local.stack import Stack
from starters.session import Exit, running, stop
from workers.settings import Settings

UI_PORT = 8233
"""Where people look for Temporal when they are told nothing."""

DATA = Path(".local/data")

_CRASH_AT_EXIT_SECONDS = 0.3
"""sdk-python#300: a process that ends just after the last use of a client may abort."""


def up(
    folder: Annotated[
        Path, typer.Option("--data", help="Where everything is kept: go on with it, or begin it.")
    ] = DATA,
    door_port: Annotated[
        int | None, typer.Option(help="Where webhooks go; that of the settings when left out.")
    ] = None,
    temporal_port: Annotated[int, typer.Option(help="Where Temporal answers.")] = TEMPORAL_PORT,
    ui_port: Annotated[int, typer.Option(help="Where Temporal is looked at.")] = UI_PORT,
) -> None:
    """Run Temporal, a worker and the door on this machine, until Ctrl-C or SIGTERM.

    Everything is kept in one folder: started again on it, open incidents go on.
    """
    try:
        running(
            lambda settings: _run(
                settings, folder, door_port or settings.door.port, temporal_port, ui_port
            )
        )
    except FORESEEN as error:
        stop(Exit.FAILED, str(error))


async def _run(
    settings: Settings, folder: Path, door_port: int, temporal_port: int, ui_port: int
) -> None:
    # Before anything is started, and this first: the ports of the one that has it are taken too.
    with data.taken(folder.absolute()):
        pass
    for port, name, option in (
        (temporal_port, "Temporal", "--temporal-port"),
        (ui_port, "Temporal's user interface", "--ui-port"),
        (door_port, "the door", "--door-port"),
    ):
        await ports.require_free(port, name, instead=f"choose another with {option}")
    stack = Stack(
        folder,
        environment=_environment(settings),
        token=settings.alertmanager.token
        if settings.alertmanager.token.get_secret_value()
        else None,
        temporal_port=temporal_port,
        ui_port=ui_port,
        door_port=door_port,
        tell=_tell,
    )
    with ended_when_asked():
        async with stack:
            typer.echo(greeting(stack, settings))
            await asyncio.Event().wait()
    await asyncio.sleep(_CRASH_AT_EXIT_SECONDS)
    typer.echo("Stopped. Open incidents go on when it is started again.")


def _environment(settings: Settings) -> dict[str, str]:
    chosen = "folder" in settings.reports.model_fields_set
    folder = {"RESPONDER_REPORTS__FOLDER": str(settings.reports.folder)} if chosen else {}
    return {**os.environ, **folder}


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
