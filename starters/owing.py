"""What people still owe after incidents: found by the incident, and closed by a person."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from starters.acting import NotThere, Outcome, close_follow_up
from starters.finding import NOBODY, SECONDS, NoWorker, is_id, quoted
from workflows.acts import Act
from workflows.post_incident import FollowUp

_MOST = 50
_FOLLOW_UPS = TypeAdapter(list[FollowUp])


@dataclass(frozen=True)
class Owed:
    """One thing that is owed, and the workflow that reminds of it."""

    workflow: str
    follow_up: FollowUp

    @property
    def incident(self) -> str:
        """The incident that it comes after."""
        return self.workflow.partition("/after/")[0]

    @property
    def line(self) -> str:
        """It in a line, with what a person writes to close it."""
        follow_up = self.follow_up
        return f"{self.incident}  {follow_up.key}: {follow_up.title} (by {follow_up.due:%d %b})"


async def owed(client: Client, beginning: str) -> list[Owed]:
    """List what is open after the incidents whose id begins so; `NoWorker` when none answers."""
    if not is_id(beginning):
        raise NotThere(f"{beginning!r} is not an incident's id.")
    query = (
        "WorkflowType = 'PostIncident' AND ExecutionStatus = 'Running' "
        f"AND WorkflowId STARTS_WITH {quoted(beginning)}"
    )
    names = [each.id async for each in client.list_workflows(query, limit=_MOST)]
    exact = [name for name in names if name.startswith(f"{beginning}/after/")]
    asked = await asyncio.gather(*(_owed_by(client, name) for name in exact or names))
    return [each for part in asked for each in part]


async def close(client: Client, beginning: str, key: str, verb: str, what: Act) -> Outcome:
    """Close the one thing of that *key* that is open after the incident; *verb* says how."""
    listed = await owed(client, beginning)
    fitting = [each for each in listed if not key or each.follow_up.key == key]
    if len(fitting) == 1:
        [only] = fitting
        act = what.model_copy(update={"question": only.follow_up.key})
        return await close_follow_up(client, only.workflow, verb, act)
    if not listed:
        raise NotThere(f"Nothing is owed after an incident whose id begins with {beginning}.")
    wanted = f"{key!r} " if key else ""
    told = f"{len(fitting)} things {wanted}fit" if fitting else f"There is no {wanted}owed"
    named = "\n".join(f"  {each.line}" for each in fitting or listed)
    raise NotThere(f"{told}; write the incident and the key:\n{named}")


async def _owed_by(client: Client, name: str) -> list[Owed]:
    try:
        async with asyncio.timeout(SECONDS):
            said = await client.get_workflow_handle(name).query(
                "owed", rpc_timeout=timedelta(seconds=SECONDS)
            )
    except (TimeoutError, WorkflowQueryFailedError):
        raise NoWorker from None
    except RPCError as error:
        if error.status in NOBODY:
            raise NoWorker from None
        if error.status is RPCStatusCode.NOT_FOUND:
            return []  # it has just ended
        raise
    return [Owed(name, each) for each in _FOLLOW_UPS.validate_python(said) if not each.closed]
