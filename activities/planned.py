"""One step of a ladder: what the procedure planned, and how far it has come."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from activities.kept import Kept
from activities.verification import Condition
from activities.words import Risk


class Asks(StrEnum):
    """Whether a step overrides the policy table."""

    POLICY = "as the policy says"
    ALWAYS = "always"
    NEVER = "never"


class StepState(StrEnum):
    """How far a step of the ladder is."""

    PLANNED = "planned"
    ASKED = "asked"
    RUNNING = "running"
    DONE = "done"
    HELPED = "helped"
    UNHELPFUL = "did not help"
    UNCERTAIN = "outcome unknown"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"


class PlannedStep(Kept):
    """One mitigation of the ladder, as the procedure planned it."""

    key: str
    """Stable name of the step: its activity and target."""
    activity: str
    order: dict[str, Any]
    target: str
    """What it touches; one change at a time on a target."""
    why: str
    effect: str
    """The effect in words, in a line."""
    details: list[str] = Field(default_factory=list)
    """What exactly is touched, for the person who approves it."""
    expect: str = ""
    risk: Risk
    asks: Asks = Asks.POLICY
    alone_if: Condition | None = None
    """Looked at just before it is asked about: where it holds then, nobody need be asked."""
    alone: bool = False
    """That condition held."""
    undo: bool = False
    """Whether the lifecycle undoes it once the incident has settled."""
    restarts: bool = False
    """Whether it counts against the restart budget of its target."""
    once: bool = False
    """Whether an incident has it once at most, to whatever end: a rollback."""
    needs: str = ""
    """Key of a step without which this one makes no sense."""
    approved_with: str = ""
    """Key of a step whose approval covers this one too: both effects are shown in one
    question."""
    apply_seconds: float = 120.0
    mends: bool = True
    """Whether it can end what is wrong; what cannot is not waited for: the next step follows."""
    behind: Condition | None = None
    """What recovery is measured by while this is in place: users are kept away, so that what is
    measured of their traffic says nothing."""
    stages: list[float] = Field(default_factory=list)
    """Shares of it that are given back one after the other, each verified, before the undo."""
    lasts_seconds: float = 0.0
    """After so long it ends by itself, unless it is renewed; 0: it does not end."""
    renew_seconds: float = 0.0
    """How often it is renewed while it is in place."""
    proves: Condition | None = None
    """What shows that it works, where it is not meant to end the incident by itself: then the
    next step follows at once; without the proof, none that needs this one."""
    completes: str = ""
    """Key of the step that this one completes: once it is made both are one change, undone at
    once to what stood before the first."""
    undo_when: Condition | None = None
    """What must have held for `undo_hold_seconds` before it is undone."""
    undo_hold_seconds: float = 0.0
    verify_seconds: float = 0.0
    """How long it takes to show whether it helps, where that is longer than the policy's."""
    cool_down_seconds: float = 0.0
    """Its own cool-down, where that is longer than the policy's."""

    state: StepState = StepState.PLANNED
    said: str = ""
    before: Any = None
    """What `read` found, as recorded before the change."""
    approved_by: str = ""
    voided: int = 0
    """How many times an approval of it was void, for what it would change had changed."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    put_back: bool = False
    """Undone once, and applied again because the alert came back."""
    undone_at: AwareDatetime | None = None
    read_failed_at: AwareDatetime | None = None
    """Since when it cannot be read what is there before."""
    restarted_at: list[AwareDatetime] = Field(default_factory=list)
    """Every time at which it restarted, or may have restarted, its target."""
    undo_tries: int = 0
    left: str = ""
    """Why its undo is left to people; empty while it is ours."""
    share: float = 0.0
    """How much of it has been given back in stages."""
    given_back: float = 0.0
    """How much of that is in effect: another incident may hold it too."""
    stage_fails: int = 0
    """How many stages failed."""
    expires_at: AwareDatetime | None = None
    renew_at: AwareDatetime | None = None
    half_time_at: AwareDatetime | None = None
    """When a person is told that it goes on."""
    renewals: int = 0
    renewal_failed: str = ""
    """Why the last renewal failed; empty while they succeed."""
    helped: bool | None = None
    """What verification saw of it."""
    counted: bool = False
    """The ledger of earned autonomy knows what verification saw of it."""
    renewal_told: bool = False
    """On-call was paged about that."""

    @property
    def open(self) -> bool:
        """Whether it is still ahead of us."""
        return self.state in (StepState.PLANNED, StepState.ASKED)

    @property
    def blinds(self) -> bool:
        """Whether it keeps users away now."""
        return self.behind is not None and self.in_place and self.given_back < 1

    @property
    def took_place(self) -> bool:
        """Whether it was, or may have been, done; whatever has become of it since."""
        return self.in_place or self.state is StepState.UNDONE

    @property
    def in_place(self) -> bool:
        """Whether what it changed is, or may be, still there."""
        return self.state in (
            StepState.DONE,
            StepState.HELPED,
            StepState.UNHELPFUL,
            StepState.UNCERTAIN,
        )
