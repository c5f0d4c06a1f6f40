"""In people's hands: handing over, and watching on until it recovers or somebody hands it back."""

from __future__ import annotations

from datetime import datetime

from activities.record import Phase, PlannedStep
from activities.verification import Outcome
from workflows.case import Case
from workflows.deadlines import until
from workflows.reconciliation import Reconciliation
from workflows.watching import Watcher


class Handover:
    """Gives an incident to people, and goes on measuring, reminding and recording."""

    def __init__(self, case: Case, watcher: Watcher, reconciliation: Reconciliation) -> None:
        self._case = case
        self._record = case.record
        self._watcher = watcher
        self._reconciliation = reconciliation

    def hand_over(self, reason: str, *, page: bool = True) -> None:
        """Ask people to take it from here; a page, unless there was one a short while ago."""
        case, record = self._case, self._record
        record.asks = f"Please take it from here: {reason}"
        case.enter(Phase.WATCHING, "watch, remind and record")
        case.note("phase", f"handed to people: {reason}")
        case.tell(f"Please take it from here: {reason}", *record.findings)
        if not page or case.severity_policy.page is None or self._paged_lately():
            return
        record.handed_over_at = case.now
        case.call(reason)
        record.clocks.escalate_at = case.after(case.policy.out_of_steps_seconds)

    def _paged_lately(self) -> bool:
        """Tell whether on-call knows: an alert that comes and goes wakes nobody at each turn."""
        paged = self._record.handed_over_at
        known_for = self._case.policy.seconds(2 * self._case.severity_policy.respond_seconds)
        return paged is not None and paged + known_for > self._case.now

    async def watch(self) -> None:
        """Watch for one quiet interval, then compare with Alertmanager."""
        case, record, policy = self._case, self._record, self._case.policy
        quiet = case.after(policy.quiet_seconds)
        blind = False
        if record.facts is not None:
            verdict = await self._watcher.watch(
                "In people's hands",
                policy.quiet_seconds,
                every_seconds=policy.watch_every_seconds,
                interrupted=self._moved_on,
            )
            recovered = verdict is not None and verdict.outcome is Outcome.RECOVERED
            blind = verdict is not None and not verdict.samples
        else:
            await until(lambda: self._moved_on() or not record.firing, quiet, "In people's hands")
            recovered = not record.firing
        if record.resolution is not None:
            return
        if record.plan_again and not record.people.taken_over_by:
            record.asks = ""
            case.enter(Phase.INVESTIGATING, "look at the evidence")
        elif recovered and self._kept():
            await self._await_owner(quiet)
        elif recovered:
            record.asks = ""
            record.mitigated_at = record.mitigated_at or case.now
            case.note("phase", "recovered", tell=True)
            case.enter(Phase.SETTLING)
        elif self._moved_on():
            record.asks = ""
            case.enter(Phase.MITIGATING)
        else:
            await self._reconciliation.compare()
            if blind:
                # A watch that fails at once must not be tried again at once, for hours.
                await until(self._moved_on, quiet, "In people's hands, and nothing can be seen")

    def _kept(self) -> list[PlannedStep]:
        """List what is in place and not ours to undo: somebody has to decide about it."""
        temporary = self._record.temporary
        if self._record.people.taken_over_by:
            return temporary
        return [step for step in temporary if step.put_back or step.left]

    async def _await_owner(self, quiet: datetime) -> None:
        """It is well, and what is still in place is the business of a person."""
        record, kept = self._record, "; ".join(step.effect for step in self._kept())
        owner = record.people.taken_over_by
        way = "Hand back and I undo what is in place, or resolve" if owner else "Please resolve"
        asks = f"It has recovered. {way}, with a reason. Still in place: {kept}"
        if record.asks != asks:
            record.asks = asks
            self._case.note("phase", asks, tell=True)
            self._case.changed(root=True)
        await until(self._moved_on, quiet, "Recovered, and in a person's hands")

    def _moved_on(self) -> bool:
        record = self._record
        if record.resolution is not None:
            return True
        free = not record.people.taken_over_by
        return free and (record.plan_again or any(s.open and s.approved_by for s in record.ladder))
