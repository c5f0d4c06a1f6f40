"""Proves that a person can be reached: by hand, every day, and when that was last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from starters.acting import NotTaken
from starters.finding import quoted
from starters.readiness import Readiness
from starters.scheduling import keep
from workers.settings import Settings, variable
from workflows.efforts import Queue
from workflows.page_proof import PageProof, Proof, ProofOrder

SCHEDULE = "page-proof"
_CATCH_UP = timedelta(hours=1)
"""After a Temporal that was away: a test page is for working hours."""
_KEPT_SECONDS = 30.0
_SECONDS = 2.0
_NEWEST = 20


class NotProven(NotTaken):
    """Nobody was reached; the text says why."""


async def prove_page(
    client: Client,
    settings: Settings,
    *,
    by: str,
    level: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Proof:
    """Send a marked test page and wait for a person to acknowledge it, or raise `NotProven`.

    Two at once share one page. Who stops waiting stops nothing: it ends by itself.
    """
    chosen = level or settings.proof.level
    await _somebody_works(client)
    order = ProofOrder(
        level=chosen,
        urgency=settings.proof.urgency,
        asked_by=by,
        wait_seconds=settings.proof.wait_seconds,
    )
    handle: WorkflowHandle[PageProof, Proof] = await client.start_workflow(
        PageProof.run,
        order,
        id=f"{_ids(chosen)}by-hand",
        task_queue=Queue.INCIDENTS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Test page to {chosen}, asked for by {by}",
    )
    minutes = settings.proof.wait_seconds / 60
    say(f"a test page is on its way to {chosen}; waiting up to {minutes:g} minutes for somebody")
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        cause = error.cause
        text = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise NotProven(f"Not proven: {text}") from None


async def keep_schedule(client: Client, settings: Settings) -> str:
    """Have the test page sent every day as the settings say, or never; twice does no harm."""
    chosen = settings.proof
    await keep(client, SCHEDULE, _schedule(settings) if chosen.at else None)
    if not chosen.at:
        return f"no daily test page ({variable('proof', 'at')} names its time)"
    return f"a test page to {chosen.level} every day at {chosen.at} ({chosen.time_zone})"


async def last_proven(client: Client, level: str) -> datetime | None:
    """Find when a person was last reached, as far back as Temporal keeps what has ended."""
    query = (
        "WorkflowType = 'PageProof' AND ExecutionStatus = 'Completed' "
        f"AND WorkflowId STARTS_WITH {quoted(_ids(level))}"
    )
    ended = [each.close_time async for each in client.list_workflows(query, limit=_NEWEST)]
    return max((each for each in ended if each is not None), default=None)


class LastProven:
    """Knows when a person was last reached, and asks Temporal at most twice a minute."""

    def __init__(self, client: Client, level: str) -> None:
        self._client = client
        self._level = level
        self._lock = asyncio.Lock()
        self._at = 0.0
        self._looked_at = float("-inf")

    async def seconds(self) -> float:
        """Give that moment in seconds since 1970; 0 is never."""
        async with self._lock:
            if time.monotonic() - self._looked_at > _KEPT_SECONDS:
                self._looked_at = time.monotonic()
                await self._look()
        return self._at

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                found = await last_proven(self._client, self._level)
        except (RPCError, RuntimeError, OSError, TimeoutError):
            return  # what was known stays true
        if found is not None:
            # Temporal forgets what ended long ago: what is known here is not taken back.
            self._at = max(self._at, found.timestamp())


def _ids(level: str) -> str:
    """Give the beginning of the ids of test pages to *level*, and of no other's."""
    return f"{SCHEDULE}-{level}."


async def _somebody_works(client: Client) -> None:
    state = await Readiness(client).state()
    if state.temporal or state.worker is False:
        what = f"Temporal {state.temporal}" if state.temporal else "no worker runs"
        raise NotProven(f"Nobody was paged: {what}. `responder worker` runs one.")


def _schedule(settings: Settings) -> Schedule:
    chosen = settings.proof
    hour, minute = (int(part) for part in chosen.at.split(":"))
    order = ProofOrder(
        level=chosen.level,
        urgency=chosen.urgency,
        asked_by="the daily proof",
        wait_seconds=chosen.wait_seconds,
    )
    return Schedule(
        action=ScheduleActionStartWorkflow(
            PageProof.run,
            order,
            id=f"{_ids(chosen.level)}daily",
            task_queue=Queue.INCIDENTS,
            static_summary=f"Daily test page to {chosen.level}",
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(hour=[ScheduleRange(hour)], minute=[ScheduleRange(minute)])
            ],
            time_zone_name=chosen.time_zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )
