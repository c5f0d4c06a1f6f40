"""Watching the condition: after a step, while it settles, and in people's hands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.charts import Chart, chart_of
from activities.record import Record, WatchRecord
from activities.verification import Condition, Outcome, Verdict, Verification, Watch
from workflows.case import Case, why
from workflows.efforts import said, watch

_MOST_KEPT = 100
_MOST_WATCHES = 12
"""The newest watches keep their samples; a long incident stays small."""


class Watcher:
    """Runs one watch at a time, and keeps what it saw."""

    def __init__(self, case: Case) -> None:
        self._case = case

    async def watch(
        self,
        label: str,
        seconds: float,
        *,
        every_seconds: float | None = None,
        hold: bool = False,
        condition: Condition | None = None,
        good_looks: int = 0,
        interrupted: Callable[[], bool],
    ) -> Verdict | None:
        """Watch the procedure's condition; None when there is none or *interrupted* came first.

        Another *condition* says nothing of the incident: of its watch only the outcome is kept.
        """
        case, record = self._case, self._case.record
        if record.facts is None:
            return None
        policy = case.policy
        every = policy.seconds(every_seconds or policy.verify_every_seconds)
        window = policy.seconds(seconds)
        started = case.now
        ask = Watch(
            condition=condition or record.behind or record.facts.condition,
            window_seconds=window.total_seconds(),
            every_seconds=every.total_seconds(),
            hold=hold,
            needed=good_looks or policy.good_looks,
        )
        watching = workflow.start_activity_method(
            Verification.watch, ask, **said(watch(every, window), label)
        )
        await workflow.wait_condition(lambda: watching.done() or interrupted())
        if not watching.done():
            watching.cancel()
        try:
            verdict = await watching
        except ActivityError as error:
            if interrupted():
                return None
            verdict = Verdict(
                outcome=Outcome.UNKNOWN, samples=(), said=f"could not watch: {why(error)}"
            )
        if condition is not None:
            case.note("verification", f"{label}: {verdict.outcome.value} ({verdict.said})")
            return verdict
        self._keep(label, started, verdict)
        if verdict.outcome in (Outcome.NOT_RECOVERED, Outcome.IMPROVING):
            case.surely_broken()
        return verdict

    def _keep(self, label: str, started: datetime, verdict: Verdict) -> None:
        record = self._case.record
        record.watches.append(
            WatchRecord(
                label=label,
                started_at=started,
                outcome=verdict.outcome.value,
                samples=list(verdict.samples),
            )
        )
        for old in record.watches[:-_MOST_WATCHES]:
            old.samples = old.samples[-1:]
        del record.watches[:-_MOST_KEPT]
        self._case.note("verification", f"{label}: {verdict.outcome.value} ({verdict.said})")


def newest_chart(record: Record) -> Chart | None:
    """Draw the newest watch, with a mark for each step; None where there are no values to draw."""
    newest = chart_of(record.model_copy(update={"watches": record.watches[-1:]}))
    return newest if newest is not None and newest.measured else None
