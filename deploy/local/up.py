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
        int | None,
        typer.Option(
            min=0, max=65535, help="Where webhooks go; that of the settings when left out."
        ),
    ] = None,
    temporal_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where Temporal answers; 0 is a free one.")
    ] = TEMPORAL_PORT,
    ui_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where Temporal is looked at; 0 is a free one.")
    ] = UI_PORT,
) -> None:
    """Run Temporal, a worker and the door on this machine, until Ctrl-C or SIGTERM.

    Everything is kept in one folder: started again on it, open incidents go on.
    """
    try:
        running(
            lambda settings: _run(
                settings,
                folder,
                settings.door.port if door_port is None else door_port,
                temporal_port,
                ui_port,
            )
        )
    except FORESEEN as error:
        stop(Exit.FAILED, str(error))


async def _run(
    settings: Settings, folder: Path, door_port: int, temporal_port: int, ui_port: int
) -> None:
    chosen = [port for port in (door_port, temporal_port, ui_port) if port]
    if len(set(chosen)) < len(chosen):
        stop(Exit.USAGE, f"Temporal, its user interface and the door each need a port of their own;"
                         f" these are {temporal_port}, {ui_port} and {door_port}.")  # fmt: skip
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
    """Say what the settings' file decides as well, where the stack would choose for itself."""
    decided: dict[str, str] = {}
    if "folder" in settings.reports.model_fields_set:
        decided["RESPONDER_REPORTS__FOLDER"] = str(settings.reports.folder)
    if "ui" in settings.policy.model_fields_set:
        decided["RESPONDER_POLICY__UI"] = settings.policy.ui
    return {**os.environ, **decided}


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
