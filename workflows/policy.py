"""Who decides what, who is told when: taken from the settings into the workflow's input."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from activities.autonomy import Earning
from activities.email import EmailAddress
from activities.paging import Way
from activities.record import Asks, PlannedStep, Record
from activities.words import Mode, Order, Risk, Severity, Urgency

Seconds = Annotated[float, Field(gt=0, le=31 * 24 * 3600, allow_inf_nan=False)]

Preapproval = Annotated[str, Field(pattern=r"^[a-z]\w*(\.[a-z]\w*)+@\S.*$", max_length=300)]

TwoPeople = Annotated[
    str, Field(pattern=rf"^({'|'.join(Risk)}|[a-z]\w*(\.[a-z]\w*)+(@\S.*)?)$", max_length=300)
]


class Verdict(StrEnum):
    """What may be done with a step."""

    ACT = "act"
    ASK = "ask"
    NEVER = "never"


class Rights(Order):
    """What a person may do."""

    responder: bool = True
    """May acknowledge, hold, take over, escalate and resolve."""
    approves: tuple[Risk, ...] = ()
    """Risks of the steps that this person may approve."""


def responds(who: str, rights: Rights | None) -> str:
    """Say that *who* may not act at all; empty if that is allowed."""
    allowed = rights is not None and rights.responder
    return "" if allowed else f"{who} does not have the responder role"


class SeverityPolicy(Order):
    """How fast, how loud and how often for one severity (runbook, "Escalation Matrix")."""

    page: Urgency | None
    """Urgency of the first page; None sends a message only."""
    respond_seconds: Seconds
    """An acknowledgement holds for twice this."""
    escalate_seconds: Seconds
    """Silence after which the next level is called."""
    levels: tuple[str, ...]
    """The chain above on-call, in order."""
    urgent_seconds: Seconds | None = None
    """When a page of low urgency becomes one of high urgency."""
    update_seconds: Seconds | None
    """The longest silence on Slack; None tells changes only."""
    question_seconds: Seconds
    """How long a question waits before the next level is asked, and again before it expires."""


def _severities() -> dict[Severity, SeverityPolicy]:
    minute, hour = 60.0, 3600.0
    return {
        Severity.CRITICAL: SeverityPolicy(
            page=Urgency.HIGH,
            respond_seconds=15 * minute,
            escalate_seconds=15 * minute,
            levels=("engineering-lead", "cto"),
            update_seconds=15 * minute,
            question_seconds=5 * minute,
        ),
        Severity.WARNING: SeverityPolicy(
            page=Urgency.LOW,
            respond_seconds=hour,
            escalate_seconds=hour,
            levels=("engineering-lead",),
            urgent_seconds=45 * minute,
            update_seconds=hour,
            question_seconds=30 * minute,
        ),
        Severity.INFO: SeverityPolicy(
            page=None,
            respond_seconds=4 * hour,
            escalate_seconds=4 * hour,
            levels=("engineering-lead",),
            update_seconds=None,
            question_seconds=4 * hour,
        ),
    }


def _stands_on() -> dict[str, tuple[str, ...]]:
    return {"pravado-api": ("redis", "postgres")}


class Policy(Order):
    """Everything that governs a response; its defaults are the figures of the runbook."""

    mode: Mode = Mode.GUARDED
    modes: dict[str, Mode] = Field(default_factory=dict)
    """By alert, where one is to do more or less than the rest: ``{"HighLLMCost": "observe"}``."""
    autonomy: Earning = Earning()
    """Whether steps have to earn what they may do; the policy is never exceeded by that."""
    severities: dict[Severity, SeverityPolicy] = Field(default_factory=_severities)
    people: dict[str, Rights] = Field(default_factory=lambda: {"*": Rights()})
    """Rights by name; ``*`` is everybody who comes through an authenticated door."""
    mentions: dict[str, str] = Field(default_factory=dict)
    """Slack user or group id of each level: on-call, engineering-lead, cto."""
    audiences: dict[str, Severity] = Field(default_factory=dict)
    """Channels that hear of an incident beside #incidents, by role, each with the mildest
    severity that it hears of: ``{"engineering": "warning", "product": "critical"}``."""
    public_from: Severity | None = None
    """From which severity on people are asked whether to publish it on the status page."""
    own_channel: bool = False
    """Whether an incident gets a Slack channel of its own, into which on-call is invited."""
    phones: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Whose phones ring beside a page of high urgency: names by level, tokens are settings."""
    addresses: dict[str, tuple[EmailAddress, ...]] = Field(default_factory=dict)
    """E-mail addresses by level, for pages that nobody has acknowledged."""
    reach_by: tuple[Way, ...] = (Way.EXPO, Way.EMAIL, Way.SLACK)
    """In which order the other ways are taken once PagerDuty was; phones ring with it at once."""
    reach_seconds: Seconds = 300
    """Given to each way to bring an acknowledgement before the next is taken."""
    names_on_call: bool = False
    """Whether PagerDuty is asked who is on call; the token and the policies are settings."""
    preapproved: tuple[Preapproval, ...] = ()
    """Steps that need no asking, as ``activity@target``, in guarded and autonomous mode.

    What always asks still does: nobody could see beforehand what makes it dubious now."""
    two_people: tuple[TwoPeople, ...] = ()
    """What two people must approve: risks, and steps as ``activity`` or ``activity@target``."""
    other_than_requester: bool = False
    """Whether somebody else must approve than who asked for it: opened it by hand, or handed
    it back."""
    evidence_seconds: Seconds = 300
    """How old the evidence of a question may be when it is approved, before it is gathered
    anew."""
    verify_seconds: Seconds = 300
    verify_every_seconds: Seconds = 15
    good_looks: int = Field(default=3, ge=1)
    settle_seconds: Seconds = 600
    undo_verify_seconds: Seconds = 120
    quiet_seconds: Seconds = 900
    """How often a quiet incident compares itself with Alertmanager and the alert's expression."""
    watch_every_seconds: Seconds = 30
    out_of_steps_seconds: Seconds = 300
    """Silence after "out of steps" before the next level is called."""
    outage_update_seconds: Seconds = 300
    restarts_of_a_target: int = Field(default=2, ge=1, le=100)
    restarts_within_seconds: Seconds = 1800
    stands_on: dict[str, tuple[str, ...]] = Field(default_factory=_stands_on)
    """What each target stands on: none of them is changed while the other is."""
    cool_down_seconds: Seconds = 900
    """No step twice on a target within this."""
    symptom_hold_seconds: float = Field(default=30, ge=0, le=300)
    """How long a critical symptom waits for its cause before it wakes anybody."""
    cause_within_seconds: Seconds = 600
    """How far apart a symptom and its cause may begin."""
    summary: bool = False
    """Whether a model writes a few sentences into the report; it decides nothing."""
    unsent_after_close_seconds: Seconds = 600
    review_after_seconds: Seconds = 24 * 3600
    postmortem_after_seconds: Seconds = 48 * 3600
    pace: float = Field(default=1.0, gt=0, le=1, allow_inf_nan=False)
    """1 is real life; a demonstration shortens every wait by this factor, and says so."""
    ui: str = ""
    """Base address of the Temporal UI for links, with the namespace."""
    links: dict[str, str] = Field(default_factory=dict)
    """Dashboards of every incident: name to address, with ``{service}``, ``{environment}``."""
    run_events: int = Field(default=4000, ge=200)
    """History events after which the incident continues as new from its next quiet point."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [severity.value for severity in Severity if severity not in self.severities]
        if missing:
            message = (
                f"severities: {', '.join(missing)} missing; every severity needs its intervals"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _asked(self) -> Self:
        if any(each.startswith("public_page.") for each in self.preapproved):
            raise ValueError("preapproved: what users read is asked about always")
        return self

    @model_validator(mode="after")
    def _reaching(self) -> Self:
        if Way.PAGERDUTY in self.reach_by or len(set(self.reach_by)) < len(self.reach_by):
            raise ValueError("reach_by: each way but pagerduty, which comes first, and each once")
        return self

    @model_validator(mode="after")
    def _watchable(self) -> Self:
        every = self.verify_every_seconds
        for window in ("verify_seconds", "undo_verify_seconds", "settle_seconds"):
            if every > getattr(self, window):
                raise ValueError(f"{window}: there is no look within it, at one in {every:g} s")
        if self.good_looks * self.verify_every_seconds > self.verify_seconds:
            raise ValueError("good_looks: more than there are looks in verify_seconds")
        return self

    def seconds(self, real: float) -> timedelta:
        """Turn seconds of real life into this policy's pace."""
        return timedelta(seconds=real * self.pace)

    def settling_seconds(self, record: Record) -> float:
        """Say how long *record* must stay well; behind a page, where users wait, maybe less."""
        sooner = record.facts.back_after_seconds if record.facts and record.behind else 0.0
        settle = min(sooner or self.settle_seconds, self.settle_seconds)
        return max(settle, self.verify_every_seconds)

    def together(self, target: str) -> tuple[str, ...]:
        """Name what must not be changed while *target* is: what it stands on, and what on it."""
        above = [name for name, below in self.stands_on.items() if target in below]
        return tuple(dict.fromkeys((*self.stands_on.get(target, ()), *above)))

    def rights(self, who: str) -> Rights | None:
        """Find what *who* may do, None for a stranger."""
        return self.people.get(who) or self.people.get("*")

    def approvers(self, risk: Risk) -> list[str]:
        """Name those who may approve *risk*."""
        return sorted(name for name, rights in self.people.items() if risk in rights.approves)

    def needed(self, step: PlannedStep, risk: Risk) -> int:
        """Count the people who must approve *step*, asked about together with others of *risk*."""
        named = {risk.value, step.activity, f"{step.activity}@{step.target}"}
        return 2 if named & {*self.two_people} else 1

    def mode_of(self, alert: str) -> Mode:
        """Say how much may be done for *alert* without a person."""
        return self.modes.get(alert, self.mode)

    def decide(self, step: PlannedStep, severity: Severity, alert: str = "") -> Verdict:
        """Say who decides about *step* of *alert* (PROCEDURES, "Policy: who decides")."""
        mode = self.mode_of(alert)
        if mode is Mode.OBSERVE:
            return Verdict.NEVER
        if step.asks is Asks.ALWAYS:
            return Verdict.ASK
        if f"{step.activity}@{step.target}" in self.preapproved:
            return Verdict.ACT
        costly = step.risk in (Risk.OUTAGE, Risk.DESTRUCTIVE)
        if step.asks is Asks.NEVER and not (costly and severity is not Severity.CRITICAL):
            return Verdict.ACT
        acts = {Risk.REVERSIBLE}
        if mode is Mode.AUTONOMOUS or severity is Severity.CRITICAL:
            acts.add(Risk.DISRUPTIVE)
        return Verdict.ACT if step.risk in acts else Verdict.ASK
