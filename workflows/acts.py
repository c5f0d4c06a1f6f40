"""What people can do to an incident, by whichever door they come."""

from __future__ import annotations

from enum import StrEnum

from pydantic import ConfigDict, Field

from activities.words import Order


class ActKind(StrEnum):
    """The acts; each is an update of the workflow, and some are also a durable signal."""

    ACKNOWLEDGE = "acknowledge"
    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    TAKE_OVER = "take-over"
    HAND_BACK = "hand-back"
    RESOLVE = "resolve"
    ESCALATE = "escalate"
    NOTE = "note"
    FREEZE = "freeze"
    """Of a whole environment, and so its coordinator's, as is the next."""
    UNFREEZE = "unfreeze"


FALLS_BACK = frozenset({
    ActKind.ACKNOWLEDGE, ActKind.TAKE_OVER, ActKind.RESOLVE, ActKind.ESCALATE, ActKind.NOTE,
    ActKind.FREEZE,
})  # fmt: skip
"""Acts that are also sent as a signal when no worker answers.

Approve and reject never are: whether the question was still open must be known when the person
reads the answer. Nor is unfreeze: whether its person may is known by a worker."""


class Act(Order):
    """One act of one person; a newer door may know more of it than this worker."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=200)
    """Of the click or the command: the same id is the same act, whichever way it arrives."""
    by: str = Field(min_length=1, max_length=200)
    via: str = Field(max_length=40)
    """The door: cli, slack, pagerduty, temporal."""
    text: str = Field(default="", max_length=3000)
    """The note, or the reason."""
    question: str = Field(default="", max_length=64)
    """Which question is answered; empty is the only open one."""
    run: str = Field(default="", max_length=64)
    """First run's id of the incident that the person saw; empty is the one that is open."""
    shown: str = Field(default="", max_length=64)
    """What the person saw (`activities.buttons.Target.shown`); empty binds to nothing."""
    minutes: float = Field(default=10, gt=0, le=24 * 60)
    """How long to hold."""
    person: bool = True
    """False for a bot or an integration: its acknowledgement does not count."""


class PersonAct(Order):
    """An act as a durable signal: what is sent when no worker answered the update."""

    model_config = ConfigDict(extra="ignore")

    kind: ActKind
    act: Act
