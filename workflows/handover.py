"""In people's hands: handing over, and watching on until it recovers or somebody hands it back."""

from __future__ import annotations

from datetime import datetime

from activities.record import Phase, PlannedStep
from activities.verification import Outcome
from activities.words import Severity, Urgency
from workflows.case import Case
from workflows.deadlines import until
from workflows.reconciliation import Reconciliation
from workflows.watching import Watcher

_PLEASE = "Please take it from here: "
_WELL = "It has recovered"
ROUNDS = 2
"""Settling times that may end well under firing alerts before people are asked."""


class Handover:
    """Gives an incident to people, and goes on measuring, reminding and recording."""

    def __init__(self, case: Case, watcher: Watcher, reconciliation: Reconciliation) -> None:
        self._case = case
        self._record = case.record
        self._watcher = watcher
        self._reconciliation = reconciliation

    def hand_over(self, reason: str, *, page: bool = True, well: bool = False) -> None:
        """Ask people to take it from here; a page, unless there was one a short while ago.

        While it is *well*, what is left to decide wakes nobody.
        """
        case, record = self._case, self._record
        if record.people.taken_over_by:
            self.leave_to_owner(reason)
            return
        for step in record.ladder:
            if step.open:
                # It was approved before this was known; else it would be taken at once, right
                # after people were told that it is theirs.
                step.approved_by = ""
        record.handed_over_why, record.asks = reason, f"{_PLEASE}{reason}"
        case.enter(Phase.WATCHING, "watch, remind and record")
        case.note("phase", f"handed to people: {reason}")
        case.tell(record.asks, *record.findings)
        usual = case.severity_policy.page
        if not page or usual is None or self._paged_lately():
            return
        record.handed_over_at = case.now
        tried = any(step.started_at for step in record.steps)
        if well or (record.severity is not Severity.CRITICAL and not tried):
            # Nothing was done in vain: it can wait as long as before.
            case.call(reason, Urgency.LOW if well else usual)
            return
        case.call(reason)
        record.clocks.escalate_at = case.after(case.policy.out_of_steps_seconds)
        record.clocks.escalate_why = f"nobody has answered the hand-over: {reason.rstrip('.')}"

    def leave_to_owner(self, reason: str = "") -> None:
        """Stand back: somebody has taken it over, and nothing is asked of anybody else."""
        case, record = self._case, self._record
        record.handed_over_why = record.asks = ""
        case.enter(Phase.WATCHING, "watch, remind and record")
        more = f": {reason}" if reason else ""
        case.note("phase", f"in the hands of {record.people.taken_over_by}{more}", tell=bool(more))

    def _paged_lately(self) -> bool:
        """Tell whether on-call knows: an alert that comes and goes wakes nobody at each turn."""
        paged = self._record.handed_over_at
        known_for = self._case.policy.seconds(2 * self._case.severity_policy.respond_seconds)
        return paged is not None and paged + known_for > self._case.now

    async def wait(self, reason: str) -> None:
        """Wait for one quiet interval for somebody else: users are kept away, nobody is woken anew.

        The page's own clocks go on: its updates, its half-time, its expiry.
        """
        case, record, policy = self._case, self._record, self._case.policy
        case.enter(Phase.MITIGATING, "wait until it is back")
        if record.handed_over_why != reason:
            record.handed_over_why = reason
            case.note("phase", f"waiting: {reason}")
            case.tell(reason, *record.findings)
        verdict = await self._watcher.watch(
            "Is it back?",
            policy.quiet_seconds,
            every_seconds=policy.watch_every_seconds,
            interrupted=self._called_off,
        )
        if verdict is None or self._called_off():
            return
        if verdict.outcome is Outcome.RECOVERED:
            record.mitigated_at = record.mitigated_at or case.now
            case.note("phase", "it is back", tell=True)
            case.enter(Phase.SETTLING)
        elif verdict.outcome is Outcome.UNKNOWN:
            self.hand_over(f"whether it is back cannot be seen: {verdict.said}")
        else:
            await self._reconciliation.compare()

    def _called_off(self) -> bool:
        record = self._record
        taken = bool(record.people.taken_over_by)
        return self._moved_on() or taken or self._case.held or not record.behind

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
        elif recovered:
            await self._recovered(quiet)
        elif self._moved_on():
            record.asks = ""
            case.enter(Phase.MITIGATING)
        else:
            self._not_well()
            await self._reconciliation.compare()
            if blind:
                # A watch that fails at once must not be tried again at once, for hours.
                await until(self._moved_on, quiet, "In people's hands, and nothing can be seen")

    async def _recovered(self, quiet: datetime) -> None:
        case, record = self._case, self._record
        if case.edition > 1 and record.clocks.escalate_why:
            # Nobody up the chain is woken for steps that have run out, now that it is well.
            record.clocks.escalate_at, record.clocks.escalate_why = None, ""
            case.start_clocks()
        if self._kept():
            await self._await_owner(quiet)
        elif record.settled_rounds >= ROUNDS and (record.firing or record.incomplete):
            await self._await_silence(quiet)
        else:
            record.asks = ""
            record.mitigated_at = record.mitigated_at or case.now
            case.note("phase", "recovered", tell=True)
            case.enter(Phase.SETTLING)

    def _not_well(self) -> None:
        """Take back that it has recovered, where that was said."""
        record = self._record
        if record.asks.startswith(_WELL):
            record.asks = f"{_PLEASE}{record.handed_over_why}" if record.handed_over_why else ""
            self._case.note("phase", "it is not seen to be well any more", tell=True)
            self._case.changed(root=True)

    def _kept(self) -> list[PlannedStep]:
        """List what is in place and not ours to undo: somebody has to decide about it."""
        temporary = self._record.temporary
        if self._record.people.taken_over_by:
            return temporary
        return [step for step in temporary if step.put_back or step.left]

    async def _await_owner(self, quiet: datetime) -> None:
        """It is well, and what is still in place is the business of a person."""
        kept = self._kept()
        ours = "; ".join(step.effect for step in kept if not (step.put_back or step.left))
        left = "; ".join(step.effect for step in kept if step.put_back or step.left)
        if ours:
            asks = f"{_WELL}. Hand back and I undo what is in place: {ours}. Or resolve it"
            asks += f", with a reason. Left to you: {left}" if left else ", with a reason"
        else:
            asks = f"{_WELL}. Please resolve, with a reason. Still in place: {left}"
        self._ask(asks)
        await until(self._moved_on, quiet, "Recovered, and in a person's hands")
        await self._reconciliation.compare()

    async def _await_silence(self, quiet: datetime) -> None:
        """It is well by its condition for long, and alerts fire all the same."""
        record = self._record
        in_the_way = self._reconciliation.in_the_way(None)
        asks = f"{_WELL} by its condition, but {in_the_way}"
        self._ask(f"{asks}: please look at the rule, or resolve with a reason")
        firing = bool(record.firing)
        await until(
            lambda: self._moved_on() or (firing and not record.firing),
            quiet,
            "Well, but alerts still fire",
        )
        listed = await self._reconciliation.compare()
        self._reconciliation.drop_missing()
        self._reconciliation.in_the_way(listed)

    def _ask(self, asks: str) -> None:
        if self._record.asks != asks:
            self._record.asks = asks
            self._case.note("phase", asks, tell=True)
            self._case.changed(root=True)

    def _moved_on(self) -> bool:
        record = self._record
        if record.resolution is not None:
            return True
        free = not record.people.taken_over_by
        return free and (record.plan_again or any(s.open and s.approved_by for s in record.ladder))
