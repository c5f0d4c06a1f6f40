"""The commands that concern a whole environment."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

import typer
from temporalio.client import Client

from activities.documents import clean
from starters.acting import NotRecorded, NotTaken, Outcome, State
from starters.commands_people import As, Json, door, whoever
from starters.freezing import environments, freeze, meant, unfreeze
from starters.session import Exit, console, errors, print_json, stop, talking
from starters.views import utc_now
from workers.settings import Settings
from workflows.acts import Act
from workflows.policy import Policy

_MOST_TEXT = 3000
_NAMELESS = "the environment without a name"

Named = Annotated[
    str,
    typer.Option(help="Only this one; else that of the settings and all that Temporal knows."),
]
Doing = Callable[[Client, Policy, str, Act], Awaitable[Outcome]]


def freeze_(
    *,
    why: Annotated[str, typer.Option(help="Why, for everybody to read.")],
    environment: Named = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Stop all changes and automatic undo at once; measuring, paging and renewing go on."""
    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--why")
    _everywhere(freeze, environment, by, why, as_json=as_json)


def unfreeze_(
    *,
    why: Annotated[str, typer.Option(help="What was done meanwhile.")] = "",
    environment: Named = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Let every incident go on where it stood."""
    _everywhere(unfreeze, environment, by, why, as_json=as_json)


def summary(
    *,
    week: Annotated[bool, typer.Option("--week", help="Of the last seven days.")] = False,
    days: Annotated[float, typer.Option(min=0.01, max=31, help="Of so many.")] = 7,
    environment: Annotated[str, typer.Option(help="Only of this one.")] = "",
    as_json: Json = False,
) -> None:
    """Tell of the incidents that closed: what was done, would have been, and what people did."""
    # Brings in more than the acts of people need.
    from activities.week import Span, Week, gather
    from workflows import week_words

    until = utc_now()
    span = Span(
        since=until - timedelta(days=7 if week else days), until=until, environment=environment
    )

    async def work(client: Client, settings: Settings) -> Week:  # noqa: ARG001
        return await gather(client, span)

    found = talking(work)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        console.print(clean(week_words.text(found)), markup=False, soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    panel = "What a person does"
    app.command("freeze", rich_help_panel=panel)(freeze_)
    app.command("unfreeze", rich_help_panel=panel)(unfreeze_)
    app.command(rich_help_panel="What there is to see")(summary)


async def tell_frozen(client: Client) -> None:
    """Say on the standard error output what is frozen: it explains why nothing is done."""
    for each in await environments(client):
        if each.freezes.held:
            said = f"{each.name or _NAMELESS} is {each.freezes.said}"
            errors.print(said, style="bold yellow", markup=False, soft_wrap=True)


def _everywhere(do: Doing, environment: str, by: str, text: str, *, as_json: bool) -> None:
    """Do it to the one that is named, or to all: in the night nobody knows the names."""
    if len(text) > _MOST_TEXT:
        raise typer.BadParameter(f"a text has at most {_MOST_TEXT} characters")
    who, done, failed = whoever(by), list[dict[str, str]](), list[str]()
    code = Exit.NO_ANSWER

    async def work(client: Client, settings: Settings) -> None:
        nonlocal code
        names = (
            [environment]
            if environment
            else await meant(client, settings.environment, thaw=do is unfreeze)
        )
        for name in names:
            what = Act(id=f"cli-{uuid.uuid4()}", by=who, via=door(), text=text)
            try:
                outcome = await do(client, settings.policy, name, what)
            except NotTaken as error:  # one that fails does not keep the others from theirs
                failed.append(f"{name or _NAMELESS}: {error}")
                code = code if isinstance(error, NotRecorded) else Exit.REFUSED
            else:
                done.append({"environment": name, "state": outcome.state, "said": outcome.said})

    talking(work)
    if as_json:
        print_json({"done": done, "refused": failed})
    else:
        for each in done:
            style = "green" if each["state"] == State.DONE else "yellow"
            said = f"{each['environment'] or _NAMELESS}: {each['said']}"
            console.print(said, style=style, markup=False, soft_wrap=True)
    if failed:
        stop(code, "\n".join(failed))
