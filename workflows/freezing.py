"""While everything is frozen an incident changes nothing: it measures, reminds and records."""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.freezing import Freezing, LookForFreezes
from activities.record import Phase
from activities.verification import Outcome
from workflows.case import Case
from workflows.deadlines import until
from workflows.efforts import probe, said
from workflows.hearing import hear
from workflows.leasing import environment
from workflows.reconciliation import Reconciliation
from workflows.watching import Watcher

_SECONDS = 5.0


class Stillness:
    """What the response does instead of a change."""

    def __init__(self, case: Case, watcher: Watcher, reconciliation: Reconciliation) -> None:
        self._case = case
        self._record = case.record
        self._watcher = watcher
        self._reconciliation = reconciliation

    async def instead_of_a_step(self) -> None:
        """Watch for one quiet interval whether it recovers without us."""
        case, record, policy = self._case, self._record, self._case.policy
        case.enter(Phase.MITIGATING, self._record.people.freezes.said)
        again = case.after(policy.quiet_seconds)
        verdict = await self._watcher.watch(
            "Does it recover while it is frozen?",
            policy.quiet_seconds,
            every_seconds=policy.watch_every_seconds,
            interrupted=self._moved_on,
        )
        if self._moved_on():
            return
        if verdict is not None and verdict.outcome is Outcome.RECOVERED:
            record.mitigated_at = record.mitigated_at or case.now
            case.note("phase", "recovered", tell=True)
            case.enter(Phase.SETTLING)
            return
        await self._ask_whether_it_lasts()
        await self._reconciliation.compare()
        if verdict is None or not verdict.samples:
            # A watch that fails at once must not be tried again at once, for hours.
            await until(self._moved_on, again, "Frozen, and nothing can be seen")

    async def instead_of_an_undo(self, effect: str, alarmed: Callable[[], bool]) -> None:
        """Watch for one quiet interval whether it stays well; if not, that is looked into."""
        case, policy = self._case, self._case.policy
        case.enter(Phase.UNDOING, f"{self._record.people.freezes.said}. It waits to undo: {effect}")
        again = case.after(policy.quiet_seconds)

        def over() -> bool:
            return alarmed() or not self._record.people.frozen or self._taken

        verdict = await self._watcher.watch(
            "Does it stay well while it is frozen?",
            policy.quiet_seconds,
            every_seconds=policy.watch_every_seconds,
            hold=True,
            interrupted=over,
        )
        if over():
            return
        await self._ask_whether_it_lasts()
        if verdict is not None and verdict.samples and verdict.outcome is not Outcome.RECOVERED:
            case.enter(Phase.SETTLING, "look whether it is still well")
        elif verdict is None or not verdict.samples:
            await until(over, again, "Frozen, and nothing can be seen")

    async def _ask_whether_it_lasts(self) -> None:
        """Look what the coordinator knows: its word that it is over may not have got here."""
        case = self._case
        try:
            known = await workflow.execute_activity_method(
                Freezing.look,
                LookForFreezes(environment=environment()),
                **said(probe(_SECONDS), "Is it still frozen?"),
            )
        except ActivityError:
            return  # it stays so until somebody is heard
        hear(case, known.freezes)

    @property
    def _taken(self) -> bool:
        return bool(self._record.people.taken_over_by)

    def _moved_on(self) -> bool:
        record = self._record
        return (
            record.resolution is not None
            or record.plan_again
            or self._taken
            or not record.people.frozen
        )
