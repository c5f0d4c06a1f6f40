"""What comes after an incident: unsent messages, and the runbook's "Post-Incident Actions"."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

from pydantic import AwareDatetime
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.kept import Kept
from activities.record import Record
from activities.words import Order, Severity
from workflows.acts import Act
from workflows.case import Case
from workflows.channels import raise_bugs
from workflows.deadlines import until
from workflows.lanes import lanes
from workflows.policy import Policy
from workflows.public_word import owed

_REMIND_EVERY = timedelta(hours=24)
_REMIND_AT_MOST = 7
_DELIVER_FOR = timedelta(hours=24)

_NOTHING_LEARNT = frozenset({"stale", "explained"})
"""Ends of incidents that were none, or that another one tells of."""


class FollowUp(Kept):
    """Something people owe after an incident; reminded of until it is done or dismissed."""

    key: str
    title: str
    due: AwareDatetime
    reminded: int = 0
    closed: str = ""
    """Empty, "done" or "dismissed"."""
    by: str = ""


class Aftermath(Order):
    """What `PostIncident` starts with."""

    record: Record
    policy: Policy

    @classmethod
    def needed(cls, record: Record) -> bool:
        """Tell whether anything but messages is left to do after *record* has closed."""
        stale = record.resolution is not None and record.resolution.how in _NOTHING_LEARNT
        return bool(record.phone_receipts or owed(record)) or (
            record.severity is Severity.CRITICAL and not record.aftermaths and not stale
        )

    def follow_ups(self, now: datetime) -> list[FollowUp]:
        """List what the runbook asks for after a critical incident; asked for only once."""
        policy = self.policy
        if self.record.severity is not Severity.CRITICAL or self.record.aftermaths > 1:
            return []
        review, meet = (
            policy.seconds(policy.review_after_seconds),
            policy.seconds(policy.postmortem_after_seconds),
        )
        return [
            FollowUp(key="review", title="review the incident report", due=now + review),
            FollowUp(key="post-mortem", title="hold the post-mortem", due=now + meet),
            FollowUp(
                key="actions", title="create action items to prevent recurrence", due=now + meet
            ),
            FollowUp(
                key="runbook", title="update the runbook with what was learnt", due=now + meet
            ),
        ]


@workflow.defn
class PostIncident:
    """Delivers what is still unsent, thanks people, and reminds them of what they owe."""

    @workflow.init
    def __init__(self, aftermath: Aftermath) -> None:
        """Take over the incident's record, and with it its unsent messages."""
        record = aftermath.record
        # Its own keys: the incident that is opened again goes on counting where we begin.
        self._case = Case(record, aftermath.policy, f"after-{record.aftermaths}/")
        self._lanes = lanes(self._case, last=True)
        self._follow_ups = aftermath.follow_ups(workflow.now())

    @workflow.run
    async def run(self, aftermath: Aftermath) -> list[FollowUp]:
        """Go on until nothing is owed."""
        case = self._case
        tracks = [asyncio.create_task(lane.run()) for lane in self._lanes]
        if self._follow_ups:
            self._thank(aftermath.record)
        while self._open():
            due = min(follow_up.due for follow_up in self._open())
            fewer = partial(self._fewer_than, len(self._open()))
            await until(fewer, due, "What people still owe")
            raise_bugs(tracks)
            for follow_up in self._open():
                if follow_up.due <= case.now:
                    self._remind(follow_up)
        await until(
            lambda: (
                not any(lane.owes or lane.busy for lane in self._lanes)
                and workflow.all_handlers_finished()
            ),
            case.now + _DELIVER_FOR,
            "Messages that are still on their way",
        )
        raise_bugs(tracks)
        left = sum(len(channel.unsent) for channel in (case.record.slack, case.record.pagerduty))
        if left:
            case.note("problem", f"{left} messages could not be delivered in a day")
        for track in tracks:
            track.cancel()
        return self._follow_ups

    @workflow.signal(description="The incident is open again")
    def reopened(self) -> None:
        """Leave the root message to the incident: what we know of it is past."""
        self._case.record.slack.dirty = False
        self._case.record.public.shown = "resolved"

    @workflow.query(description="What people still owe")
    def owed(self) -> list[FollowUp]:
        """Give the follow-ups."""
        return self._follow_ups

    @workflow.update(description="A follow-up has been done")
    def complete(self, act: Act) -> str:
        """Close a follow-up as done."""
        return self._close(act, "done")

    @complete.validator
    def _may_complete(self, act: Act) -> None:
        self._check(act)

    @workflow.update(description="A follow-up is not needed")
    def dismiss(self, act: Act) -> str:
        """Close a follow-up as dismissed; the reason is in the act's text."""
        return self._close(act, "dismissed")

    @dismiss.validator
    def _may_dismiss(self, act: Act) -> None:
        self._check(act)
        if not act.text.strip():
            message = "dismissing needs a reason"
            raise ApplicationError(message, type="Refused", non_retryable=True)

    def _open(self) -> list[FollowUp]:
        return [follow_up for follow_up in self._follow_ups if not follow_up.closed]

    def _fewer_than(self, count: int) -> bool:
        return len(self._open()) < count

    def _check(self, act: Act) -> None:
        """Refuse what is no follow-up, and who may not close one."""
        self._find(act)
        rights = self._case.policy.rights(act.by)
        if not act.person or rights is None or not rights.responder:
            message = f"{act.by} does not have the responder role, or is no person"
            raise ApplicationError(message, type="Refused", non_retryable=True)

    def _find(self, act: Act) -> FollowUp:
        found = next((f for f in self._follow_ups if f.key == act.question), None)
        if found is None:
            names = ", ".join(f.key for f in self._follow_ups) or "none"
            message = f"there is no follow-up {act.question!r}; there are: {names}"
            raise ApplicationError(message, type="Refused", non_retryable=True)
        return found

    def _close(self, act: Act, how: str) -> str:
        follow_up = self._find(act)
        if not follow_up.closed:
            follow_up.closed, follow_up.by = how, act.by
            self._case.tell(f"{follow_up.title}: {how} by {act.by}")
        return f"{follow_up.title}: {follow_up.closed} by {follow_up.by}"

    def _thank(self, record: Record) -> None:
        owed = [f"{f.title}, by {f.due:%Y-%m-%d %H:%M} UTC" for f in self._follow_ups]
        people = ", ".join(record.people.took_part)
        self._case.tell(
            f"Thank you, {people}." if people else "What comes after this incident:", *owed
        )

    def _remind(self, follow_up: FollowUp) -> None:
        follow_up.reminded += 1
        if follow_up.reminded > _REMIND_AT_MOST:
            follow_up.closed = "dismissed"
            self._case.tell(f"Given up reminding: {follow_up.title}")
            return
        follow_up.due = self._case.now + self._case.policy.seconds(_REMIND_EVERY.total_seconds())
        self._case.tell(f"Still owed: {follow_up.title}")
