"""All that is known of an incident: one plain model that is shown, asked for and carried on.

The workflow owns it and is the only one to change it; everybody else gets a copy. Times are
absolute, so that a restart, a continue-as-new or a jump of a clock changes none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from activities.alerts import Alert
from activities.facts import Facts
from activities.kept import Kept
from activities.outbox import Channel
from activities.paging import Paging
from activities.people import Clocks, People, Question
from activities.planned import Asks, PlannedStep, StepState
from activities.verification import Condition, Sample
from activities.words import Severity, Urgency

__all__ = [
    "AlertState",
    "Asks",
    "Entry",
    "Facts",
    "Phase",
    "PlannedStep",
    "Reading",
    "Record",
    "Resolution",
    "StepState",
    "WatchRecord",
]


class Phase(StrEnum):
    """Where the response stands."""

    OPENING = "opening"
    INVESTIGATING = "investigating"
    MITIGATING = "mitigating"
    ASKING = "waiting for approval"
    VERIFYING = "verifying"
    SETTLING = "settling"
    UNDOING = "undoing"
    JOINED = "explained by another incident"
    WATCHING = "in people's hands"
    DOCUMENTING = "documenting"
    RESOLVED = "resolved"


class AlertState(Kept):
    """One fingerprint: the newest we know of it."""

    alert: Alert
    firing: bool
    first_seen: AwareDatetime
    times: int = 1
    """How often it began to fire while this incident was open."""
    why: str = ""
    """Why it is held for resolved when Alertmanager did not say so."""
    doubted: bool = False
    """Held for resolved by us, and then delivered as firing once more."""
    missing: int = 0
    """How many times in a row Alertmanager did not list it, although it fires by our account."""


class Entry(Kept):
    """One line of the timeline."""

    at: AwareDatetime
    kind: str
    """alert, page, message, evidence, plan, question, step, verification, person, escalation,
    problem, phase"""
    text: str
    by: str = "responder"


class Reading(Kept):
    """What a probe found, or why it could not be read."""

    key: str
    why: str
    """What the probe was for, in words."""
    answer: Any = None
    failed: str = ""
    """Empty, or why it could not be read."""
    took_seconds: float = 0.0


def unread(readings: Iterable[Reading]) -> list[str]:
    """Say what could not be read, once for each reason: five checks may share one silent system."""
    reasons: dict[str, list[str]] = {}
    for reading in readings:
        if reading.failed:
            reasons.setdefault(reading.failed, []).append(reading.why)
    return [
        f"{names[0]}: could not be read: {reason}"
        if len(names) == 1
        else f"{len(names)} checks could not be read: {reason} ({', '.join(names)})"
        for reason, names in reasons.items()
    ]


class WatchRecord(Kept):
    """One watch of the condition: what the chart is drawn from."""

    label: str
    started_at: AwareDatetime
    outcome: str
    samples: list[Sample]


class Resolution(Kept):
    """How the incident ended."""

    how: str
    """recovered, resolved by a person, stale"""
    reason: str
    by: str = "responder"
    at: AwareDatetime
    still_temporary: list[str] = Field(default_factory=list)


class AwaitedReceipt(Kept):
    """A page on its way to a phone, whose receipt comes later."""

    phone: str
    id: str
    due: AwareDatetime


class Record(Kept):
    """All that is known of an incident."""

    id: str
    run: str
    """First execution run id: with the id, unique for this incident for ever."""
    indicator: str
    service: str
    environment: str = ""
    opened_at: AwareDatetime
    severity: Severity = Severity.WARNING
    phase: Phase = Phase.OPENING
    asks: str = ""
    """What is asked of people now; empty when nothing is."""
    next_action: str = ""
    next_action_at: AwareDatetime | None = None

    alerts: dict[str, AlertState] = Field(default_factory=dict)
    incomplete: bool = False
    more_alerts: int = 0
    """How many fingerprints came that are not kept, for there are too many."""
    recurrence: int = 0
    refired: bool = False
    """Something began to fire after we thought it over."""
    facts: Facts | None = None
    no_procedure: str = ""
    """Why people handle it without a procedure."""
    readings: list[Reading] = Field(default_factory=list)
    cause: str = ""
    findings: list[str] = Field(default_factory=list)
    when_out: str = ""
    """What the procedure says to people when its ladder has run out."""
    waits: bool = False
    """Whether it then waits for somebody else, as long as users are kept away."""
    ladder: list[PlannedStep] = Field(default_factory=list)
    past_steps: list[PlannedStep] = Field(default_factory=list)
    """Steps of earlier ladders of this incident: what was tried is known."""
    planned_for: str = ""
    """The alert that mattered most when the ladder was planned."""
    planned_at: AwareDatetime | None = None
    plan_again: bool = False
    rejected: dict[str, str] = Field(default_factory=dict)
    """Steps that a person has rejected, by key, and who it was: asked again at most."""
    watches: list[WatchRecord] = Field(default_factory=list)
    question: Question | None = None
    questions: list[Question] = Field(default_factory=list)

    people: People = Field(default_factory=People)
    clocks: Clocks = Field(default_factory=Clocks)
    slack: Channel = Field(default_factory=Channel)
    pagerduty: Channel = Field(default_factory=Channel)
    phones: Channel = Field(default_factory=Channel)
    public: Channel = Field(default_factory=Channel)
    phone_receipts: list[AwaitedReceipt] = Field(default_factory=list)
    dead_phones: list[str] = Field(default_factory=list)
    """Names of phones that said that they have the app no more."""
    paged: dict[str, str] = Field(default_factory=dict)
    """Pages that are open at PagerDuty: deduplication key to the route that took it."""
    acknowledged_pages: list[str] = Field(default_factory=list)
    """Deduplication keys of the pages that PagerDuty was told are acknowledged."""
    page_urgency: Urgency | None = None
    paging: Paging = Field(default_factory=Paging)
    entries: int = 0
    """How many thread entries and pages were ever written: makes their keys."""
    handled: dict[str, str] = Field(default_factory=dict)
    """Ids of people's acts that have been dealt with, and what was answered."""

    timeline: list[Entry] = Field(default_factory=list)
    left_out: int = 0
    """How many routine lines were dropped from the timeline to keep it small."""
    paged_at: AwareDatetime | None = None
    told_at: AwareDatetime | None = None
    handed_over_at: AwareDatetime | None = None
    """When on-call was last paged because the ladder had run out."""
    handed_over_why: str = ""
    settled_rounds: int = 0
    """How many settling times ended well while alerts still fired."""
    released: bool = False
    """Somebody has cancelled the workflow: it does not wait for alerts to end."""
    mitigated_at: AwareDatetime | None = None
    recovered_at: AwareDatetime | None = None
    resolution: Resolution | None = None
    report: list[str] = Field(default_factory=list)
    summary: str = ""
    """What a model wrote about it, for people alone."""
    summary_by: str = ""
    """Which model."""
    aftermaths: int = 0
    """How many `PostIncident` workflows were started for it."""
    explained_by: str = ""
    """Id of the incident whose symptom this is; it takes no steps and wakes nobody meanwhile."""
    explained_by_offer: str = ""
    """Alert and id of an incident that has said to explain this one, until that is looked at."""
    cause_over: bool = False
    """That incident is over: what is not well a settling time later is not explained by it."""
    stands_alone: bool = False
    """It was taken for a symptom once, and outlived its cause or was shown to people with it."""
    symptoms: dict[str, str] = Field(default_factory=dict)
    """Open incidents that this one explains: id to alert."""
    earlier: str = ""
    """Run id of the incident of the same id that closed before this one."""

    @property
    def starts_at(self) -> AwareDatetime:
        """When it began by the alerts' own account; for reporting only."""
        return min(
            (state.alert.starts_at for state in self.alerts.values()), default=self.opened_at
        )

    @property
    def firing(self) -> list[AlertState]:
        """The fingerprints that are not resolved."""
        return [state for state in self.alerts.values() if state.firing]

    @property
    def title(self) -> str:
        """Name of the alert that matters most: the most severe that fires."""
        states = self.firing or list(self.alerts.values())
        ranked = sorted(states, key=lambda state: self.rank(state.alert))
        return ranked[-1].alert.name if ranked else self.indicator

    def severity_of(self, alert: Alert) -> Severity | None:
        """Give the severity of *alert*: its label's, else its name's, else its procedure's."""
        known = alert.severity or alert.named_severity
        if known is None and self.facts is not None and self.facts.name == alert.name:
            return self.facts.severity
        return known

    def rank(self, alert: Alert) -> int:
        """Say how much *alert* matters beside others: the one order that everything goes by."""
        severity = self.severity_of(alert)
        return -1 if severity is None else severity.rank

    @property
    def steps(self) -> list[PlannedStep]:
        """Every step of this incident, oldest first."""
        return [*self.past_steps, *self.ladder]

    @property
    def behind(self) -> Condition | None:
        """What recovery is measured by while users are kept away; None: they are not."""
        return next((step.behind for step in reversed(self.steps) if step.blinds), None)

    @property
    def temporary(self) -> list[PlannedStep]:
        """Steps whose change is in place and should not stay, newest first."""
        placed = [step for step in self.steps if step.undo and step.in_place]
        return sorted(
            placed, key=lambda s: s.ended_at or s.started_at or self.opened_at, reverse=True
        )
