"""What Temporal still knows of the incidents that closed before."""

from __future__ import annotations

from pydantic import AwareDatetime, Field
from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.errors import Unavailable
from activities.words import Answer, Order, cut

_MOST_RUNS = 20
_MOST_SAID = 500
_ENDED = "ContinuedAsNew", "Running"


class EarlierIncident(Order):
    """A question for the last incident of the same name that is over."""

    incident: str = Field(pattern=r"^[A-Za-z0-9_.\-]{1,200}$")
    """Workflow id; the pattern leaves nothing that could break out of a query."""
    run: str
    """First execution run id of the incident that asks."""


class Earlier(Answer):
    """The last incident of the same name; without a run there was none."""

    run: str = ""
    closed_at: AwareDatetime | None = None
    how: str = ""
    """How it ended, in words."""


class _Closed(Answer):
    how: str = ""
    reason: str = ""
    by: str = ""


class Incidents:
    """Asks the Temporal that runs us, by the client of its worker."""

    @activity.defn(name="incidents.earlier")
    async def earlier(self, ask: EarlierIncident) -> Earlier:
        """Find the newest run that closed; runs that only continued as new are not ends."""
        client = activity.client()
        unlike = " AND ".join(f'ExecutionStatus != "{status}"' for status in _ENDED)
        query = f'WorkflowId = "{ask.incident}" AND {unlike}'
        try:
            runs = [run async for run in client.list_workflows(query, limit=_MOST_RUNS)]
        except RPCError as error:
            raise Unavailable(
                f"Temporal could not list earlier incidents: {error.message}"
            ) from None
        closed = [run for run in runs if run.close_time is not None and run.run_id != ask.run]
        if not closed:
            return Earlier()
        newest = max(closed, key=lambda run: run.close_time or run.start_time)
        return Earlier(
            run=newest.run_id, closed_at=newest.close_time, how=await _ending(client, newest)
        )


async def _ending(client: Client, run: WorkflowExecution) -> str:
    """Say how *run* ended; what it left cannot be read for ever, and that is no failure."""
    if run.status is not WorkflowExecutionStatus.COMPLETED:
        return run.status.name.lower() if run.status else ""
    handle = client.get_workflow_handle(run.id, run_id=run.run_id, result_type=_Closed)
    try:
        end: _Closed = await handle.result(follow_runs=False)
    except Exception:  # noqa: BLE001 (encrypted, deleted or of another version: then without)
        return ""
    return cut(f"{end.how}: {end.reason}" if end.reason else end.how, _MOST_SAID)
