"""The incidents that closed within some days, as they tell of themselves by their results."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, Field
from temporalio import activity
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from activities.changes import heartbeats
from activities.errors import Unavailable
from activities.freezing import ENVIRONMENT
from activities.retold import Retold
from activities.words import Answer, Order

MOST = 200
"""Incidents that are retold; of more, only how many there were."""
_AT_ONCE = 10
_SECONDS = timedelta(seconds=10)


class Span(Order):
    """Which incidents are asked for: those that closed from *since* on, and before *until*."""

    since: AwareDatetime
    until: AwareDatetime
    environment: str = Field(default="", max_length=300)
    """Empty is every one."""


class Week(Answer):
    """What there was, oldest first."""

    since: AwareDatetime
    until: AwareDatetime
    incidents: tuple[Retold, ...] = ()
    unread: int = 0
    """Incidents of which nothing but their end is known."""
    more: int = 0
    """Incidents that are left out, for there are too many."""


class _Result(Answer):
    retold: Retold | None = None


class Weeks:
    """Asks the Temporal that runs us, by the client of its worker."""

    @activity.defn(name="week.gather")
    async def gather(self, span: Span) -> Week:
        """Gather what closed within *span*."""
        try:
            async with heartbeats("reading what has closed"):
                return await gather(activity.client(), span)
        except RPCError as error:
            raise Unavailable(f"closed incidents could not be listed: {error.message}") from None


async def gather(client: Client, span: Span) -> Week:
    """Read the result of every incident that closed within *span*; no worker is needed."""
    query = (
        "WorkflowType = 'Incident' AND ExecutionStatus != 'Running' "
        "AND ExecutionStatus != 'ContinuedAsNew' "
        f"AND CloseTime >= '{_stamp(span.since)}' AND CloseTime < '{_stamp(span.until)}'"
    )
    runs = [
        run
        async for run in client.list_workflows(query)
        if span.environment in ("", run.typed_search_attributes.get(ENVIRONMENT) or "")
    ]
    runs.sort(key=lambda run: run.start_time)
    places = asyncio.Semaphore(_AT_ONCE)
    read = await asyncio.gather(*(_read(client, run, places) for run in runs[-MOST:]))
    known = sorted((each for each in read if each is not None), key=lambda each: each.opened_at)
    return Week(
        since=span.since,
        until=span.until,
        incidents=tuple(known),
        unread=len(read) - len(known),
        more=max(len(runs) - MOST, 0),
    )


async def _read(client: Client, run: WorkflowExecution, places: asyncio.Semaphore) -> Retold | None:
    """Read what an incident left; one that was terminated, or is of an older release, left none."""
    handle = client.get_workflow_handle(run.id, run_id=run.run_id, result_type=_Result)
    async with places:
        try:
            result: _Result = await handle.result(follow_runs=False, rpc_timeout=_SECONDS)
        except Exception:  # noqa: BLE001 (terminated, encrypted or of another version: then without)
            return None
    return result.retold


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
