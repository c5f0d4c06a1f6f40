"""Situations under names: what the probes of a procedure may find, and what it plans then.

They make the runbook that people read. A plan that stands there is what the procedure says today
to that evidence, so it cannot say anything else than the procedure does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from activities.alerts import Alert, AlertStatus
from activities.record import Reading
from workflows.procedures.base import Evidence, Given, Ladder, Probe, Procedure

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""When all of it happens."""
LATE = "no answer in time"
NOTHING_READ = "Nothing can be read"

Found = Mapping[str, BaseModel | None]
"""What probes answered, by their keys; None could not be read."""


@dataclass(frozen=True)
class Situation:
    """One thing that may be the matter: what is not as usual then."""

    name: str
    found: Found = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    """What the settings would have to say of the platform, where that decides."""


@dataclass(frozen=True)
class Situations:
    """What one procedure may meet."""

    procedure: type[Procedure]
    usual: Found
    """What its probes find unless a situation says otherwise."""
    these: tuple[Situation, ...]
    by_hand: str = ""
    """What a person types where the responder cannot: exact and safe commands."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that its alert brings."""

    def __iter__(self) -> Iterator[Situation]:
        """Give each situation, and the one that every procedure may meet: that it sees nothing."""
        yield from self.these
        yield Situation(NOTHING_READ, dict.fromkeys(self.usual))

    @property
    def unanswered(self) -> set[str]:
        """Name the probes without an answer; they count as not read until they have one."""
        return {probe.key for probe in self.procedure(Given()).probes()} - self.usual.keys()

    def plan(self, situation: Situation, given: Given) -> Ladder:
        """Ask the procedure itself."""
        name = self.procedure.__name__
        procedure = self.procedure(given.model_copy(update=dict(situation.declared)))
        probes = {probe.key: probe for probe in procedure.probes()}
        found = {**self.usual, **situation.found}
        if strange := found.keys() - probes.keys():
            raise ValueError(f"{name}, “{situation.name}”: no probe {', '.join(sorted(strange))}")
        alert = Alert(
            fingerprint="example",
            name=name,
            status=AlertStatus.FIRING,
            starts_at=AT,
            labels={"alertname": name, **self.labels},
        )
        readings = [_reading(probe, found.get(key)) for key, probe in probes.items()]
        return procedure.plan(alert, Evidence(readings, AT))


def asked_by(procedure: type[Procedure], answers: Found) -> Found:
    """Pick those of *answers* that *procedure* asks for."""
    asked = [probe.key for probe in procedure(Given()).probes()]
    return {key: answers[key] for key in asked if key in answers}


def _reading(probe: Probe[Any], answer: BaseModel | None) -> Reading:
    if answer is None:
        return Reading(key=probe.key, why=probe.why, failed=LATE)
    body = probe.answer.validate_python(answer).model_dump(mode="json")
    return Reading(key=probe.key, why=probe.why, answer=body)
