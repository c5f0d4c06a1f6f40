"""The incident: one response from the first alert to the close, as one workflow."""

from __future__ import annotations

import asyncio
import contextlib

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.alerts import Notice
    from activities.freezing import Freezes
    from activities.people import Clocks, People
    from activities.record import Phase, Record
    from workflows.acts import Act, ActKind, PersonAct
    from workflows.opening import OPENED_AT, Closed, Opening
    from workflows.page_events import PageEvent
    from workflows.relations import Relation

from workflows.arrival import record_of
from workflows.case import Case
from workflows.channels import raise_bugs
from workflows.clocks import Alarm
from workflows.farewell import Farewell
from workflows.hands import Hands
from workflows.intake import Intake
from workflows.lanes import lanes
from workflows.response import Response


@workflow.defn
class Incident:
    """One incident.

    Alerts and people's fallback acts come as signals and are only put into an inbox. People's
    acts are updates. Three tracks run side by side, and the failure of one reaches no other: the
    response, the clocks on people, and a lane for each channel.
    """

    @workflow.init
    def __init__(self, opening: Opening) -> None:
        """Lay out the record before the first signal or update is delivered."""
        self._opening = opening
        record = opening.record or record_of(opening.first)
        self._case = Case(record, opening.policy)
        self._hands = Hands(self._case)
        self._intake = Intake(self._case, self._hands)
        if opening.record is None:
            self._intake.waiting.append(Notice(alerts=(opening.first,)))
        self._farewell = Farewell(self._case, lanes(self._case))
        self._cancelled = False

    @workflow.run
    async def run(self, opening: Opening) -> Closed:  # noqa: ARG002 - taken by __init__
        """Respond until it is over, and close only when nothing is left to be said or heard.

        All of it in tasks of its own, so that cancelling the workflow tears nothing down.
        """
        # Here, and not where it is used: after a local activity of the same workflow task the
        # marker of a patch is not found again at replay (TMPRL1100).
        self._case.edition = 2 if workflow.patched("edition-2") else 1
        self._intake.absorb()
        self._case.changed()
        tracks = [
            asyncio.create_task(track)
            for track in (
                self._listen(),
                Alarm(self._case).run(),
                self._farewell.renewal.run(),
                *(lane.run() for lane in self._farewell.lanes),
            )
        ]
        life = asyncio.create_task(self._live())
        try:
            return await self._watch_over(life, tracks)
        except FailureError as error:
            # Left alone it would end the incident for good; as a bug it is seen, and tried again.
            raise RuntimeError("an activity's failure that nothing has caught") from error

    # What comes in

    @workflow.signal(description="What Alertmanager says of this incident's alerts")
    def alerts(self, notice: Notice) -> None:
        """Put a notice into the inbox."""
        self._intake.waiting.append(notice)

    @workflow.signal(description="A person's act, sent when no worker answered the update")
    def person(self, act: PersonAct) -> None:
        """Put a person's act into the inbox."""
        self._intake.waiting.append(act)

    @workflow.signal(description="Another incident's word: it explains this one, or joins it")
    def related(self, relation: Relation) -> None:
        """Put another incident's word into the inbox."""
        self._intake.waiting.append(relation)

    @workflow.signal(description="What happened to a page of ours at PagerDuty")
    def page_event(self, event: PageEvent) -> None:
        """Put an event of PagerDuty into the inbox."""
        self._intake.waiting.append(event)

    @workflow.signal(description="Whether anything may be changed in the environment")
    def freezes(self, news: Freezes) -> None:
        """Put the coordinator's word into the inbox."""
        self._intake.waiting.append(news)

    @workflow.query(description="All that is known of this incident")
    def record(self) -> Record:
        """Give the whole record."""
        return self._case.record

    @workflow.update(description="Say that you are on it")
    def acknowledge(self, act: Act) -> str:
        """Acknowledge."""
        return self._hands.perform(ActKind.ACKNOWLEDGE, act)

    @acknowledge.validator
    def _may_acknowledge(self, act: Act) -> None:
        self._hands.refuse(ActKind.ACKNOWLEDGE, act)

    @workflow.update(description="Let the step that is asked about go ahead")
    def approve(self, act: Act) -> str:
        """Approve the open question."""
        return self._hands.perform(ActKind.APPROVE, act)

    @approve.validator
    def _may_approve(self, act: Act) -> None:
        self._hands.refuse(ActKind.APPROVE, act)

    @workflow.update(description="Forbid the step that is asked about")
    def reject(self, act: Act) -> str:
        """Reject the open question."""
        return self._hands.perform(ActKind.REJECT, act)

    @reject.validator
    def _may_reject(self, act: Act) -> None:
        self._hands.refuse(ActKind.REJECT, act)

    @workflow.update(description="No further step for some minutes")
    def hold(self, act: Act) -> str:
        """Hold the ladder."""
        return self._hands.perform(ActKind.HOLD, act)

    @hold.validator
    def _may_hold(self, act: Act) -> None:
        self._hands.refuse(ActKind.HOLD, act)

    @workflow.update(description="Take it over: the machine stops before its next step")
    def take_over(self, act: Act) -> str:
        """Take over."""
        return self._hands.perform(ActKind.TAKE_OVER, act)

    @take_over.validator
    def _may_take_over(self, act: Act) -> None:
        self._hands.refuse(ActKind.TAKE_OVER, act)

    @workflow.update(description="Hand it back: the machine looks again and goes on")
    def hand_back(self, act: Act) -> str:
        """Hand back."""
        return self._hands.perform(ActKind.HAND_BACK, act)

    @hand_back.validator
    def _may_hand_back(self, act: Act) -> None:
        self._hands.refuse(ActKind.HAND_BACK, act)

    @workflow.update(description="Close it, with a reason")
    def resolve(self, act: Act) -> str:
        """Resolve."""
        return self._hands.perform(ActKind.RESOLVE, act)

    @resolve.validator
    def _may_resolve(self, act: Act) -> None:
        self._hands.refuse(ActKind.RESOLVE, act)

    @workflow.update(description="Call the next level now")
    def escalate(self, act: Act) -> str:
        """Escalate."""
        return self._hands.perform(ActKind.ESCALATE, act)

    @escalate.validator
    def _may_escalate(self, act: Act) -> None:
        self._hands.refuse(ActKind.ESCALATE, act)

    @workflow.update(description="Write something into the timeline")
    def note(self, act: Act) -> str:
        """Note something."""
        return self._hands.perform(ActKind.NOTE, act)

    @note.validator
    def _may_note(self, act: Act) -> None:
        self._hands.refuse(ActKind.NOTE, act)

    # How it goes

    async def _listen(self) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self._intake.waiting))
            self._intake.absorb()

    async def _live(self) -> Closed:
        record = self._case.record
        while True:
            await Response(self._case).run()
            if record.phase is not Phase.RESOLVED:
                await self._continue_as_new()
            await self._farewell.say_the_rest()
            await self._farewell.linger()
            if self._case.too_long():
                await self._continue_as_new()
            # From here to the return there is no await: nothing can arrive unseen.
            self._intake.absorb()
            if record.refired:
                self._reopen()
                await self._farewell.recall()
            elif self._farewell.finished and workflow.all_handlers_finished():
                return Closed.of(record)

    async def _watch_over(
        self, life: asyncio.Task[Closed], tracks: list[asyncio.Task[None]]
    ) -> Closed:
        while not life.done():
            with contextlib.suppress(asyncio.CancelledError):
                await workflow.wait_condition(
                    lambda: life.done() or any(t.done() for t in tracks) or self._unheard
                )
            raise_bugs(tracks)
            self._hear_cancellation()
        return life.result()

    @property
    def _unheard(self) -> bool:
        # Asked for and not only caught: one that comes together with another event can be lost.
        return workflow.cancellation_reason() is not None and not self._cancelled

    def _hear_cancellation(self) -> None:
        """Take a cancellation for what people mean by it: leave it to people, and lose nothing.

        Before the next step the machine stops; what is temporary is kept and listed. After the
        response it stays no longer for an alert that still fires.
        """
        if not self._unheard:
            return
        record = self._case.record
        self._cancelled = record.released = True
        if record.resolution is not None:
            return
        record.people.taken_over_by = (
            record.people.taken_over_by or "whoever cancelled the workflow"
        )
        kept = "; ".join(step.effect for step in record.temporary) or "nothing"
        self._case.note(
            "person",
            f"the workflow was cancelled: taken over. Still in place: {kept}",
            by=record.people.taken_over_by,
            tell=True,
        )
        self._case.changed(root=True)

    def _reopen(self) -> None:
        """Begin anew in the same run: what was tried is known, what people did is past."""
        case, record = self._case, self._case.record
        record.refired, record.resolution, record.released = False, None, False
        record.recurrence += 1
        record.settled_rounds = 0
        record.told_at = record.recovered_at = record.handed_over_at = None
        record.mitigated_at = record.paged_at = None
        record.clocks = Clocks()
        people = record.people
        record.people = People(took_part=people.took_part, freezes=people.freezes)
        case.enter(Phase.OPENING)
        case.note("alert", "it fires again after it was closed: reopened", tell=True)

    async def _continue_as_new(self) -> None:
        """Go on in a new run, from a quiet point: nothing in flight, nothing unheard."""
        self._case.pausing = True
        while True:
            await workflow.wait_condition(
                lambda: not self._farewell.sending and workflow.all_handlers_finished()
            )
            self._intake.absorb()
            if not self._farewell.sending:
                record = self._case.record
                workflow.continue_as_new(
                    self._opening.model_copy(update={"record": record}),
                    memo={OPENED_AT: record.opened_at.isoformat()},
                )
