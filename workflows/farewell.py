"""The last part of an incident: what is still unsent, and alerts that fire on although over."""

from __future__ import annotations

import contextlib

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.outbox import Unsent
from workflows.case import Case, why
from workflows.channels import Lane
from workflows.deadlines import until
from workflows.post_incident import Aftermath, PostIncident
from workflows.public_word import owed
from workflows.reconciliation import Reconciliation
from workflows.renewing import Renewal


class Farewell:
    """Knows what an incident still owes, and waits until it may go."""

    def __init__(self, case: Case, lanes: tuple[Lane, ...]) -> None:
        self._case = case
        self._record = case.record
        self._reconciliation = Reconciliation(case)
        self.lanes = lanes
        self.renewal = Renewal(case)
        self._looked_again = False

    @property
    def sending(self) -> bool:
        """Whether a message, or a renewal, is in flight."""
        return self.renewal.busy or any(lane.busy for lane in self.lanes)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be said or waited for."""
        return self._quiet and not self._waits

    @property
    def _quiet(self) -> bool:
        return not self.sending and not any(lane.owes for lane in self.lanes)

    @property
    def _waits(self) -> bool:
        return (bool(self._record.firing) or self._unsure) and not self._record.released

    @property
    def _unsure(self) -> bool:
        """Whether it was held for stale by its expression, and that was not looked at again."""
        record = self._record
        stale = record.resolution is not None and record.resolution.how == "stale"
        return stale and not self._looked_again and any(s.why for s in record.alerts.values())

    @property
    def _doubted(self) -> bool:
        return any(state.doubted for state in self._record.alerts.values())

    async def say_the_rest(self) -> None:
        """Let the lanes finish; what is still unsent after a while goes to `PostIncident`."""
        case, record = self._case, self._record
        queued = [message.queued_at for message in self._unsent()]
        since = min(queued, default=case.now)
        if record.resolution is not None:
            since = max(since, record.resolution.at)
        patience = case.policy.seconds(case.policy.unsent_after_close_seconds)
        await until(
            lambda: self._quiet or record.refired,
            since + patience,
            "Messages that are still on their way",
        )
        if record.refired:
            return
        case.pausing = True
        await workflow.wait_condition(lambda: not self.sending)
        # By the lanes' own word: what they owe and nobody is entrusted with would be waited for
        # in a loop that never waits.
        if not self._quiet or Aftermath.needed(record):
            await self._entrust()
        case.pausing = False
        # An update that has just been accepted is answered before anything ends.
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _entrust(self) -> None:
        case, record = self._case, self._record
        record.aftermaths += 1
        entrusted = self._unsent()
        after = Aftermath(record=record.model_copy(deep=True), policy=case.policy)
        record.slack.dirty = False
        record.public.shown = owed(record) or record.public.shown
        try:
            await workflow.start_child_workflow(
                PostIncident.run,
                after,
                id=f"{record.id}/after/{record.run}-{record.aftermaths}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                static_summary=f"What comes after {record.id}",
            )
        except FailureError as error:
            # After a reset one of that name is there already: the next number is tried.
            case.note("problem", f"what is unsent could not be handed on: {why(error)}")
            return
        record.phone_receipts.clear()
        # What was said meanwhile is not part of it, and still ours to send.
        for channel in (record.slack, record.pagerduty, record.phones):
            channel.unsent[:] = [message for message in channel.unsent if message not in entrusted]

    async def recall(self) -> None:
        """Tell whoever was entrusted with the rest that it is open again: the root is ours."""
        record = self._record
        if not record.aftermaths:
            return
        name = f"{record.id}/after/{record.run}-{record.aftermaths}"
        after = workflow.get_external_workflow_handle_for(PostIncident.run, name)
        with contextlib.suppress(FailureError):  # it has nothing more to do
            await after.signal(PostIncident.reopened)

    def _unsent(self) -> list[Unsent]:
        record = self._record
        return [*record.slack.unsent, *record.pagerduty.unsent, *record.phones.unsent]

    async def linger(self) -> None:
        """Stay while an alert fires that was declared over: its repeats open nothing new."""
        case, record = self._case, self._record
        while self._waits and not record.refired and not case.too_long():
            await until(
                lambda: record.refired or not self._waits or self._doubted,
                case.after(case.policy.quiet_seconds),
                "Over, and looked at once more" if self._unsure else "Over, but still firing",
            )
            if self._waits and not record.refired:
                await self._reconciliation.compare()
                self._looked_again = True
