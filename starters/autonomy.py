"""What steps have earned: read, and changed by people who may decide about their risk."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.autonomy import ledger_id
from starters.acting import PATIENCE_SECONDS, NotRecorded, NotThere, Outcome, Refused, State
from starters.finding import NOBODY, SECONDS, NoWorker
from workflows.ledger import Ledger, Move
from workflows.policy import Policy, responds

_PATIENCE = timedelta(seconds=PATIENCE_SECONDS)


async def ledger_of(client: Client, environment: str) -> Ledger:
    """Read what every step of *environment* has earned; `NoWorker` when nobody answers."""
    handle = client.get_workflow_handle(ledger_id(environment))
    try:
        async with asyncio.timeout(SECONDS):
            known: Ledger = await handle.query(
                "ledger", result_type=Ledger, rpc_timeout=timedelta(seconds=SECONDS)
            )
            return known
    except (TimeoutError, WorkflowQueryFailedError):
        raise NoWorker from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            return Ledger()
        if error.status in NOBODY:
            raise NoWorker from None
        raise


async def move(client: Client, policy: Policy, environment: str, what: Move) -> Outcome:
    """Let a step do more or less; what it may do is never kept for later."""
    rights = policy.rights(what.by)
    stranger = responds(what.by, rights)
    if rights is None or stranger:
        raise Refused(stranger)
    what = what.model_copy(update={"may": rights.approves})
    handle = client.get_workflow_handle(ledger_id(environment))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await handle.execute_update(
                "move", what, id=what.id, result_type=str, rpc_timeout=_PATIENCE
            )
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Refused(
            cause.message if isinstance(cause, ApplicationError) else str(cause)
        ) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            raise NotThere(f"No step of {environment or 'this platform'} is known yet.") from None
        if error.status not in NOBODY:
            raise
        raise _nobody() from None
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        raise _nobody() from None
    return Outcome(State.DONE, said)


def _nobody() -> NotRecorded:
    return NotRecorded(
        "No worker answered, and the next one may still take it. Look what became of it "
        "(`responder autonomy`) before you try again."
    )
