"""The commands by which a person acts on an incident."""

from __future__ import annotations

import getpass
import os
import pwd
import socket
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from temporalio.client import Client

from starters.acting import Outcome, State, act
from starters.completing import incident_ids
from starters.escalating import bound
from starters.finding import full_id
from starters.session import console, print_json, talking
from workers.settings import Settings
from workflows.acts import Act, ActKind

_MOST_VIA = 40
_MOST_SHOWN = 64

Incident = Annotated[
    str,
    typer.Argument(
        help="The incident's id, or enough of its beginning.", autocompletion=incident_ids
    ),
]
As = Annotated[
    str, typer.Option("--as", help="Who you are; your name on this machine when left out.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Question = Annotated[
    str, typer.Option(help="Which question is answered; the only open one when left out.")
]

Binding = Callable[[Client, Settings, str, Act], Awaitable[Act]]
"""Binds an act to how its incident stands."""

Hash = Annotated[
    str,
    typer.Option(
        "--hash", help="Of what you were shown: if another is asked by now, nothing is decided."
    ),
]


def ack(incident: Incident, *, by: As = "", as_json: Json = False) -> None:
    """Say that you are on it: nobody further up is called."""
    _do(ActKind.ACKNOWLEDGE, incident, by, as_json=as_json)


def approve(
    incident: Incident,
    *,
    question: Question = "",
    shown: Hash = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Let the step that is asked about go ahead."""
    _do(ActKind.APPROVE, incident, by, question=question, shown=shown, as_json=as_json)


def reject(
    incident: Incident,
    *,
    question: Question = "",
    shown: Hash = "",
    why: Annotated[str, typer.Option(help="Why not, for the timeline.")] = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Forbid the step that is asked about."""
    _do(ActKind.REJECT, incident, by, text=why, question=question, shown=shown, as_json=as_json)


def hold(
    incident: Incident,
    *,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="For how long.")] = 10,
    by: As = "",
    as_json: Json = False,
) -> None:
    """Have no further step taken for some minutes."""
    _do(ActKind.HOLD, incident, by, minutes=minutes, as_json=as_json)


def take_over(incident: Incident, *, by: As = "", as_json: Json = False) -> None:
    """Take it over: the machine stops before its next step, and keeps what it changed."""
    _do(ActKind.TAKE_OVER, incident, by, as_json=as_json)


def hand_back(incident: Incident, *, by: As = "", as_json: Json = False) -> None:
    """Hand it back: the machine looks again and goes on."""
    _do(ActKind.HAND_BACK, incident, by, as_json=as_json)


def resolve(
    incident: Incident,
    *,
    why: Annotated[str, typer.Option(help="Why it is over, for the report.")],
    by: As = "",
    as_json: Json = False,
) -> None:
    """Close it."""
    _do(ActKind.RESOLVE, incident, by, text=why, as_json=as_json)


def escalate(
    incident: Incident,
    *,
    why: Annotated[str, typer.Option(help="What they should know at once.")],
    to: Annotated[
        str,
        typer.Option(
            help="Whom to call, such as cto: refused where another is next. Left out, whoever is "
            "next, unless somebody was called within the last minute."
        ),
    ] = "",
    by: As = "",
    as_json: Json = False,
) -> None:
    """Call the next level now; asked for twice at once, it calls one."""
    if len(to) > _MOST_SHOWN:
        raise typer.BadParameter("that is no level's name", param_hint="--to")
    bind = None if to else _to_the_next
    _do(ActKind.ESCALATE, incident, by, text=why, shown=to, as_json=as_json, bind=bind)


def note(
    incident: Incident,
    text: Annotated[str, typer.Argument(help="What to write into the timeline.")],
    *,
    by: As = "",
    as_json: Json = False,
) -> None:
    """Write something into the timeline."""
    _do(ActKind.NOTE, incident, by, text=text, as_json=as_json)


Key = Annotated[str, typer.Argument(help="What is owed: review, post-mortem, actions, runbook.")]


def done(incident: Incident, key: Key = "", *, by: As = "", as_json: Json = False) -> None:
    """Say that something owed after an incident is done; without a key, the only one."""
    _close("complete", incident, key, by, as_json=as_json)


def dismiss(
    incident: Incident,
    key: Key = "",
    *,
    why: Annotated[str, typer.Option(help="Why it is not needed.")],
    by: As = "",
    as_json: Json = False,
) -> None:
    """Say that something owed after an incident is not needed."""
    _close("dismiss", incident, key, by, text=why, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Put these commands on the command line."""
    panel = "What a person does"
    for command in (ack, approve, reject, hold, note, escalate, resolve):
        app.command(rich_help_panel=panel)(command)
    app.command("take-over", rich_help_panel=panel)(take_over)
    app.command("hand-back", rich_help_panel=panel)(hand_back)
    for command in (done, dismiss):
        app.command(rich_help_panel="After an incident")(command)


def whoever(by: str) -> str:
    """Name the person: as said, or as this machine knows them."""
    try:
        name = by.strip() or getpass.getuser()
    except (KeyError, OSError):
        raise typer.BadParameter("say who you are: --as NAME") from None
    if len(name) > 200:
        raise typer.BadParameter("a name has at most 200 characters", param_hint="--as")
    return name


def door() -> str:
    """Name the way by which an act comes: ``--as`` says who, this who the machine knows them as."""
    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        account = str(os.geteuid())
    return f"cli ({account}@{socket.gethostname()})"[:_MOST_VIA]


def _do(
    kind: ActKind,
    incident: str,
    by: str,
    *,
    as_json: bool,
    text: str = "",
    question: str = "",
    shown: str = "",
    minutes: float = 10,
    bind: Binding | None = None,
) -> None:
    what = _act(by, text=text, question=question, shown=shown, minutes=minutes)

    async def work(client: Client, settings: Settings) -> tuple[str, Outcome]:
        name = await full_id(client, incident)
        bound = what if bind is None else await bind(client, settings, name, what)
        return name, await act(client, name, kind, bound)

    name, outcome = talking(work)
    _tell(name, kind.value, outcome, what, as_json=as_json)


async def _to_the_next(client: Client, settings: Settings, incident: str, what: Act) -> Act:
    confirm = "to call {level} too, add --to {level}"
    return await bound(client, settings.policy, incident, what, confirm=confirm)


def _close(verb: str, incident: str, key: str, by: str, *, as_json: bool, text: str = "") -> None:
    # Brings in a workflow: only these two commands need it.
    from starters.owing import close

    what = _act(by, text=text)

    async def work(client: Client, settings: Settings) -> Outcome:  # noqa: ARG001
        return await close(client, incident, key, verb, what)

    _tell(incident, verb, talking(work), what, as_json=as_json)


def _act(by: str, *, text: str, question: str = "", shown: str = "", minutes: float = 10) -> Act:
    if len(text) > 3000:
        raise typer.BadParameter("a text has at most 3000 characters")
    return Act(
        id=f"cli-{uuid.uuid4()}",
        by=whoever(by),
        via=door(),
        text=text,
        question=question[:64],
        shown=shown[:_MOST_SHOWN],
        minutes=minutes,
    )


def _tell(name: str, verb: str, outcome: Outcome, what: Act, *, as_json: bool) -> None:
    if as_json:
        print_json({"incident": name, "act": verb, "state": outcome.state.value,
                    "said": outcome.said, "id": what.id})  # fmt: skip
        return
    style = "green" if outcome.state is State.DONE else "yellow"
    console.print(f"{name}: {outcome.said}", style=style, markup=False, soft_wrap=True)
