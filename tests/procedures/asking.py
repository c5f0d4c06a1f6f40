"""Asks a procedure as an incident does: by its name, with what its probes found, as JSON."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from activities.alerts import Alert, AlertStatus
from activities.record import PlannedStep, Reading
from workflows.consult import Consultation, Consulted, Library, Plan
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LATE = "no answer within 10 s"


def alert(name: str, **labels: str) -> Alert:
    return Alert(
        fingerprint="9c1f0a77de31b2aa",
        name=name,
        status=AlertStatus.FIRING,
        starts_at=NOW,
        labels={"alertname": name, "service": "pravado-api", **labels},
    )


def consult(
    name: str,
    readings: tuple[Reading, ...] | None = None,
    *,
    labels: dict[str, str] | None = None,
    **given: Any,
) -> Consulted:
    library = Library(PROCEDURES, Given(**given))
    asked = Consultation(alert=alert(name, **labels or {}), at=NOW, readings=readings)
    answer = library.consult(Consultation.model_validate_json(asked.model_dump_json()))
    return Consulted.model_validate_json(answer.model_dump_json())


def plan(
    name: str,
    found: dict[str, BaseModel | None],
    *,
    labels: dict[str, str] | None = None,
    **given: Any,
) -> Plan:
    """Ask for the plan; a probe whose answer is None, or not given, could not be read."""
    probes = consult(name, **given).probes
    assert set(found) <= {probe.key for probe in probes}, "an answer to no probe"
    readings = []
    for probe in probes:
        answer = found.get(probe.key)
        body = answer.model_dump(mode="json") if answer is not None else None
        failed = LATE if answer is None else ""
        readings.append(Reading(key=probe.key, why=probe.why, answer=body, failed=failed))
    answered = consult(name, tuple(readings), labels=labels, **given).plan
    assert answered is not None
    return answered


def activities(planned: Plan) -> list[str]:
    return [step.activity for step in planned.steps]


def the(planned: Plan, activity: str) -> PlannedStep:
    [step] = [step for step in planned.steps if step.activity == activity]
    return step


def said(planned: Plan) -> str:
    """Everything that people read of a plan."""
    steps = (line for s in planned.steps for line in (s.effect, s.why, s.expect, *s.details))
    return "\n".join([planned.cause, *steps, *planned.findings, planned.when_out])
