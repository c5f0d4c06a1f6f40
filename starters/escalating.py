"""Which level an escalation means, by a door that shows none: nobody is to call two for one."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio.client import Client

from activities.record import Record
from starters.acting import Refused
from starters.finding import NoWorker, record_of
from workflows.acts import Act
from workflows.policy import Policy

JUST_NOW_SECONDS = 60
"""Within which whoever asks may not know yet who was called."""


async def bound(client: Client, policy: Policy, incident: str, what: Act, *, confirm: str) -> Act:
    """Bind *what* to the level that is reached now; `Refused` where that one was just called.

    Args:
        client: Where the incident is.
        policy: Names the levels.
        incident: Its whole id.
        what: The escalation.
        confirm: How the one after it is called all the same, with ``{level}`` in it.
    """
    now = datetime.now(UTC)
    try:
        record = await record_of(client, incident)
    except NoWorker:
        # It is kept for the next worker, as often as it is asked for: all of them call one level.
        return what.model_copy(update={"shown": now.isoformat()})
    if said := _just_called(record, policy, now, confirm):
        raise Refused(said)
    level = str(record.people.level)
    return what.model_copy(update={"shown": level, "run": record.run})


def _just_called(record: Record, policy: Policy, now: datetime, confirm: str) -> str:
    people, levels = record.people, policy.severities[record.severity].levels
    if people.called_at is None or not 0 < people.level < len(levels):
        return ""
    seconds = (now - people.called_at).total_seconds()
    if seconds >= JUST_NOW_SECONDS:
        return ""
    by = f" by {people.called_by}" if people.called_by else ""
    ago = f"{max(seconds, 0):.0f} seconds ago"
    confirm = confirm.format(level=levels[people.level])
    return f"{levels[people.level - 1]} was called {ago}{by}: {confirm}"
