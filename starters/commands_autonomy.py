"""The commands about what steps have earned."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from activities.documents import clean
from starters.acting import Outcome
from starters.autonomy import ledger_of, move
from starters.commands_people import As, Json, whoever
from starters.session import console, print_json, talking
from workers.settings import Settings
from workflows.ledger import Ledger, Move

Environment = Annotated[str, typer.Option(help="That of the settings when left out.")]
Step = Annotated[str, typer.Argument(help="Activity and target: host.restart_service@redis")]


def autonomy(
    context: typer.Context, *, environment: Environment = "", as_json: Json = False
) -> None:
    """List what each step may do without a person, and how it got there."""
    if context.invoked_subcommand is not None:
        return

    async def work(client: Client, settings: Settings) -> tuple[bool, Ledger]:
        return settings.policy.autonomy.enabled, await ledger_of(
            client, environment or settings.environment
        )

    enabled, ledger = talking(work)
    if as_json:
        kept = ledger.model_dump(mode="json")["entries"]
        print_json({"enabled": enabled, "steps": kept})
        return
    if not enabled:
        console.print("Steps need not earn anything here: the policy alone decides.", style="dim")
    if ledger.entries:
        console.print(_table(ledger))
    else:
        console.print("No step is known yet.")


def promote(
    step: Step,
    *,
    why: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    environment: Environment = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Let a step do more, by one level; only who may approve its risk can."""
    _move(step, environment, by, why, up=True, as_json=as_json)


def demote(
    step: Step,
    *,
    why: Annotated[str, typer.Option(help="Why, for the ledger.")],
    environment: Environment = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Let a step do less, by one level."""
    _move(step, environment, by, why, up=False, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    panel = "What a person does"
    own = typer.Typer(invoke_without_command=True, help=autonomy.__doc__)
    own.callback()(autonomy)
    own.command("promote")(promote)
    own.command("demote")(demote)
    app.add_typer(own, name="autonomy", rich_help_panel=panel)


def _move(step: str, environment: str, by: str, why: str, *, up: bool, as_json: bool) -> None:
    if len(why) > 1000:
        raise typer.BadParameter("a reason has at most 1000 characters", param_hint="--why")
    what = Move(id=f"cli-{uuid.uuid4()}", by=whoever(by), step=step[:400], up=up, why=why)

    async def work(client: Client, settings: Settings) -> Outcome:
        return await move(client, settings.policy, environment or settings.environment, what)

    outcome = talking(work)
    if as_json:
        print_json({"step": step, "said": outcome.said})
    else:
        console.print(outcome.said, style="green", markup=False, soft_wrap=True)


def _table(ledger: Ledger) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("step", "may", "verified", "proposed", "because"):
        table.add_column(head, no_wrap=head == "step")
    for name in sorted(ledger.entries):
        entry = ledger.entries[name]
        table.add_row(
            clean(name),
            entry.level.value,
            f"{entry.successes} helped here, {entry.failures} ever in vain",
            Text(entry.proposed.value if entry.proposed else "", "bold yellow"),
            clean(entry.why),
        )
    return table
