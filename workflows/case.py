"""What the tracks of an incident share: its record, its policy, and the few ways in which the
record changes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType

from activities.charts import Chart
from activities.outbox import Unsent
from activities.record import Entry, Phase, Record
from activities.words import Severity, Urgency
from workflows.details import details
from workflows.policy import Policy, SeverityPolicy

INDICATOR = SearchAttributeKey.for_keyword("Indicator")
ALERT_NAME = SearchAttributeKey.for_keyword("AlertName")
SEVERITY = SearchAttributeKey.for_keyword("Severity")
PHASE = SearchAttributeKey.for_keyword("Phase")
ENVIRONMENT = SearchAttributeKey.for_keyword("Environment")
SERVICE = SearchAttributeKey.for_keyword("Service")
SEARCH_ATTRIBUTES = (INDICATOR, ALERT_NAME, SEVERITY, PHASE, ENVIRONMENT, SERVICE)

MOST_ENTRIES = 300
_ROUTINE = frozenset({"message", "update"})


class Case:
    """One incident in work."""

    def __init__(self, record: Record, policy: Policy) -> None:
        self.record = record
        self.policy = policy
        self.pausing = False
        """Set at a quiet point: nothing new is sent, so that the run can continue as new."""

    @property
    def now(self) -> datetime:
        """The workflow's time."""
        return workflow.now()

    def too_long(self) -> bool:
        """Tell whether the history has grown enough to continue as new."""
        info = workflow.info()
        longest = self.policy.run_events
        return info.is_continue_as_new_suggested() or info.get_current_history_length() > longest

    @property
    def severity_policy(self) -> SeverityPolicy:
        """The intervals of the present severity."""
        return self.policy.severities[self.record.severity]

    def after(self, real_seconds: float) -> datetime:
        """Give the absolute time so many seconds of real life from now, at the policy's pace."""
        return self.now + self.policy.seconds(real_seconds)

    def key(self, occasion: str) -> str:
        """Make the idempotency key of *occasion*: the same in every run, attempt and process."""
        return f"{self.record.id}/{self.record.run}/{occasion}"

    def note(self, kind: str, text: str, *, by: str = "responder", tell: bool = False) -> None:
        """Write a line into the timeline; *tell* puts it into the Slack thread too."""
        record = self.record
        record.timeline.append(Entry(at=self.now, kind=kind, text=text, by=by))
        if len(record.timeline) > MOST_ENTRIES:
            routine = (i for i, entry in enumerate(record.timeline) if entry.kind in _ROUTINE)
            del record.timeline[next(routine, 1)]
            record.left_out += 1
        if tell:
            self.tell(text if by == "responder" else f"{by}: {text}")
        self.changed()

    def changed(self, *, root: bool = False) -> None:
        """Show the present state where people look at it; *root* brings the Slack message up to date too."""
        # The details cost nothing, a message costs six history events: it is for what a reader must know.
        self.record.slack.dirty = self.record.slack.dirty or root
        workflow.set_current_details(details(self.record, self.policy))

    def enter(self, phase: Phase, next_action: str = "", at: datetime | None = None) -> None:
        """Move the response to *phase* and say what happens next."""
        record = self.record
        moved = record.phase is not phase
        record.next_action, record.next_action_at = next_action, at
        record.phase = phase
        if moved and phase is not Phase.DOCUMENTING:  # over in a moment
            workflow.upsert_search_attributes([PHASE.value_set(phase.value)])
        self.changed(root=moved and phase is not Phase.DOCUMENTING)

    def set_severity(self, severity: Severity, why: str) -> None:
        """Change the severity, and say why."""
        if severity is self.record.severity:
            return
        self.record.severity = severity
        workflow.upsert_search_attributes(
            [SEVERITY.value_set(severity.value), ALERT_NAME.value_set(self.record.title)]
        )
        self.note("alert", f"severity is now {severity.value}: {why}", tell=True)
        self.changed(root=True)

    def tell(self, title: str, *lines: str, level: int | None = None, kind: str = "entry") -> None:
        """Queue an entry for the Slack thread; *level* calls that level's person by name."""
        mention = "" if level is None else self.policy.mentions.get(self.level_name(level), "")
        waiting = self.record.slack.unsent
        last = waiting[-1] if waiting else None
        if last and last.kind == kind == "entry" and not (last.tries or mention):
            # Nobody has seen the last one yet: one message instead of two.
            last.payload["parts"] += [{"text": line} for line in (title, *lines)]
            return
        parts = [{"text": line} for line in lines]
        payload = {"title": title, "parts": parts, "mention": mention}
        waiting.append(self._unsent(kind, payload))

    def show_chart(self, chart: Chart) -> None:
        """Queue a picture for the Slack thread."""
        payload = chart.model_dump(mode="json")
        self.record.slack.unsent.append(self._unsent("chart", payload))

    def page(self, urgency: Urgency, reason: str, *, level: int = 0) -> None:
        """Queue a page for on-call (level 0) or for somebody up the severity's chain."""
        record = self.record
        name = self.level_name(level)
        self.record.pagerduty.unsent.append(
            self._unsent("page", {"level": name, "urgency": urgency.value, "why": reason})
        )
        if level == 0:
            record.page_urgency = urgency
        else:
            self.tell(f"{name}: {reason}", level=level)
        self.note("page", f"{name} is paged, {urgency.value} urgency: {reason}")

    def level_name(self, level: int) -> str:
        """Name a level of the severity's chain; 0 is on-call."""
        return ("on-call", *self.severity_policy.levels)[level]

    def follow_pages(self, kind: str) -> None:
        """Queue "acknowledge" or "resolve" for every page that is open, or about to be."""
        record = self.record
        for key, route in record.paged.items():
            payload = {"dedup_key": key, "route": route}
            record.pagerduty.unsent.append(self._unsent(kind, payload))

    def first_contact(self) -> None:
        """Start the clocks: somebody has been told (PROCEDURES: not `startsAt`)."""
        record, policy = self.record, self.severity_policy
        if record.told_at is not None:
            return
        record.told_at = self.now
        self.start_clocks()
        if policy.update_seconds is not None:
            record.clocks.update_at = self.after(policy.update_seconds)

    def start_clocks(self) -> None:
        """Run the escalation clock from now, unless somebody has acknowledged."""
        clocks, policy = self.record.clocks, self.severity_policy
        if self.record.told_at is None or self.record.people.acknowledged_by:
            return
        clocks.escalate_at = self.after(policy.escalate_seconds)
        clocks.urgent_at = (
            None if policy.urgent_seconds is None else self.after(policy.urgent_seconds)
        )

    def _unsent(self, kind: str, payload: dict[str, Any]) -> Unsent:
        self.record.entries += 1
        key = self.key(f"{kind}-{self.record.entries}")
        return Unsent(key=key, kind=kind, payload=payload, queued_at=self.now)


def why(error: BaseException) -> str:
    """Say in words why an activity failed."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        return {
            TimeoutType.SCHEDULE_TO_START: "no worker took it up: is the worker of its task queue running?",
            TimeoutType.HEARTBEAT: "its worker stopped answering",
        }.get(cause.type or TimeoutType.START_TO_CLOSE, "it took too long")
    if isinstance(cause, ApplicationError):
        return cause.message
    return str(cause or error)


def kind_of(error: BaseException) -> str:
    """Name the kind of an activity's failure: one of the error taxonomy, Timeout, Cancelled or
    Unknown.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        return "NoWorker" if cause.type is TimeoutType.SCHEDULE_TO_START else "Timeout"
    if isinstance(cause, ApplicationError):
        return cause.type or "Unknown"
    return type(cause or error).__name__


Interrupted = Callable[[], bool]
"""Tells whether a wait should end early."""
