"""Deciding about a step by the policy and by what it has earned, and telling what it was worth."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.autonomy import AutonomyLedger, Counted, Level, Verified, WhichLevel
from activities.record import Asks, PlannedStep, StepState
from activities.retold import OBSERVED, PROPOSED
from workflows.case import Case, why
from workflows.efforts import probe, said
from workflows.leasing import environment
from workflows.policy import Verdict

_SECONDS = 5.0
_JUDGED = {StepState.HELPED: True, StepState.UNHELPFUL: False}
_STRICTEST_FIRST = (Verdict.NEVER, Verdict.ASK, Verdict.ACT)


class Earned:
    """One incident's word with the ledger; without the setting nothing is asked of it."""

    def __init__(self, case: Case) -> None:
        self._case = case

    async def decide(self, step: PlannedStep) -> tuple[Verdict, str]:
        """Give the stricter of what the policy says and what *step* has earned; NEVER says why."""
        case, record = self._case, self._case.record
        asked = step.model_copy(update={"asks": Asks.NEVER}) if step.alone else step
        procedure = record.facts.name if record.facts else ""
        verdict = case.policy.decide(asked, record.severity, procedure)
        if verdict is Verdict.NEVER or not case.policy.autonomy.enabled:
            return verdict, OBSERVED
        level = await self._level(step)
        if level.rank <= Level.PROPOSE.rank:
            return Verdict.NEVER, PROPOSED if level is Level.PROPOSE else OBSERVED
        if level is Level.ASK:
            verdict = min(verdict, Verdict.ASK, key=_STRICTEST_FIRST.index)
        return verdict, ""

    async def tell(self) -> None:
        """Tell the ledger what verification saw of each step, unless it knows."""
        case = self._case
        if not case.policy.autonomy.enabled:
            return
        for step in case.record.steps:
            if step.helped is None and step.started_at is not None:
                step.helped = _JUDGED.get(step.state)
            if step.helped is not None and not step.counted:
                await self._count(step, helped=step.helped)

    async def _level(self, step: PlannedStep) -> Level:
        case = self._case
        try:
            standing = await workflow.execute_activity_method(
                AutonomyLedger.level,
                WhichLevel(
                    environment=environment(),
                    step=name(step),
                    risk=step.risk,
                    effect=step.effect[:200],
                    earning=case.policy.autonomy,
                ),
                **said(probe(_SECONDS), f"What has it earned? {step.effect}"),
            )
        except ActivityError as error:
            # What it has earned is not known: a person decides, whatever the policy would allow.
            case.note("problem", f"what it has earned cannot be seen: {why(error)}: {step.effect}")
            return Level.ASK
        if standing.level is not Level.ACT:
            case.note("step", f"at {standing.level.value}, {standing.why}: {step.effect}")
        return standing.level

    async def _count(self, step: PlannedStep, *, helped: bool) -> None:
        case = self._case
        try:
            counted = await workflow.execute_activity_method(
                AutonomyLedger.count,
                Verified(
                    environment=environment(),
                    step=name(step),
                    occasion=f"{case.key(step.key)}/{step.started_at:%Y%m%dT%H%M%S.%f}",
                    helped=helped,
                    risk=step.risk,
                    effect=step.effect[:200],
                    earning=case.policy.autonomy,
                ),
                **said(probe(_SECONDS), f"Count what it was worth: {step.effect}"),
            )
        except ActivityError as error:
            # Told once more when the incident ends.
            case.note("problem", f"not counted: {why(error)}: {step.effect}")
            return
        step.counted = True
        self._say(step, counted)

    def _say(self, step: PlannedStep, counted: Counted) -> None:
        case = self._case
        if counted.demoted_from is not None:
            case.note(
                "step",
                f"{name(step)} did not help: {counted.demoted_from.value} is now "
                f"{counted.level.value}",
                tell=True,
            )
        elif counted.proposed is not None:
            case.note(
                "step",
                f"{name(step)} has helped {counted.successes} times, as verified. I propose "
                f"{counted.proposed.value} instead of {counted.level.value}: "
                f"responder autonomy promote {name(step)}",
                tell=True,
            )


def name(step: PlannedStep) -> str:
    """Name a step and its target as the settings do."""
    return f"{step.activity}@{step.target}"[:400]
