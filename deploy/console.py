"""The entry point of `responder`: the command line, with what runs and breaks things locally."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import typer

from starters.cli import application

_LOCAL = {"up": "deploy.local.up", "demo": "deploy.gameday.demo"}
"""Commands of this machine, and the modules that have them."""


def console() -> typer.Typer:
    """Make the whole command line."""
    app = application()
    for name, module in _LOCAL.items():
        # Not in every installation: an image for production leaves them out.
        if find_spec(module.rpartition(".")[0]) and find_spec(module):
            command = getattr(import_module(module), name)
            app.command(name, rich_help_panel="On this machine")(command)
    return app


def main() -> None:
    """Run `responder`."""
    console()()


if __name__ == "__main__":
    main()
