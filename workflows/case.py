"""What the tracks of an incident share: record, policy, and the few ways to change the record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

from activities.charts import Chart
from activities.outbox import Unsent
from activities.record import Entry, Phase, Record
from activities.words import Severity, Urgency, cut
from workflows import paging
from workflows.details import details
from workflows.headline import update_seconds
from workflows.policy import Policy, SeverityPolicy

INDICATOR = SearchAttributeKey.for_keyword("Indicator")
ALERT_NAME = SearchAttributeKey.for_keyword("AlertName")
SEVERITY = SearchAttributeKey.for_keyword("Severity")
PHASE = SearchAttributeKey.for_keyword("Phase")
ENVIRONMENT = SearchAttributeKey.for_keyword("Environment")
SERVICE = SearchAttributeKey.for_keyword("Service")
SEARCH_ATTRIBUTES = (INDICATOR, ALERT_NAME, SEVERITY, PHASE, ENVIRONMENT, SERVICE)

MOST_ENTRIES = 300
_ROUTINE = frozenset({"message", "update", "verification", "alert", "evidence"})
"""What a timeline that is too long loses first: what people did and decided stays."""
_MOST_PARTS = 12
"""Slack shows no more in one entry."""
_MOST_WHY = 600
_MOST_TEXT = 1600
_MOST_UNSENT = 150
_MOMENTS = frozenset({Phase.INVESTIGATING, Phase.DOCUMENTING})
"""Over before anybody has searched for it."""


class Case:
    """One incident in work."""

    def __init__(self, record: Record, policy: Policy, prefix: str = "") -> None:
        self.record = record
        self.policy = policy
        self._prefix = prefix
        self.pausing = False
        """Set at a quiet point: nothing new is sent, so that the run can continue as new."""
        self.edition = 1
        """Of the lifecycle, by when the run began; the second one looks for other incidents."""
        self.changing = ""
        """Key of the step that is being undone, or given back in part, at this moment."""

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

    @property
    def held(self) -> bool:
        """Whether a person has said that no step is to be taken for now."""
        people = self.record.people
        return people.frozen or (people.hold_until is not None and people.hold_until > self.now)

    @property
    def muted(self) -> bool:
        """Whether the thread of its cause speaks for it; what people have seen is kept up."""
        return bool(self.record.explained_by) and not self.record.slack.ts

    @property
    def outplanned(self) -> bool:
        """Whether another alert matters most now than the one that the ladder was planned for."""
        record = self.record
        other = bool(record.firing) and record.planned_for != record.title
        return record.plan_again and other and not record.people.taken_over_by

    def after(self, real_seconds: float) -> datetime:
        """Give the absolute time so many seconds of real life from now, at the policy's pace."""
        return self.now + self.policy.seconds(real_seconds)

    def key(self, occasion: str) -> str:
        """Make the idempotency key of *occasion*: the same in every run, attempt and process."""
        return f"{self.record.id}/{self.record.run}/{occasion}"

    def note(self, kind: str, text: str, *, by: str = "responder", tell: bool = False) -> None:
        """Write a line into the timeline; *tell* puts it into the Slack thread too."""
        record = self.record
        record.timeline.append(Entry(at=self.now, kind=kind, text=cut(text, _MOST_TEXT), by=by))
        if len(record.timeline) > MOST_ENTRIES:
            later = list(enumerate(record.timeline))[1:]
            del record.timeline[next((i for i, entry in later if entry.kind in _ROUTINE), 1)]
            record.left_out += 1
        if tell:
            self.tell(text if by == "responder" else f"{by}: {text}")
        self.changed()

    def changed(self, *, root: bool = False) -> None:
        """Show the present state; *root* brings the Slack message up to date too."""
        # The details cost nothing, a message costs six history events: it is for what a reader
        # must know.
        self.record.slack.dirty = self.record.slack.dirty or (root and not self.muted)
        workflow.set_current_details(details(self.record, self.policy))

    def enter(self, phase: Phase, next_action: str = "", at: datetime | None = None) -> None:
        """Move the response to *phase* and say what happens next."""
        record = self.record
        moved = record.phase is not phase
        record.next_action, record.next_action_at = next_action, at
        record.phase = phase
        if moved and phase not in _MOMENTS:
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

    def tell(
        self, title: str, *lines: str, calls: str = "", kind: str = "entry", code: str = ""
    ) -> None:
        """Queue an entry for the Slack thread; *calls* names the level whose person is called.

        *code* is shown as it is: what stands in it was written by others.
        """
        if self.record.slack.silent(self.now) or self.muted:
            return
        mention = self.policy.mentions.get(calls, "")
        waiting = self.record.slack.unsent
        last = waiting[-1] if waiting else None
        parts = [{"text": line} for line in lines]
        parts += [{"text": code, "kind": "code"}] if code else []
        unseen = last and last.kind == kind == "entry" and not (last.tries or mention)
        # Not while pausing: what waits then is being handed on as it stands.
        if last and unseen and not self.pausing:
            merged = last.payload["parts"]
            if len(merged) + 1 + len(parts) <= _MOST_PARTS:
                # Nobody has seen the last one yet: one message instead of two.
                merged += [{"text": title}, *parts]
                return
        payload = {"title": title, "parts": parts, "mention": mention}
        waiting.append(self.unsent(kind, payload))
        if len(waiting) > _MOST_UNSENT:
            # The first ones tell how it began, the last ones how it stands.
            del waiting[_MOST_UNSENT // 2]
            self.record.left_out += 1

    def show_chart(self, chart: Chart) -> None:
        """Queue a picture for the Slack thread."""
        if not self.record.slack.silent(self.now):
            payload = chart.model_dump(mode="json")
            self.record.slack.unsent.append(self.unsent("chart", payload))

    def page(self, urgency: Urgency, reason: str, *, level: int = 0, wanted: bool = False) -> None:
        """Queue a page for on-call (level 0) or for somebody up the severity's chain.

        A page that a person has *wanted* goes out also when somebody acknowledges meanwhile.
        """
        paging.page(self, urgency, reason, level=level, wanted=wanted)

    def call(self, reason: str, urgency: Urgency = Urgency.HIGH) -> None:
        """Page on-call about more than the opening; info, which pages nobody, is told in Slack."""
        if self.severity_policy.page is not None:
            self.page(urgency, reason)
        else:
            self.tell(reason, calls=self.level_name(0))

    def call_anew(self, reason: str) -> None:
        """Page on-call because it got worse: who has acknowledged the milder has not this."""
        people, urgency = self.record.people, self.severity_policy.page
        if people.acknowledged_by:
            self.note("escalation", f"{people.acknowledged_by} has to acknowledge anew: {reason}")
        people.acknowledged_by, people.acknowledged_at = "", None
        people.level = people.rounds = 0
        people.renewal_asked, self.record.clocks.renew_at = False, None
        if urgency is not None:
            self.page(urgency, reason)
        self.start_clocks()

    def level_name(self, level: int) -> str:
        """Name a level of the severity's chain; 0 is on-call, above the last is the last."""
        names = ("on-call", *self.severity_policy.levels)
        return names[min(level, len(names) - 1)]

    def follow_pages(self, kind: Literal["acknowledge", "resolve"]) -> None:
        """Queue "acknowledge" or "resolve" for every page that is open, or on its way."""
        paging.follow(self, kind)

    def first_contact(self) -> None:
        """Start the clocks: somebody has been told (PROCEDURES: not `startsAt`)."""
        if self.record.told_at is None:
            self.record.told_at = self.now
            self.start_clocks()

    def start_clocks(self) -> None:
        """Run the clocks by the present severity; none is ever moved to a later time by this."""
        record, policy = self.record, self.severity_policy
        clocks, people = record.clocks, record.people
        if record.told_at is None or record.explained_by:
            return
        # A step may be keeping users away before anybody has been told.
        promised = update_seconds(record, self.policy)
        clocks.update_at = self._sooner(clocks.update_at, promised)
        if people.acknowledged_by:
            clocks.renew_at = self._sooner(clocks.renew_at, 2 * policy.respond_seconds)
            return
        clocks.escalate_at = self._sooner(clocks.escalate_at, policy.escalate_seconds)
        clocks.urgent_at = (
            None
            if policy.page is Urgency.HIGH or policy.urgent_seconds is None
            else self._sooner(clocks.urgent_at, policy.urgent_seconds)
        )

    def surely_broken(self) -> None:
        """Lift "on-call only": by now it is known that something is wrong."""
        if self.record.people.only_on_call:
            self.record.people.only_on_call = False
            self.note("alert", "it is broken indeed: everybody may be called")
            self.start_clocks()

    def _sooner(self, present: datetime | None, seconds: float | None) -> datetime | None:
        if seconds is None:
            return present
        due = self.after(seconds)
        return due if present is None else min(present, due)

    def unsent(self, kind: str, payload: dict[str, Any]) -> Unsent:
        """Make a message that is to be sent, with a key of its own."""
        self.record.entries += 1
        key = self.key(f"{self._prefix}{kind}-{self.record.entries}")
        return Unsent(key=key, kind=kind, payload=payload, queued_at=self.now)


def why(error: BaseException) -> str:
    """Say in words why an activity failed."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout):
        return {
            TimeoutType.SCHEDULE_TO_START: (
                "no worker took it up: is the worker of its task queue running?"
            ),
            TimeoutType.HEARTBEAT: "its worker stopped answering",
        }.get(cause.type or TimeoutType.START_TO_CLOSE, "it took too long")
    if isinstance(cause, ApplicationError):
        return cause.message[:_MOST_WHY]
    return str(cause or error)[:_MOST_WHY]


def kind_of(error: BaseException) -> str:
    """Name the kind of a failure: of the error taxonomy, or Timeout, NoWorker, Unknown."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout):
        return "NoWorker" if cause.type is TimeoutType.SCHEDULE_TO_START else "Timeout"
    if isinstance(cause, ApplicationError):
        return cause.type or "Unknown"
    return type(cause or error).__name__
