"""Finds incidents: those that are open, one by the beginning of its id, and what is known of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from activities.record import Phase, Record
from starters.acting import NotThere
from workflows.case import ALERT_NAME, ENVIRONMENT, INDICATOR, PHASE, SERVICE, SEVERITY
from workflows.opening import OPENED_AT

SECONDS = 2.0
"""Given to a worker to answer a question."""
NOBODY = {
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    # "No poller" comes at once, so, once the last has been gone a while.
    RPCStatusCode.FAILED_PRECONDITION,
}
"""How Temporal says that no worker answers a question."""
_MOST_CANDIDATES = 10
_MOST_SORTED = 1000
_AT_ONCE = 10
"""Incidents that are asked at the same time."""
_ID = re.compile(r"[A-Za-z0-9_.-]{1,300}")
_KIND = "WorkflowType = 'Incident'"
_NOT_THE_END = "ExecutionStatus != 'ContinuedAsNew'"


class NoWorker(Exception):
    """Nobody answers questions about an incident now: it waits for a worker."""

    def __init__(self) -> None:
        super().__init__(
            "No worker answers, so it is not known now. Nothing is lost: incidents go on when one "
            "runs (`responder worker`)."
        )


@dataclass(frozen=True)
class Listed:
    """An incident as the list shows it: without asking a worker."""

    id: str
    run: str
    open: bool
    opened_at: datetime
    closed_at: datetime | None
    alert: str
    severity: str
    phase: str
    service: str
    environment: str
    indicator: str


@dataclass(frozen=True)
class Filters:
    """Which incidents are listed."""

    closed: bool = False
    """Also those that are over."""
    severity: str = ""
    phase: str = ""
    service: str = ""
    environment: str = ""
    indicator: str = ""
    alert: str = ""

    def query(self) -> str:
        """Write it in Temporal's language for lists."""
        parts = [_KIND, _NOT_THE_END if self.closed else "ExecutionStatus = 'Running'"]
        wanted = (
            (SEVERITY, self.severity),
            (PHASE, self.phase),
            (SERVICE, self.service),
            (ENVIRONMENT, self.environment),
            (INDICATOR, self.indicator),
            (ALERT_NAME, self.alert),
        )
        parts += [f"{key.name} = {quoted(value)}" for key, value in wanted if value]
        return " AND ".join(parts)


async def incidents(client: Client, filters: Filters, most: int = 100) -> list[Listed]:
    """List incidents, the newest first."""
    # More than asked for: Temporal's own order is that of runs, and one that has lasted for days
    # may be in a young one.
    runs = client.list_workflows(filters.query(), limit=max(most, _MOST_SORTED))
    found = [await _listed(each) async for each in runs]
    return sorted(found, key=lambda each: each.opened_at, reverse=True)[:most]


async def full_id(client: Client, beginning: str) -> str:
    """Find the one incident whose id begins so; an open one goes before those that are over."""
    if not is_id(beginning):
        raise NotThere(f"{beginning!r} is not an incident's id. `responder list` has those.")
    if await _is_one(client, beginning):
        return beginning
    candidates = await beginning_with(client, beginning)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise NotThere(f"No incident's id begins with {beginning}. `responder list` has those.")
    named = "\n".join(f"  {name}" for name in sorted(candidates)[:_MOST_CANDIDATES])
    raise NotThere(
        f"{len(candidates)} incidents begin with {beginning}; write more of it:\n{named}"
    )


async def beginning_with(client: Client, beginning: str) -> list[str]:
    """Name the open incidents whose ids begin so; where none is open, those that are over."""
    query = f"{_KIND} AND WorkflowId STARTS_WITH {quoted(beginning)}" if beginning else _KIND
    found: dict[str, bool] = {}
    async for each in client.list_workflows(query, limit=_MOST_CANDIDATES * 10):
        # An id may have been opened more than once.
        is_open = each.status is WorkflowExecutionStatus.RUNNING
        found[each.id] = found.get(each.id, False) or is_open
    return [name for name, is_open in found.items() if is_open] or list(found)


async def held_by(client: Client, found: Sequence[Listed], who: str) -> list[Listed]:
    """Pick the incidents that *who* has acknowledged or taken over; `NoWorker` if none tells."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def holds(each: Listed) -> bool:
        async with at_once:
            people = (await record_of(client, each.id)).people
        return who in {people.acknowledged_by, people.taken_over_by}

    mine = await asyncio.gather(*(holds(each) for each in found))
    return [each for each, is_mine in zip(found, mine, strict=True) if is_mine]


async def record_of(client: Client, incident: str) -> Record:
    """Ask an incident for all that is known of it; `NoWorker` when nobody answers in time."""
    handle = client.get_workflow_handle(incident)
    try:
        async with asyncio.timeout(SECONDS):
            record: Record = await handle.query(
                "record", result_type=Record, rpc_timeout=timedelta(seconds=SECONDS)
            )
            return record
    except (TimeoutError, WorkflowQueryFailedError):
        raise NoWorker from None
    except RPCError as error:
        if error.status in NOBODY:
            raise NoWorker from None
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotThere(
                f"There is no incident {incident}. `responder list` has those."
            ) from None
        raise


async def described(client: Client, incident: str) -> Listed:
    """Say what Temporal knows of an incident without a worker."""
    return await _listed(await client.get_workflow_handle(incident).describe())


def over(record: Record) -> bool:
    """Tell whether nothing more will happen."""
    return record.phase is Phase.RESOLVED


async def _is_one(client: Client, name: str) -> bool:
    try:
        await client.get_workflow_handle(name).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or "amespace" in error.message:
            raise
        return False
    return True


async def _listed(each: WorkflowExecution) -> Listed:
    def value(key: SearchAttributeKey[str]) -> str:
        return each.typed_search_attributes.get(key) or ""

    opened = await each.memo_value(OPENED_AT, "")
    return Listed(
        id=each.id,
        run=each.run_id,
        open=each.status is WorkflowExecutionStatus.RUNNING,
        opened_at=datetime.fromisoformat(opened) if opened else each.start_time,
        closed_at=each.close_time,
        alert=value(ALERT_NAME),
        severity=value(SEVERITY),
        phase=value(PHASE),
        service=value(SERVICE),
        environment=value(ENVIRONMENT),
        indicator=value(INDICATOR),
    )


def is_id(text: str) -> bool:
    """Tell whether *text* can be an incident's id, or its beginning."""
    return _ID.fullmatch(text) is not None


def quoted(value: str) -> str:
    """Write a value in Temporal's language for lists."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
