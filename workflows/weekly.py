"""The weekly summary: gathered from what has closed, and sent to those who read it."""

from __future__ import annotations

from datetime import timedelta

from pydantic import AwareDatetime, Field
from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.email import Email, EmailAddress, SendEmail
    from activities.messages import Entry, Part
    from activities.slack import Announce, Slack
    from activities.week import Span, Week, Weeks
    from activities.words import Answer, Order
    from workflows import week_words

from workflows.case import why
from workflows.efforts import DOCUMENT, MESSAGE, said

_LONGEST = timedelta(days=31)
_MOST_PARTS = 12
_MOST_PART = 2500


class SummaryOrder(Order):
    """Whom to tell of how many days."""

    days: float = Field(default=7, gt=0, le=31)
    environment: str = Field(default="", max_length=300)
    channel: str = "engineering"
    """The role of a Slack channel; empty is none."""
    to: tuple[EmailAddress, ...] = Field(default=(), max_length=50)


class Summarized(Answer):
    """What was told, to whom, and until when."""

    until: AwareDatetime
    said: str
    sent: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@workflow.defn
class WeeklySummary:
    """Tells once what the responder did or would have done, and what people did."""

    @workflow.run
    async def run(self, order: SummaryOrder) -> Summarized:
        """Go on where the last summary ended, so that no incident is told twice or never."""
        span = self._span(order)
        week: Week = await workflow.execute_activity_method(
            Weeks.gather, span, **said(DOCUMENT, "Read what has closed")
        )
        self._sent: list[str] = []
        self._problems: list[str] = []
        if order.channel:
            await self._announce(order, week)
        if order.to:
            await self._write(order, week)
        return Summarized(
            until=span.until,
            said=week_words.title(week),
            sent=tuple(self._sent),
            problems=tuple(self._problems),
        )

    def _span(self, order: SummaryOrder) -> Span:
        until = workflow.now().replace(microsecond=0)
        since = until - timedelta(days=order.days)
        if workflow.has_last_completion_result():
            last = workflow.get_last_completion_result(Summarized)
            if last is not None and until - _LONGEST < last.until < until:
                since = last.until
        return Span(since=since, until=until, environment=order.environment)

    async def _announce(self, order: SummaryOrder, week: Week) -> None:
        parts = [Part(text=line) for line in week_words.figures(week)]
        parts += [
            Part(text="\n".join(week_words.incident(one))[:_MOST_PART])
            for one in week_words.shown(week)
        ]
        left = len(parts) - _MOST_PARTS
        if left > 0:
            more = Part(text=f"and {left + 1} more: responder summary --week")
            parts = [*parts[: _MOST_PARTS - 1], more]
        entry = Entry(key=self._key("slack"), title=week_words.title(week), parts=tuple(parts))
        await self._try(
            f"#{order.channel}",
            workflow.start_activity_method(
                Slack.announce,
                Announce(channel=order.channel, entry=entry, oldest=workflow.info().start_time),
                **said(MESSAGE, f"Tell #{order.channel}"),
            ),
        )

    async def _write(self, order: SummaryOrder, week: Week) -> None:
        await self._try(
            ", ".join(order.to),
            workflow.start_activity_method(
                Email.send,
                SendEmail(
                    key=self._key("email"),
                    to=order.to,
                    subject=f"Incidents: {week_words.title(week)}",
                    body=week_words.text(week),
                ),
                **said(MESSAGE, "Send it by e-mail"),
            ),
        )

    async def _try(self, whom: str, sending: workflow.ActivityHandle[object]) -> None:
        try:
            await sending
        except ActivityError as error:
            self._problems.append(f"{whom}: {why(error)}")
        else:
            self._sent.append(whom)

    def _key(self, way: str) -> str:
        info = workflow.info()
        return f"{info.workflow_id}/{info.first_execution_run_id}/{way}"
