"""Giving back in stages what a step has taken, each stage verified before the next."""

from __future__ import annotations

from collections.abc import Callable

from activities.record import Phase, PlannedStep
from activities.verification import Outcome, Verdict
from workflows.case import Case
from workflows.deadlines import until
from workflows.handover import Handover
from workflows.steps import Steps
from workflows.watching import Watcher

MOST_FAILS = 2
"""Stages that may fail before a person decides."""
_LOOK_AGAIN = 300.0


class Staging:
    """Lets users back in, some at first; where it does not bear them, all is taken again."""

    def __init__(self, case: Case, steps: Steps, watcher: Watcher, handover: Handover) -> None:
        self._case = case
        self._steps = steps
        self._watcher = watcher
        self._handover = handover

    async def give_back(self, step: PlannedStep, alarmed: Callable[[], bool]) -> bool:
        """Go through the stages that are ahead of *step*; tell whether none is left."""
        case, record = self._case, self._case.record
        for share in [each for each in step.stages if each >= step.share]:
            if step.given_back != share and not await self._steps.stage(step, share):
                if step.in_place:
                    await self._fail(step, f"{share:.0%} could not be let through")
                return False
            case.enter(Phase.UNDOING, f"is it well with {share:.0%} of the users?")
            verdict = await self._well_with(share, alarmed)
            if record.resolution is not None or not step.in_place or record.people.frozen:
                return False
            if record.refired:
                await self._fail(step, f"with {share:.0%} of the users it fires again")
                return False
            if verdict is None:  # somebody holds it, or has taken it over: it stays at this share
                return False
            if verdict.outcome is not Outcome.RECOVERED:
                await self._fail(step, f"with {share:.0%} of the users: {verdict.said}")
                return False
        return not step.blinds or await self._await_others(step, alarmed)

    async def _await_others(self, step: PlannedStep, alarmed: Callable[[], bool]) -> bool:
        """Wait, for others hold it too: only what users have can be seen to be well."""
        case = self._case
        again = case.after(_LOOK_AGAIN)
        case.enter(Phase.UNDOING, f"well; other incidents hold it too: {step.effect}", again)
        await until(
            lambda: alarmed() or case.held or bool(case.record.people.taken_over_by),
            again,
            "Well, but other incidents hold it too",
        )
        return False

    async def _well_with(self, share: float, alarmed: Callable[[], bool]) -> Verdict | None:
        case, verdict = self._case, None
        for label in ("Is it well", "It is improving: is it well"):
            verdict = await self._watcher.watch(
                f"{label} with {share:.0%} of the users?",
                case.policy.undo_verify_seconds,
                interrupted=lambda: (
                    alarmed() or case.held or bool(case.record.people.taken_over_by)
                ),
            )
            if verdict is None or verdict.outcome is not Outcome.IMPROVING:
                break
        return verdict

    async def _fail(self, step: PlannedStep, reason: str) -> None:
        """Take everything again; after the second time a person decides."""
        case, record = self._case, self._case.record
        step.stage_fails += 1
        record.refired = False
        # Also where it says 0: a stage whose answer was lost may have been carried out.
        closed = await self._steps.stage(step, 0.0)
        now = "it is as before" if closed else "IT COULD NOT BE TAKEN BACK"
        case.note("problem", f"a stage failed: {reason}; {now}: {step.effect}", tell=True)
        if not step.in_place or record.resolution is not None:
            return
        if closed and step.stage_fails < MOST_FAILS:
            case.enter(Phase.SETTLING, "settle, then let users in once more")
            return
        step.left = "two stages failed" if closed else "a stage failed, and is still open"
        self._handover.hand_over(
            f"users cannot be let in again: {reason}; {now}. It is renewed meanwhile; "
            "take it over and hand it back to have it tried again"
        )
