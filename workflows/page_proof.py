"""The proof that a person can be reached: a marked test page, and somebody who acknowledges it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from pydantic import AwareDatetime, Field
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityConfig

with workflow.unsafe.imports_passed_through():
    from activities.messages import Fact
    from activities.on_call import AwaitAcknowledgement, OnCall
    from activities.pagerduty import Follow, Page, PagerDuty
    from activities.words import Answer, Name, Order, Severity, Urgency
    from workflows.page_events import PageEvent, PageHappening

from workflows.case import kind_of, why
from workflows.deadlines import until
from workflows.efforts import PAGE, Queue, said

NOT_PROVEN = "NotProven"
_COUNTS = frozenset({PageHappening.ACKNOWLEDGED, PageHappening.RESOLVED})
_LOOK_EVERY = timedelta(seconds=10)


class ProofOrder(Order):
    """Whom to page, and for how long to wait."""

    level: Name = "on-call"
    urgency: Urgency = Urgency.HIGH
    asked_by: Name
    wait_seconds: float = Field(default=900, gt=0, le=24 * 3600)


class Proof(Answer):
    """Who was reached, and how long it took."""

    by: str
    seconds: float
    at: AwareDatetime
    said: str


@workflow.defn
class PageProof:
    """Pages somebody for a test; it completes once a person has acknowledged, and else fails."""

    @workflow.init
    def __init__(self, order: ProofOrder) -> None:
        """Know the page's key before the first event of it is delivered."""
        info = workflow.info()
        self._order = order
        self._key = f"{info.workflow_id}/{info.first_execution_run_id}/page-1"
        self._by = ""
        self._blind = ""

    @workflow.signal(description="What happened to the test page at PagerDuty")
    def page_event(self, event: PageEvent) -> None:
        """Hear whether a person has acknowledged; what a machine does proves nothing."""
        if event.key == self._key and event.human and event.happening in _COUNTS:
            self._by = self._by or event.by or event.agent

    @workflow.run
    async def run(self, order: ProofOrder) -> Proof:
        """Page, wait, and take the page back."""
        workflow.set_current_details(f"Test page to {order.level}, asked for by {order.asked_by}.")
        try:
            paged = await workflow.execute_activity_method(
                PagerDuty.page, self._page(), **said(PAGE, f"Test page to {order.level}")
            )
        except ActivityError as error:
            raise _not_proven(f"PagerDuty did not take the test page: {why(error)}") from None
        sent_at = workflow.now()
        looking = asyncio.create_task(self._look())
        deadline = sent_at + timedelta(seconds=order.wait_seconds)
        reached = await until(lambda: bool(self._by), deadline, f"{order.level} acknowledges")
        seconds = (workflow.now() - sent_at).total_seconds()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await self._take_back(Follow(dedup_key=self._key, route=paged.route))
        if not reached:
            waited = f"{order.wait_seconds / 60:g} minutes"
            hint = f" PagerDuty could not be asked: {self._blind}." if self._blind else ""
            raise _not_proven(
                f"{order.level} did not acknowledge the test page within {waited}.{hint}"
            )
        told = f"{self._by} acknowledged the test page to {order.level} after {seconds:.0f} s"
        return Proof(by=self._by, seconds=seconds, at=workflow.now(), said=told)

    async def _look(self) -> None:
        """Ask PagerDuty too, for where its webhooks cannot reach us."""
        try:
            found = await workflow.execute_activity_method(
                OnCall.acknowledged,
                AwaitAcknowledgement(dedup_key=self._key),
                **said(_looking(self._order.wait_seconds), "Has somebody acknowledged?"),
            )
        except ActivityError as error:
            self._blind = "" if kind_of(error) == "NotYet" else why(error)
        else:
            self._by = self._by or found.by

    async def _take_back(self, follow: Follow) -> None:
        with contextlib.suppress(ActivityError):  # it is marked as a test, and was answered
            await workflow.execute_activity_method(
                PagerDuty.resolve, follow, **said(PAGE, "Take the test page back")
            )

    def _page(self) -> Page:
        order = self._order
        return Page(
            dedup_key=self._key,
            level=order.level,
            urgency=order.urgency,
            severity=Severity.WARNING,
            summary=(
                "TEST PAGE, nothing is wrong: please acknowledge it, to prove that you can be "
                "reached"
            ),
            source="incident-responder",
            component="paging",
            details=(
                Fact(label="why", value=f"asked for by {order.asked_by}"),
                Fact(label="what to do", value="Acknowledge. It is taken back by itself."),
            ),
            at=workflow.now(),
        )


def _looking(seconds: float) -> ActivityConfig:
    return ActivityConfig(
        task_queue=Queue.PROBES,
        start_to_close_timeout=timedelta(seconds=10),
        schedule_to_close_timeout=timedelta(seconds=seconds),
        retry_policy=RetryPolicy(
            initial_interval=_LOOK_EVERY, backoff_coefficient=1.0, maximum_interval=_LOOK_EVERY
        ),
    )


def _not_proven(text: str) -> ApplicationError:
    return ApplicationError(text, type=NOT_PROVEN, non_retryable=True)
