"""The opening: who is woken, and what is already known."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.alerts import Alert
from activities.incidents import EarlierIncident, Incidents
from activities.pagerduty_there import OPENED_THERE, key_of
from activities.paging import Paging
from activities.record import Phase, Record
from activities.words import Severity
from workflows.case import Case, why
from workflows.closing import resolve
from workflows.deadlines import until
from workflows.efforts import probe, said
from workflows.explaining import Explaining
from workflows.intake import hold_resolved
from workflows.reconciliation import Reconciliation

_SECONDS = 5.0
_ASKED_ABOUT = 10
"""Of a storm of old alerts some are surely worth waking somebody."""
_LOOKS_APART = 60.0


def record_of(first: Alert) -> Record:
    """Lay out the record of this incident, which *first* opens."""
    info = workflow.info()
    there = key_of(info.workflow_id)
    return Record(
        id=info.workflow_id,
        run=info.first_execution_run_id,
        indicator=first.indicator,
        service=first.service,
        environment=first.environment,
        opened_at=workflow.now(),
        severity=first.severity or first.named_severity or Severity.WARNING,
        paging=Paging(there=there),
        paged={there: OPENED_THERE} if there else {},
    )


class Arrival:
    """Opens an incident."""

    def __init__(self, case: Case, reconciliation: Reconciliation, explaining: Explaining) -> None:
        self._case = case
        self._explaining = explaining
        self._reconciliation = reconciliation

    async def open(self) -> None:
        """Page first; everything that has to be asked for comes after it."""
        case, record = self._case, self._case.record
        if not await self._worth_waking() or await self._explaining.look():
            return
        urgency = case.severity_policy.page
        if urgency is not None:
            case.page(urgency, record.title if not record.recurrence else f"{record.title} is back")
        case.enter(Phase.INVESTIGATING, "look at the evidence")
        # Regular activities: they end this workflow task, and with it the page is on its way
        # before anything is asked.
        # The lanes go first: the page is the first command of the incident's first task.
        await workflow.wait_condition(lambda: True)
        asked = [self._reconciliation.compare()]
        if not (record.earlier or record.recurrence):
            asked.append(self._look_back())
        await asyncio.gather(*asked)

    async def _worth_waking(self) -> bool:
        """Re-check alerts that are older than their interval before anybody is woken."""
        case, record = self._case, self._case.record
        if record.recurrence or (record.stands_alone and not record.firing):
            return True
        if record.paging.there:
            return True  # a person says so, however late it reaches us
        if not record.firing:
            resolve(case, "stale", "every alert had resolved before anybody could be told")
            return False
        if self._fresh():
            return True
        over = await self._over()
        if over is None:
            # An expression is also false for a moment without data: one look proves nothing.
            await until(self._fresh, case.after(_LOOKS_APART), "Is the old alert over indeed?")
            over = await self._over(again=True)
        if not over or self._fresh():
            return True
        for state in record.firing:
            hold_resolved(state, "its expression is no longer true")
        said = "the alert was old when it came, and its expression is no longer true"
        resolve(case, "stale", said)
        return False

    def _fresh(self) -> bool:
        """Tell whether any alert that fires is worth waking somebody without looking."""
        case, firing = self._case, self._case.record.firing
        # Ages are of real life, whatever the pace: startsAt comes from outside.
        long_ago = case.now - timedelta(seconds=case.severity_policy.escalate_seconds)
        return len(firing) > _ASKED_ABOUT or any(s.alert.starts_at >= long_ago for s in firing)

    async def _over(self, *, again: bool = False) -> bool | None:
        """Tell whether every old alert is over; None asks for another look a while later."""
        case, record = self._case, self._case.record
        firing = record.firing
        holds = await asyncio.gather(*(self._reconciliation.holds(state) for state in firing))
        if self._fresh() or any(holds):
            return False
        if all(held is False for held in holds):
            listed = await self._reconciliation.listed()
            if listed is not None and not any(s.alert.fingerprint in listed for s in firing):
                return True
            if listed is None or not again:
                return again or None
        record.people.only_on_call = True
        case.note("alert", "the alert is old, and whether it is true is unsure: on-call only")
        return False

    async def _look_back(self) -> None:
        """Refer to the last incident of the same name."""
        case, record = self._case, self._case.record
        try:
            earlier = await workflow.execute_activity_method(
                Incidents.earlier,
                EarlierIncident(incident=record.id, run=record.run),
                **said(probe(_SECONDS), "Was there such an incident before?"),
            )
        except ActivityError as error:
            case.note("message", f"earlier incidents could not be looked for: {why(error)}")
            return
        if not earlier.run:
            return
        record.earlier = earlier.run
        closed = f"{earlier.closed_at:%Y-%m-%d %H:%M} UTC" if earlier.closed_at else "before"
        ended = f": {earlier.how}" if earlier.how else ""
        case.note("alert", f"the last such incident closed {closed}{ended}", tell=True)
