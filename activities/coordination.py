"""Asking the coordinator of an environment: whose turn it is, and who else holds a change."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from pydantic import Field
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.freezing import Freezes, coordinator_id
from activities.keepers import SECONDS, Keeper
from activities.words import Answer, Order

COORDINATOR = "Coordinator"
"""The workflow type; one for each environment."""
BEGINNING = {"edition": 1}
"""What a new coordinator starts with; it says by which rules, for those of old have others."""
SUMMARY = "Whose turn it is to change what, and whether it is frozen"
_KEEPER = Keeper(COORDINATOR, "the coordinator", SUMMARY, coordinator_id, BEGINNING)


class Wanted(Order):
    """A change that an incident wants to make, or to undo."""

    environment: str = Field(default="", max_length=300)
    key: str = Field(max_length=500)
    """Of the step: the same in every attempt, and for its undo."""
    incident: str = Field(max_length=300)
    target: str = Field(max_length=200)
    also: tuple[str, ...] = ()
    """What stands on the target, or what that stands on: no two of them change at once."""
    claim: str = Field(default="", max_length=300)
    """What is changed for a while, as activity and target; empty is for good."""
    undo: bool = False
    restarts: bool = False
    restarts_most: int = Field(default=2, ge=1)
    """Restarts of the target that may be within the seconds; an undo's are only counted."""
    restarts_within_seconds: float = Field(default=1800, gt=0)
    lasts_seconds: float = Field(gt=0)
    """After which it is over, whatever became of who asked."""
    looked: bool = False
    """What has become of those in the way was looked at: whoever keeps the change now keeps it."""
    gone: tuple[str, ...] = ()
    """Incidents in the way that were ended from outside: they make and undo nothing any more."""


class Turn(Answer):
    """Whether the change may be made now."""

    granted: bool
    later: bool = False
    """Not granted for now: another incident changes the same."""
    why: str = ""
    holder: str = ""
    """The incident that changes the same."""
    kept_by: tuple[str, ...] = ()
    """Incidents that hold the same change: to be left in place by whoever asks to undo it."""
    left_by: tuple[str, ...] = ()
    """Those of them that are over, and have left it to people."""
    before: Any = None
    """What the first of several holders found: the last of them puts that back."""
    order: dict[str, Any] | None = None
    """Whose effect is there, where it is not that of who asks."""
    freezes: Freezes | None = None
    """Not granted, for the whole environment is frozen."""


class Done(Order):
    """What became of a change."""

    environment: str = Field(default="", max_length=300)
    key: str = Field(max_length=500)
    incident: str = Field(max_length=300)
    claim: str = Field(default="", max_length=300)
    undo: bool = False
    happened: bool
    """It is made, or may be."""
    maybe: bool = False
    """Where it did not: it may have been tried, so that a restart of it stays counted."""
    changed: bool = True
    """False: all was as ordered already, by another's order."""
    order: dict[str, Any] = Field(default_factory=dict)
    before: Any = None


class Noted(Answer):
    """The coordinator has it."""


class Coordination:
    """Asks the coordinator by an update, which starts it where there is none yet."""

    @activity.defn(name="coordination.take_turn")
    async def take_turn(self, ask: Wanted) -> Turn:
        """Ask for a turn; the same key twice is the same turn.

        Who is in the way may have been ended from outside, and would be waited for in vain.
        """
        turn = await _KEEPER.ask("take_turn", ask, Turn)
        ends = {name: await _end(name) for name in (turn.holder, *turn.kept_by) if name}
        gone = tuple(name for name, end in ends.items() if end is _End.GONE)
        if gone or turn.kept_by:
            asked = ask.model_copy(update={"looked": True, "gone": gone})
            turn = await _KEEPER.ask("take_turn", asked, Turn, again="-looked")
        left = tuple(name for name in turn.kept_by if ends.get(name) is _End.OVER)
        return turn.model_copy(update={"left_by": left})

    @activity.defn(name="coordination.give_back")
    async def give_back(self, done: Done) -> Noted:
        """Give a turn back, and say what became of it."""
        return await _KEEPER.ask("give_back", done, Noted)


class _End(Enum):
    OPEN = auto()
    OVER = auto()
    """By its own account: what it has left in place, it has left to people."""
    GONE = auto()


async def _end(incident: str) -> _End:
    """Look what has become of an incident; one that cannot be looked at is held for open."""
    try:
        handle = activity.client().get_workflow_handle(incident)
        status = (await handle.describe(rpc_timeout=SECONDS)).status
    except RPCError as error:
        return _End.OVER if error.status is RPCStatusCode.NOT_FOUND else _End.OPEN
    return _ENDS.get(status, _End.GONE) if status else _End.OPEN


_ENDS = {
    WorkflowExecutionStatus.RUNNING: _End.OPEN,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: _End.OPEN,
    WorkflowExecutionStatus.COMPLETED: _End.OVER,
}
