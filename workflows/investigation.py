"""Finding out: the procedure's probes, side by side, and then its plan."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.alerts import Alert
from activities.record import PlannedStep, Reading, unread
from workflows.case import Case, why
from workflows.consult import CONSULT as CONSULT_NAME
from workflows.consult import Consultation, Consulted, ProbeCall
from workflows.efforts import CONSULT, probe, said
from workflows.public_word import proposal
from workflows.ringing import gone

_MOST_PAST = 60


class Investigation:
    """One look at everything that the procedure asks for."""

    def __init__(self, case: Case) -> None:
        self._case = case

    async def run(self) -> bool:
        """Fill the record with facts, evidence and a ladder; tell whether the procedure failed.

        Without a procedure people handle it: that is no failure.
        """
        record = self._case.record
        record.plan_again = False
        record.planned_for = record.title
        record.planned_at = self._case.now
        record.past_steps += [step for step in record.ladder if not step.open]
        record.ladder, record.no_procedure, record.facts = [], "", None
        if len(record.past_steps) > _MOST_PAST:
            # What is still in place is never forgotten.
            late = record.past_steps[-_MOST_PAST:]
            kept = [s for s in record.past_steps[:-_MOST_PAST] if s.undo and s.in_place]
            record.past_steps = [*kept, *late]
        try:
            alert, asked = await self._find_procedure()
            if asked.facts is None:
                record.no_procedure = f"there is no procedure for {record.title}"
                self._case.note("plan", f"{record.no_procedure}: people handle it", tell=True)
                return False
            record.facts = asked.facts
            record.planned_for = record.title  # which the procedure's severity may have changed
            record.readings = list(
                await asyncio.gather(*(self._read(call) for call in asked.probes))
            )
            self._tell_evidence()
            answered = await self._consult(alert, tuple(record.readings))
        except FailureError as error:
            # Not ActivityError alone: what a local activity raises comes as it was raised, and
            # what leaves here would end the workflow.
            record.no_procedure = f"the procedure could not be read: {why(error)}"
            self._case.note("problem", f"{record.no_procedure}; people handle it", tell=True)
            return True
        self._take(answered)
        return False

    async def plan_anew(self) -> tuple[PlannedStep, ...] | None:
        """Ask what the procedure would do by what is there now; None where that cannot be seen."""
        record = self._case.record
        known = {reading.key: reading for reading in record.readings}
        try:
            alert, asked = await self._find_procedure()
            readings = await asyncio.gather(*(self._read(call) for call in asked.probes))
            if any(r.failed and not (r.key in known and known[r.key].failed) for r in readings):
                return None
            answered = await self._consult(alert, tuple(readings))
        except FailureError:
            return None
        return None if answered.plan is None else answered.plan.steps

    async def _find_procedure(self) -> tuple[Alert, Consulted]:
        """Ask for the worst alert's procedure, and for the next one's where there is none."""
        record = self._case.record
        states = record.firing or list(record.alerts.values())
        by_name = {state.alert.name: state.alert for state in states}
        worst = sorted(by_name.values(), key=record.rank, reverse=True)
        for alert in worst:
            asked = await self._consult(alert, None)
            if asked.facts is not None:
                return alert, asked
        return worst[0], Consulted()

    async def _consult(self, alert: Alert, readings: tuple[Reading, ...] | None) -> Consulted:
        about = "its probes" if readings is None else "its plan"
        effort: workflow.LocalActivityConfig = {
            **CONSULT,
            "summary": f"Ask the {alert.name} procedure for {about}",
        }
        answer: Consulted = await workflow.execute_local_activity(
            CONSULT_NAME,
            Consultation(alert=alert, at=self._case.now, readings=readings),
            result_type=Consulted,
            **effort,
        )
        return answer

    async def _read(self, call: ProbeCall) -> Reading:
        started = self._case.now
        reading = Reading(key=call.key, why=call.why)
        try:
            reading.answer = await workflow.execute_activity(
                call.activity, call.ask, **said(probe(call.seconds), call.why)
            )
        except ActivityError as error:
            reading.failed = why(error)
        reading.took_seconds = (self._case.now - started).total_seconds()
        return reading

    def _tell_evidence(self) -> None:
        record = self._case.record
        for line in unread(record.readings):
            self._case.note("evidence", line)
        read = sum(1 for reading in record.readings if not reading.failed)
        self._case.note("evidence", f"{read} of {len(record.readings)} checks answered")

    def _take(self, answered: Consulted) -> None:
        case, record, plan = self._case, self._case.record, answered.plan
        if plan is None:
            return
        record.cause, record.when_out, record.waits = plan.cause, plan.when_out, plan.waits
        record.findings = [*plan.findings, *gone(record)]
        record.ladder = [step.model_copy(deep=True) for step in plan.steps]
        record.ladder += proposal(case)
        intended = [
            f"{number}. {step.effect} ({step.risk.value})"
            for number, step in enumerate(record.ladder, 1)
        ]
        said = "I intend to:" if intended else "There is no step that I could take."
        case.note(
            "plan",
            f"{plan.cause}. {len(intended)} {'step' if len(intended) == 1 else 'steps'} planned",
        )
        case.tell(
            plan.cause, said, *intended, *(f"For people: {finding}" for finding in plan.findings)
        )
