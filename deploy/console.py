"""The entry point of `responder`: the command line, with what runs and breaks things locally."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from starters.cli import application

_PANEL = "On this machine"
_LOCAL = {
    "up": (
        "deploy.local.up",
        "Run Temporal, a worker and the door on this machine, until Ctrl-C or SIGTERM.",
    ),
    "demo": (
        "deploy.gameday.demo",
        "Break a real component of a small platform, and show the response until it is over.",
    ),
    "gameday": (
        "deploy.gameday.scorecard",
        "Break one thing after the other, and score how each was answered.",
    ),
}
"""Commands of this machine: the modules that have them, and what they say of themselves.

Imported by the command itself alone: what runs in production brings in no game day.
"""


class _Local(TyperGroup):
    """The command line, and the commands of this machine behind it.

    Types of click are not named: whether typer brings its own depends on its version.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Name all commands, those of this machine last."""
        return [*super().list_commands(ctx), *filter(_is_here, _LOCAL)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a command, or what is shown of one of this machine in the list of all."""
        if cmd_name in _LOCAL and _is_here(cmd_name):
            return TyperCommand(cmd_name, help=_LOCAL[cmd_name][1], rich_help_panel=_PANEL)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that is to be carried out, with its options."""
        if args and args[0] in _LOCAL and _is_here(args[0]):
            return args[0], _load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def console() -> typer.Typer:
    """Make the whole command line."""
    app = application()
    app.info.cls = _Local
    return app


def main() -> None:
    """Run `responder`."""
    try:
        console()(prog_name="responder")
    except SystemExit as ended:
        if not isinstance(ended.code, int | None) or set(sys.argv[1:2]) & _LOCAL.keys():
            raise
        # What Temporal's client leaves behind may crash the interpreter as it ends, and with it
        # the exit status that a script reads (sdk-python#300). Nothing here waits for that end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)


def _is_here(name: str) -> bool:
    # Not in every installation: an image for production leaves them out.
    module = _LOCAL[name][0]
    return bool(find_spec(module.rpartition(".")[0]) and find_spec(module))


def _load(name: str) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(getattr(import_module(_LOCAL[name][0]), name))
    return typer.main.get_command(alone)


if __name__ == "__main__":
    main()
