"""Asking for a turn before a change, and giving it back; without an answer we go by what we know.

A coordinator that does not answer must hold up no repair: an incident's own guards still hold.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, auto

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.coordination import Coordination, Done, Turn, Wanted
from activities.record import PlannedStep, StepState
from workflows.case import ENVIRONMENT, Case, why
from workflows.efforts import READ_AT_MOST, probe, said
from workflows.hearing import hear

_SECONDS = 5.0
_ON_THE_WAY = timedelta(seconds=60)


class Leave(StrEnum):
    """What the coordinator says to a change."""

    GO = auto()
    LATER = auto()
    NO = auto()
    FROZEN = auto()
    """Nothing may be changed in the whole environment: it waits."""
    KEPT = auto()
    """Another incident holds the same change: it stays, and is theirs to undo."""
    LEFT = auto()
    """It is held by incidents that are over: they have left it to people."""


class Leases:
    """One incident's turns."""

    def __init__(self, case: Case) -> None:
        self._case = case

    async def take(self, step: PlannedStep, *, undo: bool = False) -> tuple[Leave, str]:
        """Ask for a turn to make *step*, or to undo it; gives the answer, and why."""
        case, policy = self._case, self._case.policy
        if case.edition < 2:
            return Leave.GO, ""
        try:
            turn: Turn = await workflow.execute_activity_method(
                Coordination.take_turn,
                Wanted(
                    environment=environment(),
                    key=case.key(step.key),
                    incident=case.record.id,
                    target=step.target,
                    also=policy.together(step.target),
                    claim=_claim(step),
                    undo=undo,
                    restarts=step.restarts,
                    restarts_most=policy.restarts_of_a_target,
                    restarts_within_seconds=policy.seconds(
                        policy.restarts_within_seconds
                    ).total_seconds(),
                    lasts_seconds=_lasts(step).total_seconds(),
                ),
                **said(probe(_SECONDS), f"Whose turn is it to change {step.target}?"),
            )
        except ActivityError as error:
            case.note("problem", f"the coordinator could not be asked: {why(error)}")
            return Leave.GO, ""
        if turn.freezes is not None:
            hear(case, turn.freezes)
            # Where it is known to be over here already, the coordinator's next answer says so too.
            return Leave.FROZEN, turn.freezes.said
        if turn.granted:
            if turn.before is not None and turn.order:
                step.before, step.order = turn.before, turn.order
            return Leave.GO, ""
        if turn.kept_by:
            open_ones = [name for name in turn.kept_by if name not in turn.left_by]
            leave = Leave.KEPT if open_ones else Leave.LEFT
            return leave, ", ".join(open_ones or turn.kept_by)
        return (Leave.LATER if turn.later else Leave.NO), turn.why

    async def give_back(
        self, step: PlannedStep, *, undo: bool = False, changed: bool = True, maybe: bool = False
    ) -> None:
        """Say what became of *step*; *maybe* it was tried, where it did not come about."""
        case = self._case
        if case.edition < 2:
            return
        happened = step.state is StepState.UNDONE if undo else step.in_place
        claim = _claim(step)
        try:
            await workflow.execute_activity_method(
                Coordination.give_back,
                Done(
                    environment=environment(),
                    key=case.key(step.key),
                    incident=case.record.id,
                    claim=claim,
                    undo=undo,
                    happened=happened,
                    maybe=maybe,
                    changed=changed,
                    order=step.order if claim else {},
                    before=step.before if claim else None,
                ),
                **said(probe(_SECONDS), f"Give the turn back: {step.target}"),
            )
        except ActivityError as error:
            # It ends by itself; until then others wait.
            case.note("problem", f"the coordinator could not be told: {why(error)}")


def environment() -> str:
    """Name the environment of this incident, as its coordinator is named by."""
    return workflow.info().typed_search_attributes.get(ENVIRONMENT) or ""


def _lasts(step: PlannedStep) -> timedelta:
    """Give the longest that reading and every attempt may take: a turn never ends before them."""
    return READ_AT_MOST + 4 * timedelta(seconds=step.apply_seconds) + _ON_THE_WAY


def _claim(step: PlannedStep) -> str:
    """Name what *step* changes for a while; what counts its holders itself needs no claim."""
    if not step.undo or step.lasts_seconds:
        return ""
    values = step.order.get("values")
    named = f":{','.join(sorted(values))}" if isinstance(values, dict) else ""
    return f"{step.activity}@{step.target}{named}"[:300]
