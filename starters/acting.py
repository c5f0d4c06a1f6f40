"""A person's act on an incident, by whichever door the person comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workers.connection import NoTemporal, temporal_config, unreachable
from workflows.acts import FALLS_BACK, Act, ActKind, PersonAct

PATIENCE_SECONDS = 2.0
"""How long a person waits for a worker to answer."""
_SIGNAL_SECONDS = 5.0


Handle = WorkflowHandle[object, object]


class State(StrEnum):
    """What became of an act."""

    DONE = "done"
    RECORDED = "recorded, not yet confirmed"
    """Kept by Temporal, to be done by the next worker, which may refuse it."""


@dataclass(frozen=True)
class Outcome:
    """An act that was taken, and what was answered."""

    state: State
    said: str


class NotTaken(Exception):
    """An act that was not taken; the text says what to do."""


class Refused(NotTaken):
    """The incident said no, and why."""


class NotThere(NotTaken):
    """There is no such incident, or it is closed."""


class NotRecorded(NotTaken):
    """No worker answered, and the act must not be kept for later; the text says what is known."""


async def act(client: Client, incident: str, kind: ActKind, what: Act) -> Outcome:
    """Carry out an act; where no worker answers in time, keep it if it is one that may wait."""
    handle = client.get_workflow_handle(incident)
    if (said := await _answer(handle, incident, kind.value, what)) is not None:
        return Outcome(State.DONE, said)
    if kind not in FALLS_BACK:
        return Outcome(State.DONE, await _later(handle, kind.value, what))
    # The update may still arrive, with the same id: then the second of the two does nothing.
    return await _signal(handle, incident, kind, what)


async def close_follow_up(client: Client, workflow: str, verb: str, what: Act) -> Outcome:
    """Carry out *verb*, complete or dismiss, on what is owed after an incident."""
    handle = client.get_workflow_handle(workflow)
    said = await _answer(handle, workflow, verb, what)
    return Outcome(State.DONE, await _later(handle, verb, what) if said is None else said)


async def _answer(handle: Handle, workflow: str, verb: str, what: Act) -> str | None:
    """Ask for the act, and wait for what is said to it; None when nobody answers in time."""
    try:
        return await _update(handle, verb, what)
    except WorkflowUpdateFailedError as error:
        raise _refused(error) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotThere(_gone(workflow, error)) from None
        if error.status not in _SLOW:
            raise _failed(error) from error
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        _end_if_told_to()
    except (RuntimeError, OSError) as error:
        raise _failed(error) from error
    return None


async def _later(handle: Handle, verb: str, what: Act) -> str:
    """Ask once more what became of an act that nobody answered: only its asker has given up.

    Temporal may hold it on for the next worker, so that it is not taken cannot be said lightly.
    """
    waited = f"no worker answered within {2 * PATIENCE_SECONDS:g} s"
    look = "Look whether one runs (`responder worker`)"
    shows = "list" if verb == ActKind.UNFREEZE else f"show {handle.id}"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            update = handle.get_update_handle(what.id, result_type=str)
            return str(await update.result(rpc_timeout=timedelta(seconds=PATIENCE_SECONDS)))
    except WorkflowUpdateFailedError as error:
        raise _refused(error) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotRecorded(
                f"{verb} was not recorded: {waited}. {look}, then try again."
            ) from None
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        _end_if_told_to()
    except (RuntimeError, OSError):
        pass
    raise NotRecorded(
        f"{verb} has no answer yet: {waited}, and the next one may still take it. {look}, and "
        f"what became of it (`responder {shows}`), before you try again."
    )


def _end_if_told_to() -> None:
    # The library says the same of our own time-out and of a caller that wants to end.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from None


_SLOW = {
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    # So many updates wait for a worker already that Temporal takes no more of them.
    RPCStatusCode.RESOURCE_EXHAUSTED,
}


async def _update(handle: Handle, verb: str, what: Act) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return str(
            await handle.execute_update(
                verb.replace("-", "_"),
                what,
                id=what.id,
                result_type=str,
                rpc_timeout=timedelta(seconds=PATIENCE_SECONDS),
            )
        )


async def _signal(handle: Handle, incident: str, kind: ActKind, what: Act) -> Outcome:
    try:
        await handle.signal(
            "person",
            PersonAct(kind=kind, act=what),
            rpc_timeout=timedelta(seconds=_SIGNAL_SECONDS),
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotThere(_gone(incident, error)) from None
        raise _failed(error) from error
    return Outcome(
        State.RECORDED,
        f"{kind.value} is recorded, not yet confirmed: no worker answers. "
        "The next one that runs will do it, or write down why not.",
    )


def _refused(error: WorkflowUpdateFailedError) -> NotTaken:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return Refused(cause.message)
    return Refused(str(cause or error))


def _gone(incident: str, error: RPCError) -> str:
    if "namespace" in error.message.lower():
        return f"{error.message} (TEMPORAL_NAMESPACE)"
    if "already completed" in error.message:
        return f"{incident} is closed. `responder show {incident}` has its end."
    return f"There is no open incident {incident}. `responder list` has those that are."


def _failed(error: BaseException) -> Exception:
    if unreachable(error):
        return NoTemporal(temporal_config()["target_host"])
    return NotTaken(str(error))
