"""What workflow code shares with the worker instead of loading it anew for every incident."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = (
    # Names and models of the outside world; they bring client libraries that the sandbox refuses.
    "activities",
    # Pure models: loading pydantic classes costs milliseconds, and an incident has many.
    "workflows.policy",
    "workflows.acts",
    # Never run in a workflow: the incident asks for them by name, through a local activity.
    "workflows.consult",
    "workflows.procedures",
    "workflows.promql",
)
"""The lifecycle itself never is: in the sandbox a stray clock fails its first replay."""


def runner() -> SandboxedWorkflowRunner:
    """Make the runner that workers, tests and replays all use."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)
