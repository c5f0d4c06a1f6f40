"""What other incidents of the environment are open, and whether one of them is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field
from temporalio import activity
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import NotYet, Unavailable
from activities.record import Phase
from activities.words import Answer, Order

_INDICATOR = SearchAttributeKey.for_keyword("Indicator")
_ALERT_NAME = SearchAttributeKey.for_keyword("AlertName")
_ENVIRONMENT = SearchAttributeKey.for_keyword("Environment")
_PHASE = SearchAttributeKey.for_keyword("Phase")
_MOST = 50
_INCIDENT = r"^[A-Za-z0-9_.\-]{1,200}$"


class OpenIncidents(Order):
    """A question for the open incidents of some indicators, in the environment of who asks."""

    incident: str = Field(pattern=_INCIDENT)
    """Workflow id of who asks."""
    indicators: tuple[str, ...] = Field(min_length=1, max_length=50)
    around: AwareDatetime
    within_seconds: float = Field(gt=0)


class OpenIncident(Answer):
    """One open incident."""

    id: str
    indicator: str
    alert: str
    phase: str
    opened_at: AwareDatetime


class Neighbours(Answer):
    """The open incidents that were asked for, oldest first."""

    incidents: tuple[OpenIncident, ...] = ()


class IncidentEnd(Order):
    """A question to be answered once an incident is over, or left to people."""

    incident: str = Field(pattern=_INCIDENT)
    every_seconds: float = Field(gt=0)


class Ended(Answer):
    """How it is with the incident that was waited for."""

    over: bool
    """False: it is open, and in people's hands."""


class NeighbouringIncidents:
    """Asks the Temporal that runs us for other incidents, by the client of its worker."""

    @activity.defn(name="incidents.open")
    async def open(self, ask: OpenIncidents) -> Neighbours:
        """List those that opened within the given seconds of *around*."""
        query = 'WorkflowType = "Incident" AND ExecutionStatus = "Running"'
        client = activity.client()
        try:
            mine = _found(
                (await client.get_workflow_handle(ask.incident).describe()).typed_search_attributes,
                _ENVIRONMENT,
            )
            runs = [run async for run in client.list_workflows(query, limit=_MOST * 20)]
        except RPCError as error:
            raise Unavailable(f"Temporal could not list open incidents: {error.message}") from None
        near = timedelta(seconds=ask.within_seconds)
        found = [
            _open(run)
            for run in runs
            if run.id != ask.incident
            and _found(run.typed_search_attributes, _INDICATOR) in ask.indicators
            and _found(run.typed_search_attributes, _ENVIRONMENT) == mine
            and abs(_opened(run) - ask.around) <= near
        ]
        return Neighbours(incidents=tuple(sorted(found, key=lambda each: each.opened_at))[:_MOST])

    @activity.defn(name="incidents.end")
    async def end(self, ask: IncidentEnd) -> Ended:
        """Look once; while it is open and ours, ask to be called again after a while."""
        try:
            described = await activity.client().get_workflow_handle(ask.incident).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Ended(over=True)
            raise Unavailable(f"Temporal could not describe it: {error.message}") from None
        phase = _found(described.typed_search_attributes, _PHASE)
        if described.status is not WorkflowExecutionStatus.RUNNING or phase == Phase.RESOLVED:
            return Ended(over=True)
        if phase == Phase.WATCHING:
            return Ended(over=False)
        wait = timedelta(seconds=ask.every_seconds)
        raise NotYet(f"{ask.incident} is {phase}", wait=wait)


def _open(run: WorkflowExecution) -> OpenIncident:
    attributes = run.typed_search_attributes
    return OpenIncident(
        id=run.id,
        indicator=_found(attributes, _INDICATOR),
        alert=_found(attributes, _ALERT_NAME),
        phase=_found(attributes, _PHASE),
        opened_at=_opened(run),
    )


def _opened(run: WorkflowExecution) -> datetime:
    return run.execution_time or run.start_time


def _found(attributes: TypedSearchAttributes, key: SearchAttributeKey[str]) -> str:
    return attributes.get(key) or ""
