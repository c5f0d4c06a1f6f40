"""Asking a procedure, so that its answer stands in the history.

The incident keeps the probes and the ladder it was given: editing, adding or removing a procedure
or a threshold disturbs no open incident, and whoever edits one needs to know nothing of
determinism.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.alerts import Alert
from activities.record import Facts, PlannedStep, Reading
from activities.words import Answer, Order
from workflows.procedures.at_a_glance import with_glance
from workflows.procedures.base import Evidence, Given, Procedure

CONSULT = "consult"
MOST_BYTES = 64 * 1024


class Consultation(Order):
    """A question to the procedure of an alert."""

    alert: Alert
    at: AwareDatetime
    """The workflow's time."""
    readings: tuple[Reading, ...] | None = None
    """None asks for the probes; what these found asks for the plan."""


class ProbeCall(Answer):
    """A probe as it travels: activity name and JSON."""

    key: str
    activity: str
    ask: dict[str, Any]
    why: str
    seconds: float


class Plan(Answer):
    """A ladder as it travels."""

    cause: str
    steps: tuple[PlannedStep, ...]
    findings: tuple[str, ...]
    when_out: str
    waits: bool = False


class Consulted(Answer):
    """What the procedure said; without facts there is no procedure for the alert."""

    facts: Facts | None = None
    probes: tuple[ProbeCall, ...] = ()
    plan: Plan | None = None
    question: str = ""
    """Hash of what was asked."""


class Library:
    """Holds the procedures by alert name, and answers for them."""

    def __init__(self, procedures: tuple[type[Procedure], ...], given: Given) -> None:
        self._procedures: Mapping[str, Procedure] = {
            procedure.__name__: procedure(given) for procedure in procedures
        }

    @activity.defn(name=CONSULT)
    def consult(self, ask: Consultation) -> Consulted:
        """Answer with facts and probes, or with the plan.

        Not async: it runs in a thread, so that a procedure that hangs holds up nothing but
        itself.
        """
        procedure = self._procedures.get(ask.alert.name)
        if procedure is None:
            return Consulted()
        answer = Consulted(
            facts=procedure.facts(),
            question=hashlib.sha256(ask.model_dump_json().encode()).hexdigest()[:16],
        )
        if ask.readings is None:
            answer = answer.model_copy(update={"probes": _probes(procedure)})
        else:
            evidence = Evidence(ask.readings, ask.at)
            answer = answer.model_copy(update={"plan": _plan(procedure, ask.alert, evidence)})
        size = len(answer.model_dump_json().encode())
        if size > MOST_BYTES:
            message = f"{ask.alert.name} answered {size} bytes, more than {MOST_BYTES}"
            raise ApplicationError(message, type="TooLarge", non_retryable=True)
        return answer


def _probes(procedure: Procedure) -> tuple[ProbeCall, ...]:
    return tuple(
        ProbeCall(
            key=probe.key,
            activity=probe.activity,
            ask=probe.question(procedure.given).model_dump(mode="json"),
            why=probe.why,
            seconds=probe.seconds,
        )
        for probe in with_glance(procedure.probes())
    )


def _plan(procedure: Procedure, alert: Alert, evidence: Evidence) -> Plan:
    ladder = procedure.plan(alert, evidence)
    return Plan(
        cause=ladder.cause,
        steps=tuple(step.planned() for step in ladder.steps),
        findings=ladder.findings,
        when_out=ladder.when_out,
        waits=ladder.waits,
    )
