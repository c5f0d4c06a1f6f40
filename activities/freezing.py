"""A freeze of an environment: nothing is changed in it, and everything else goes on."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

from pydantic import AwareDatetime, Field
from temporalio import activity
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import NotYet, Unavailable
from activities.kept import Kept
from activities.words import Answer, Order

ENVIRONMENT = SearchAttributeKey.for_keyword("Environment")
MEMO = "freezes"
"""Of a coordinator: can be read where no worker runs."""
LOOK_SECONDS = 2.0
"""How often incidents that have opened since are told of a freeze."""
_OPEN = 'WorkflowType = "Incident" AND ExecutionStatus = "Running"'
_AT_ONCE = 20
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_SECONDS = timedelta(seconds=5)


def coordinator_id(environment: str) -> str:
    """Name the coordinator of *environment*."""
    return f"coordinator-{_UNSAFE.sub('_', environment)[:80] or 'default'}"


class Freeze(Kept):
    """One person's word that nothing is to be changed."""

    by: str
    via: str = ""
    why: str
    at: AwareDatetime


class Freezes(Kept):
    """All that holds an environment still; nothing does when there is none."""

    held: list[Freeze] = Field(default_factory=list)
    at: AwareDatetime | None = None
    """Of the newest word, freeze or unfreeze: later ones win, in whatever order they arrive."""
    lifted_by: str = ""
    """Who said the last unfreeze, and why."""

    @property
    def said(self) -> str:
        """Say who has frozen, since when and why; empty where nothing is frozen."""
        each = [f"by {one.by} since {one.at:%Y-%m-%d %H:%M} UTC: {one.why}" for one in self.held]
        return f"frozen {'; and '.join(each)}" if each else ""

    def later_than(self, other: Freezes) -> bool:
        """Tell whether this is news to who knows *other*."""
        return self.at is not None and (other.at is None or self.at > other.at)


class TellFreezes(Order):
    """An order to tell every open incident of an environment how it stands."""

    environment: str = Field(default="", max_length=300)
    freezes: Freezes
    also: tuple[str, ...] = ()
    """Incidents to be told whether Temporal lists them yet or not."""


class LookForFreezes(Order):
    """A question for what is known of an environment."""

    environment: str = Field(default="", max_length=300)


class Known(Answer):
    """What its coordinator has written down."""

    freezes: Freezes


class Told(Answer):
    """Every open incident has been told."""

    incidents: int = 0


class Freezing:
    """Tells incidents of a freeze, by the client of its worker."""

    @activity.defn(name="freezing.tell")
    async def tell(self, order: TellFreezes) -> Told:
        """Tell each incident once; while it is frozen, ask to be called again for new ones.

        A later attempt knows from its heartbeat who was told. To be told twice changes nothing.
        """
        client = activity.client()
        told = {str(each) for each in next(iter(activity.info().heartbeat_details), ())}
        try:
            found = await _open_incidents(client, order.environment)
            # By run: of an incident that has closed and opened anew meanwhile, the new one.
            new = {incident for run, incident in found.items() if run not in told}
            places = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(
                *(
                    _tell(client, each, order.freezes, places)
                    for each in sorted(new.union(() if told else order.also))
                )
            )
        except RPCError as error:
            raise Unavailable(f"incidents could not be told: {error.message}") from None
        activity.heartbeat(sorted(found))
        if order.freezes.held:
            raise NotYet("it is frozen", wait=timedelta(seconds=LOOK_SECONDS))
        return Told(incidents=len(found))

    @activity.defn(name="freezing.look")
    async def look(self, ask: LookForFreezes) -> Known:
        """Read what the coordinator has written down, whether a worker answers for it or not."""
        return Known(freezes=await freezes_of(activity.client(), ask.environment))


async def freezes_of(client: Client, environment: str) -> Freezes:
    """Read who has frozen *environment* from its coordinator's memo; no worker is asked."""
    try:
        handle = client.get_workflow_handle(coordinator_id(environment))
        memo = await (await handle.describe(rpc_timeout=_SECONDS)).memo()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            return Freezes()
        raise Unavailable(f"the coordinator cannot be looked at: {error.message}") from None
    return Freezes.model_validate(memo.get(MEMO) or {})


async def _open_incidents(client: Client, environment: str) -> dict[str, str]:
    """List the runs of *environment* that are open: an empty one cannot be asked for in a query."""
    return {
        run.run_id: run.id
        async for run in client.list_workflows(_OPEN)
        if (run.typed_search_attributes.get(ENVIRONMENT) or "") == environment
    }


async def _tell(client: Client, incident: str, freezes: Freezes, places: asyncio.Semaphore) -> None:
    async with places:
        try:
            handle = client.get_workflow_handle(incident)
            await handle.signal("freezes", freezes, rpc_timeout=_SECONDS)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it is over
                raise
