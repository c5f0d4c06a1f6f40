"""Freezing an environment and letting it go on, by whichever door a person comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.coordination import (
    BEGINNING,
    COORDINATOR,
    SUMMARY,
)
from activities.freezing import ENVIRONMENT, MEMO, Freezes, coordinator_id
from activities.keepers import TASK_QUEUE, attributes
from starters.acting import Outcome, Refused, act
from workflows.acts import Act, ActKind
from workflows.policy import Policy, responds

_SECONDS = timedelta(seconds=5)
_KNOWN = (
    "ExecutionStatus = 'Running' AND (WorkflowType = 'Incident' OR WorkflowType = 'Coordinator')"
)


@dataclass(frozen=True)
class Environment:
    """An environment as Temporal knows it: without asking a worker."""

    name: str
    freezes: Freezes = field(default_factory=Freezes)


async def freeze(client: Client, policy: Policy, environment: str, what: Act) -> Outcome:
    """Stop all changes and automatic undo of *environment*; kept also where no worker runs.

    The act's text is the reason.
    """
    return await _perform(client, policy, environment, ActKind.FREEZE, what)


async def unfreeze(client: Client, policy: Policy, environment: str, what: Act) -> Outcome:
    """Let every incident of *environment* go on where it stood."""
    return await _perform(client, policy, environment, ActKind.UNFREEZE, what)


async def environments(client: Client) -> list[Environment]:
    """List the environments that have a coordinator or an open incident, and who froze them."""
    known: dict[str, Environment] = {}
    async for run in client.list_workflows(_KNOWN):
        name = run.typed_search_attributes.get(ENVIRONMENT) or ""
        memo = await run.memo() if run.workflow_type == COORDINATOR else {}
        if memo.get(MEMO):
            known[name] = Environment(name, Freezes.model_validate(memo[MEMO]))
        else:
            known.setdefault(name, Environment(name))
    return [known[name] for name in sorted(known)]


async def meant(client: Client, own: str, *, thaw: bool) -> list[str]:
    """Name all that can be meant where none is named: what is frozen, or could be.

    Args:
        client: Where environments are.
        own: The settings' environment.
        thaw: Whether those that are frozen are meant, if any is.
    """
    known = await environments(client)
    if thaw and any(each.freezes.held for each in known):
        return [each.name for each in known if each.freezes.held]
    names = [each.name for each in known]
    return sorted({*names, own}) if own or not names else names


async def _perform(
    client: Client, policy: Policy, environment: str, kind: ActKind, what: Act
) -> Outcome:
    # Said here too, as the next: where no worker answers, nobody else would say it.
    if stranger := responds(what.by, policy.rights(what.by)):
        raise Refused(stranger)
    if kind is ActKind.FREEZE and not what.text.strip():
        raise Refused("freezing needs a reason: it is what everybody will read")
    await open_coordinator(client, environment)
    return await act(client, coordinator_id(environment), kind, what)


async def open_coordinator(client: Client, environment: str) -> None:
    """Start the coordinator of *environment* where there is none yet."""
    await client.start_workflow(
        COORDINATOR,
        args=list[Any]([BEGINNING]),
        id=coordinator_id(environment),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=attributes(environment),
        static_summary=SUMMARY,
        rpc_timeout=_SECONDS,
    )
