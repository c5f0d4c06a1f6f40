"""Workflows that keep something for an environment, and run for ever: asked by an update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from temporalio import activity
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError

from activities.errors import Unavailable
from activities.freezing import ENVIRONMENT
from activities.words import Answer

Got = TypeVar("Got", bound=Answer)

TASK_QUEUE = "incidents"
SECONDS = timedelta(seconds=4)


class OfEnvironment(Protocol):
    """An order that says which environment it is of."""

    @property
    def environment(self) -> str:
        """Its name; empty is one of its own."""


@dataclass(frozen=True)
class Keeper:
    """One kind of them; there is one for each environment."""

    workflow: str
    """The workflow's type."""
    named: str
    """As a person is told of it: the coordinator."""
    summary: str
    id_of: Callable[[str], str]
    """Makes the workflow's id of the environment."""
    beginning: Any = None
    """What a new one starts with."""

    async def ask(
        self, update: str, order: OfEnvironment, result: type[Got], *, again: str = ""
    ) -> Got:
        """Ask by an update, which starts it where there is none yet.

        Args:
            update: The update's name.
            order: What it is asked.
            result: What it answers.
            again: Tells a second question of one attempt from the first.
        """
        info = activity.info()
        try:
            answer: Got = await activity.client().execute_update_with_start_workflow(
                update,
                order,
                start_workflow_operation=self._start(order.environment),
                id=f"{info.workflow_run_id}-{info.activity_id}-{info.attempt}{again}",
                result_type=result,
                rpc_timeout=SECONDS,
            )
        except (RPCError, WorkflowUpdateFailedError, TimeoutError) as error:
            raise Unavailable(f"{self.named} does not answer ({type(error).__name__})") from None
        return answer

    def _start(self, environment: str) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            self.workflow,
            args=[self.beginning],
            id=self.id_of(environment),
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=attributes(environment),
            static_summary=self.summary,
        )


def attributes(environment: str) -> TypedSearchAttributes:
    """Make the search attributes that tell of which environment one is."""
    return TypedSearchAttributes([SearchAttributePair(ENVIRONMENT, environment[:255])])
