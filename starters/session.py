"""What every command does around its own business: settings, connection, and words for failures."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starters.acting import NotRecorded, NotTaken, NotThere, Refused
from starters.finding import NoWorker
from workers.connection import NoTemporal, connect, temporal_config, unreachable
from workers.ending import goodbye
from workers.settings import Settings, SettingsWrong, load

T = TypeVar("T")


class Exit(IntEnum):
    """What a command's exit status means; scripts rely on it."""

    DONE = 0
    """Done; or recorded, to be done by the next worker."""
    FAILED = 1
    """Something unforeseen."""
    USAGE = 2
    """Called wrongly, or the settings cannot be used."""
    NO_TEMPORAL = 3
    """Temporal cannot be reached: nothing was done."""
    NOT_THERE = 4
    """No such incident, or its id's beginning fits several."""
    REFUSED = 5
    """The incident said no."""
    NO_ANSWER = 6
    """No worker answered: what was asked was not done yet, and the text says whether it may be."""


console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def talking(work: Callable[[Client, Settings], Awaitable[T]]) -> T:
    """Do *work* with a connection to Temporal; what goes wrong ends the command with words."""
    return running(lambda settings: _connected(settings, work))


def running(work: Callable[[Settings], Awaitable[T]]) -> T:
    """Do *work* with the settings; what goes wrong ends the command with words."""

    async def whole(settings: Settings) -> T:
        return await work(settings)

    try:
        return asyncio.run(whole(load()))
    except SettingsWrong as error:
        stop(Exit.USAGE, str(error))
    except NoTemporal as error:
        stop(Exit.NO_TEMPORAL, str(error))
    except NotThere as error:
        stop(Exit.NOT_THERE, str(error))
    except Refused as error:
        stop(Exit.REFUSED, f"Refused: {error}")
    except (NotRecorded, NoWorker) as error:
        stop(Exit.NO_ANSWER, str(error))
    except NotTaken as error:
        stop(Exit.FAILED, str(error))
    except RPCError as error:
        _temporal_said(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def stop(code: Exit, message: str) -> NoReturn:
    """End the command with words on the standard error output."""
    errors.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print for a script: one JSON value, nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


async def _connected(settings: Settings, work: Callable[[Client, Settings], Awaitable[T]]) -> T:
    # The SDK logs what we say in words ourselves.
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    client = await connect(settings.codec, role="cli")
    try:
        return await work(client, settings)
    finally:
        await goodbye()


def _temporal_said(error: RPCError) -> NoReturn:
    if error.status is RPCStatusCode.NOT_FOUND:
        stop(Exit.NO_TEMPORAL, f"{error.message} (TEMPORAL_NAMESPACE names another)")
    if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
        stop(Exit.NO_TEMPORAL, f"Temporal lets nobody in who shows this key: {error.message}")
    if unreachable(error):
        stop(Exit.NO_TEMPORAL, str(NoTemporal(temporal_config()["target_host"])))
    stop(Exit.FAILED, f"Temporal said: {error.message}")
