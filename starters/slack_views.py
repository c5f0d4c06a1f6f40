"""Incidents as Slack shows them to one person: the list, and one at a glance."""

from __future__ import annotations

from temporalio.client import Client

from activities.blocks import render_glance
from starters.finding import Filters, Listed, NoWorker, described, incidents, record_of
from starters.slack_answers import Said
from workflows.glance import glance
from workflows.policy import Policy

_MOST = 12


async def listing(client: Client) -> Said:
    """List what is open, the newest first."""
    found = await incidents(client, Filters(), most=_MOST + 1)
    if not found:
        return Said("No incident is open.")
    lines = [f"• {_line(each)}" for each in found[:_MOST]]
    more = ["… and more: `responder list` has them all."] if len(found) > _MOST else []
    return Said("\n".join([*lines, *more]))


async def shown(client: Client, incident: str, policy: Policy) -> Said:
    """Show one incident at a glance, as its root message does, but without buttons."""
    try:
        record = await record_of(client, incident)
    except NoWorker as nobody:
        return Said(f"{_line(await described(client, incident))}\n{nobody}")
    view = glance(record, policy, "shown").model_copy(update={"buttons": ()})
    return Said(f"{incident}: {view.status}", blocks=tuple(render_glance(view).blocks))


def _line(each: Listed) -> str:
    phase = each.phase if each.open else "closed"
    return f"`{each.id}` {each.severity}, {phase}, opened {each.opened_at:%d %b %H:%M} UTC"
