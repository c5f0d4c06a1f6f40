"""The lane to Slack: a root message that shows the present state, and its thread.

The root is a snapshot: only the newest state is sent, never a backlog of older ones. Thread
entries keep their order and wait for the root.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.charts import Chart
from activities.messages import Entry
from activities.outbox import Unsent
from activities.slack import PostEntry, PostRoot, Slack, UpdateEntry, UpdateRoot
from activities.slack_charts import PostChart, SlackCharts
from activities.words import Urgency
from workflows.audiences import AUDIENCE, address, speak
from workflows.case import kind_of, why
from workflows.channels import PASSING, Lane
from workflows.efforts import MESSAGE, said
from workflows.glance import glance
from workflows.own_channel import ANNOUNCEMENT, announce, open_channel
from workflows.paging import unposted
from workflows.proposal import ASKED, REVISED, entry, find, post, revise

_MOST_ROOTS = 2


class SlackLane(Lane):
    """The root message, then the thread."""

    name = "Slack"

    @property
    def owes(self) -> bool:
        """Whether the root is older than the record, or the thread is behind."""
        channel = self._channel
        owes = channel.dirty or bool(channel.unsent)
        return owes and not channel.silent(self._case.now)

    async def _send(self) -> None:
        channel = self._channel
        if not channel.ts:
            await self._post_root()
            return
        # Side by side: an update and an entry do not wait for each other, entries do.
        sending = [self._update_root()] if channel.dirty else []
        if channel.unsent:
            sending.append(self._post_entry(channel.unsent[0]))
        for outcome in await asyncio.gather(*sending, return_exceptions=True):
            if outcome is not None:
                raise outcome

    def _lost(self, message: Unsent) -> None:  # noqa: ARG002 (calls are merged)
        if self._channel.off:
            unposted(self._case)

    def _alert(self, said: str) -> None:
        self._case.page(Urgency.LOW, said)

    async def _post_root(self) -> None:
        case, channel = self._case, self._channel
        channel.dirty = False
        if case.policy.own_channel and not channel.tried_root and not channel.roots:
            await open_channel(case)
        maybe_sent, channel.tried_root = channel.tried_root, True
        try:
            posted = await workflow.execute_activity_method(
                Slack.post_root,
                PostRoot(
                    glance=glance(case.record, case.policy, case.key(f"root-{channel.roots}")),
                    oldest=case.record.opened_at,
                    read_back=maybe_sent,
                    channel_id=channel.own,
                ),
                **said(MESSAGE, "Post the incident to Slack"),
            )
        except ActivityError as error:
            channel.dirty = True
            if channel.own and kind_of(error) == "Refused":
                channel.own = ""  # archived meanwhile; the next try goes where all go
            raise
        channel.channel_id, channel.ts = posted.channel_id, posted.ts
        channel.roots += 1
        case.first_contact()
        address(case)

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
            # A refused update must not hold up the thread; the next change tries it again.
            channel.dirty = kind_of(error) in PASSING
            raise
        address(case)

    async def _post_entry(self, message: Unsent) -> None:
        case, channel = self._case, self._channel
        again = message.tries > 0
        self._take(message)
        if message.kind in (ASKED, REVISED):
            await self._put_question(message, again=again)
            return
        if message.kind == ANNOUNCEMENT:
            await announce(case, message, again=again)
            self._sent(message)
            return
        if message.kind == AUDIENCE:
            await speak(case, message, again=again)
            self._sent(message)
            return
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
        self._sent(message)
        self._sending = None
        case.first_contact()

    async def _put_question(self, message: Unsent, *, again: bool) -> None:
        """Post a question with its buttons, or show in its entry what has become of it."""
        case, channel = self._case, self._channel
        question = find(case.record, message.payload["question"])
        if question is None or (message.kind == REVISED and not question.ts):
            self._sent(message)  # its entry was never posted, or stands in a thread that is gone
            return
        shown = entry(question, case.record, case.policy, message.key)
        try:
            if message.kind == REVISED:
                await workflow.execute_activity_method(
                    Slack.update_entry,
                    UpdateEntry(channel_id=question.channel_id, ts=question.ts, entry=shown),
                    **said(MESSAGE, "Show in Slack how the question was decided"),
                )
            else:
                posted = await workflow.execute_activity_method(
                    Slack.post_entry,
                    PostEntry(
                        channel_id=channel.channel_id,
                        thread_ts=channel.ts,
                        entry=shown,
                        oldest=case.record.opened_at,
                        read_back=again,
                    ),
                    **said(MESSAGE, "Ask in the Slack thread"),
                )
                question.channel_id, question.ts = posted.channel_id, posted.ts
                if shown != entry(question, case.record, case.policy, message.key):
                    revise(case, question)  # it was decided while it was on its way
        except ActivityError as error:
            if kind_of(error) != "Gone":
                raise
            if message.kind == ASKED:
                self._lost_root(error)
                return
            # Somebody has deleted the entry; how it was decided stands in the thread.
        self._sent(message)
        self._sending = None
        case.first_contact()

    def _lost_root(self, error: ActivityError) -> None:
        channel = self._channel
        if not channel.ts:
            return  # the update and the entry have both found out
        if channel.roots >= _MOST_ROOTS:
            channel.off, channel.off_until = why(error), None
            channel.unsent.clear()
            self._case.note(
                "problem",
                f"The Slack message is gone again ({why(error)}). Nothing more is posted.",
            )
            return
        channel.ts, channel.tried_root, channel.dirty = "", False, True
        self._ask_again()
        self._case.note(
            "problem", f"The Slack message is gone ({why(error)}). A new one is posted."
        )

    def _ask_again(self) -> None:
        """Put the open question into the new thread: its buttons went with the old one."""
        question = self._case.record.question
        if question is not None and question.ts:
            question.channel_id = question.ts = ""
            post(self._case, question)
