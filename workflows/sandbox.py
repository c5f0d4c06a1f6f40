"""What workflow code shares with the worker instead of loading it anew for every incident."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

DEFINITIONS = (
    "workflows.autonomy",
    "workflows.coordinator",
    "workflows.incident",
    "workflows.page_proof",
    "workflows.post_incident",
    "workflows.weekly",
)
"""Where the workflows themselves are defined: in the sandbox, loaded anew for every incident."""

PASSED_THROUGH = (
    # Names and models of the outside world; they bring client libraries that the sandbox refuses.
    "activities",
    # Pure models and words.
    "workflows.acts",
    "workflows.details",
    "workflows.explanation",
    "workflows.efforts",
    "workflows.ledger",
    "workflows.frozen",
    "workflows.glance",
    "workflows.headline",
    "workflows.opening",
    "workflows.policy",
    "workflows.public_word",
    "workflows.relations",
    "workflows.template",
    "workflows.turns",
    "workflows.week_words",
    # Never run in a workflow: the incident asks for them by name, through a local activity.
    "workflows.consult",
    "workflows.procedures",
    "workflows.promql",
    "workflows.rules",
    # The lifecycle's parts. To load them anew took a third of the processor time of a burst, and
    # a copy of each for every open incident; a test reads them for clocks, dice and I/O instead.
    "workflows.answering",
    "workflows.audiences",
    "workflows.arrival",
    "workflows.binding",
    "workflows.case",
    "workflows.channels",
    "workflows.clocks",
    "workflows.closing",
    "workflows.deadlines",
    "workflows.earning",
    "workflows.email_lane",
    "workflows.explaining",
    "workflows.farewell",
    "workflows.freezing",
    "workflows.guards",
    "workflows.handover",
    "workflows.hands",
    "workflows.hearing",
    "workflows.intake",
    "workflows.investigation",
    "workflows.leasing",
    "workflows.lanes",
    "workflows.on_call_lane",
    "workflows.page_events",
    "workflows.paging",
    "workflows.phone_lane",
    "workflows.offers",
    "workflows.own_channel",
    "workflows.proposal",
    "workflows.questions",
    "workflows.reconciliation",
    "workflows.renewing",
    "workflows.response",
    "workflows.rights",
    "workflows.ringing",
    "workflows.settling",
    "workflows.slack_lane",
    "workflows.staging",
    "workflows.steps",
    "workflows.watching",
)


def runner() -> SandboxedWorkflowRunner:
    """Make the runner that workers, tests and replays all use."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)
