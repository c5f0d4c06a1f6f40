"""Tells the workflows of a worker what its settings let people do."""

from __future__ import annotations

from temporalio.worker import (
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.policy import Policy
from workflows.rights import RIGHTS


class KnowsPeople(Interceptor):
    """Lets validators look rights up without a call to anywhere: a freeze waits for nothing."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor] | None:
        """Hand the function in; no call is intercepted."""
        input.unsafe_extern_functions[RIGHTS] = self._policy.rights
        return None
