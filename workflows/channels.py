"""The lanes to people: one message in flight each, in order, tried until it is taken.

A lane never fails and never holds up anything else. The Slack root is a snapshot: only the
newest state is sent, never
a backlog of older ones; thread entries keep their order and wait for the root.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.charts import Chart
from activities.messages import Entry
from activities.outbox import Channel, Unsent
from activities.pagerduty import Follow, PagerDuty
from activities.slack import PostEntry, PostRoot, Slack, UpdateRoot
from activities.slack_charts import PostChart, SlackCharts
from workflows.case import Case, kind_of, why
from workflows.deadlines import until
from workflows.efforts import MESSAGE, PAGE, said
from workflows.glance import glance, page_order

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)
_MOST_ROOTS = 2


class Lane(ABC):
    """What every lane does: take the next message, send it, and be patient."""

    name: str

    def __init__(self, case: Case, channel: Channel) -> None:
        self._case = case
        self._channel = channel
        self._failures = 0
        self.busy = False
        """A message is in flight."""

    @property
    def owes(self) -> bool:
        """Whether something has not been sent yet."""
        return not self._channel.off and bool(self._channel.unsent)

    async def run(self) -> None:
        """Send for as long as the incident lives."""
        while True:
            await workflow.wait_condition(lambda: self.owes and not self._case.pausing)
            self.busy = True
            try:
                await self._send()
            except ActivityError as error:
                self._failed(error)
            else:
                self._recovered()
            finally:
                self.busy = False
            if self._failures:
                await self._pause()

    @abstractmethod
    async def _send(self) -> None:
        """Send the next message; an `ActivityError` means that it is still unsent."""

    async def _pause(self) -> None:
        waiting = len(self._channel.unsent)
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        # Something new to say is a reason to try at once: it may be the page that matters.
        await until(
            lambda: len(self._channel.unsent) > waiting,
            self._case.now + pause,
            f"Try {self.name} again",
        )

    def _failed(self, error: ActivityError) -> None:
        self._failures += 1
        if kind_of(error) == "NotConfigured":
            self._channel.off = why(error)
            self._channel.unsent.clear()
            self._case.note("problem", f"{why(error)}. Nothing is sent there.")
        elif self._failures == 1:
            self._case.note(
                "problem", f"{self.name} does not take our messages: {why(error)}. Trying on."
            )

    def _recovered(self) -> None:
        if self._failures:
            self._case.note("message", f"{self.name} takes our messages again")
        self._failures = 0
        self._channel.sent += 1


class PagerDutyLane(Lane):
    """Pages, acknowledgements and resolves, oldest first."""

    name = "PagerDuty"

    async def _send(self) -> None:
        message = self._channel.unsent[0]
        case = self._case
        if message.kind == "page":
            level = message.payload["level"]
            paged = await workflow.execute_activity_method(
                PagerDuty.page,
                page_order(case.record, case.policy, message),
                **said(PAGE, f"Page {level}"),
            )
            case.record.paged[paged.dedup_key] = paged.route
            if case.record.paged_at is None:
                case.record.paged_at = case.now
            case.first_contact()
        else:
            acknowledges = message.kind == "acknowledge"
            await workflow.execute_activity_method(
                PagerDuty.acknowledge if acknowledges else PagerDuty.resolve,
                Follow.model_validate(message.payload),
                **said(PAGE, f"{message.kind.capitalize()} the page"),
            )
            if message.kind == "resolve":
                case.record.paged.pop(message.payload["dedup_key"], None)
        self._channel.unsent.remove(message)


class SlackLane(Lane):
    """The root message, then the thread."""

    name = "Slack"

    @property
    def owes(self) -> bool:
        """Whether the root is older than the record, or the thread is behind."""
        channel = self._channel
        return not channel.off and (channel.dirty or bool(channel.unsent))

    async def _send(self) -> None:
        channel = self._channel
        if not channel.ts:
            await self._post_root()
        elif channel.dirty:
            await self._update_root()
        else:
            await self._post_entry(channel.unsent[0])

    def _recovered(self) -> None:
        super()._recovered()
        self._case.first_contact()

    async def _post_root(self) -> None:
        case, channel = self._case, self._channel
        channel.dirty = False
        maybe_sent, channel.tried_root = channel.tried_root, True
        try:
            posted = await workflow.execute_activity_method(
                Slack.post_root,
                PostRoot(
                    glance=glance(case.record, case.policy, case.key(f"root-{channel.roots}")),
                    oldest=case.record.opened_at,
                    read_back=maybe_sent,
                ),
                **said(MESSAGE, "Post the incident to Slack"),
            )
        except ActivityError:
            channel.dirty = True
            raise
        channel.channel_id, channel.ts = posted.channel_id, posted.ts
        channel.roots += 1

    async def _update_root(self) -> None:
        case, channel = self._case, self._channel
        channel.dirty = False
        try:
            await workflow.execute_activity_method(
                Slack.update_root,
                UpdateRoot(
                    channel_id=channel.channel_id,
                    ts=channel.ts,
                    glance=glance(case.record, case.policy, case.key(f"root-{channel.roots - 1}")),
                ),
                **said(MESSAGE, "Bring the Slack message up to date"),
            )
        except ActivityError as error:
            if kind_of(error) == "Gone":
                self._lost_root(error)
                return
            channel.dirty = True
            raise

    async def _post_entry(self, message: Unsent) -> None:
        case, channel = self._case, self._channel
        again = message.tries > 0
        message.tries += 1
        effort = said(MESSAGE, "Post to the Slack thread")
        oldest = case.record.opened_at
        try:
            if message.kind == "chart":
                await workflow.execute_activity_method(
                    SlackCharts.post_chart,
                    PostChart(
                        channel_id=channel.channel_id,
                        thread_ts=channel.ts,
                        key=message.key,
                        chart=Chart.model_validate(message.payload),
                        oldest=oldest,
                        read_back=again,
                    ),
                    **effort,
                )
            else:
                await workflow.execute_activity_method(
                    Slack.post_entry,
                    PostEntry(
                        channel_id=channel.channel_id,
                        thread_ts=channel.ts,
                        entry=Entry(key=message.key, **message.payload),
                        oldest=oldest,
                        read_back=again,
                    ),
                    **effort,
                )
        except ActivityError as error:
            if kind_of(error) == "Gone":
                self._lost_root(error)
                return
            raise
        channel.unsent.remove(message)

    def _lost_root(self, error: ActivityError) -> None:
        channel = self._channel
        if channel.roots >= _MOST_ROOTS:
            channel.off = why(error)
            channel.unsent.clear()
            self._case.note(
                "problem",
                f"The Slack message is gone again ({why(error)}). Nothing more is posted.",
            )
            return
        channel.ts, channel.tried_root, channel.dirty = "", False, True
        self._case.note(
            "problem", f"The Slack message is gone ({why(error)}). A new one is posted."
        )
