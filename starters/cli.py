"""The command line: `responder`."""

from __future__ import annotations

import typer

from starters import (
    commands_autonomy,
    commands_doctor,
    commands_environment,
    commands_look,
    commands_people,
    commands_serve,
    commands_watch,
)

_HELP = """Answers an alert as its runbook says, durably; and this is how people take part.

Settings are RESPONDER_… variables or responder.toml; Temporal is where TEMPORAL_ADDRESS says.

Exit status: 0 done, or recorded to be done by the next worker; 1 failed; 2 called wrongly, or \
wrong settings; 3 Temporal cannot be reached; 4 no such incident; 5 refused by the incident; \
6 no worker answers: the words say whether it may still be done.
"""


def application() -> typer.Typer:
    """Make the command line, without what belongs to deploying."""
    app = typer.Typer(
        name="responder",
        help=_HELP,
        no_args_is_help=True,
        # A pretty trace shows what variables hold, secrets included.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    commands_look.add_to(app)
    commands_watch.add_to(app)
    commands_people.add_to(app)
    commands_environment.add_to(app)
    commands_autonomy.add_to(app)
    commands_serve.add_to(app)
    commands_doctor.add_to(app)
    return app
