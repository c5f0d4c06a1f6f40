"""What a procedure is: facts, probes and a plan. Nothing here runs anything."""

from __future__ import annotations

import functools
import hashlib
import inspect
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from activities.alerts import Alert
from activities.record import Facts
from activities.verification import Answering, Below, Condition, Every
from activities.words import Severity
from workflows import promql
from workflows.procedures.dashboards import dashboards
from workflows.procedures.given import Given
from workflows.procedures.ladder import Cause, Ladder, Step, step
from workflows.procedures.probes import Evidence, Probe, activity_name

__all__ = [
    "Cause",
    "Evidence",
    "Given",
    "Ladder",
    "Probe",
    "Procedure",
    "Step",
    "activity_name",
    "step",
]


class Procedure(ABC):
    """What the runbook says for one alert; it is consulted, and does not run.

    No I/O, no waiting, no Temporal. A subclass is named after its alert; its docstring is the
    title; class attributes are facts and probes; `plan` decides.
    """

    severity: ClassVar[Severity]
    impact: ClassVar[str]
    section: ClassVar[str]
    recovered: ClassVar[Condition]
    uses: ClassVar[tuple[str, ...]] = ()
    """The numbers of the settings that `plan` decides by."""
    alert_lags_seconds: ClassVar[float] = 0.0
    """How long its alert may fire on after all is well: what it looks back over."""
    back_after_seconds: ClassVar[float] = 0.0
    """How long it is well behind a maintenance page before users return; 0: the settling time."""

    def __init__(self, given: Given) -> None:
        self.given = given

    @abstractmethod
    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Decide on steps in order; pure."""

    @property
    def condition(self) -> Condition:
        """What counts as recovered, with the window and the threshold of the settings."""
        condition = self.recovered
        if isinstance(condition, Every):
            every = tuple(self._measured(each) for each in condition.conditions)
            return condition.model_copy(update={"conditions": every})
        return self._measured(condition)

    def _measured(self, condition: Below | Answering) -> Below | Answering:
        if not isinstance(condition, Below):
            return condition
        name, given = type(self).__name__, self.given
        change: dict[str, str | float] = {
            "expression": promql.within(condition.expression, given.fast_window, given.pace_window),
            "threshold": given.thresholds.get(name, condition.threshold),
        }
        if condition.traffic is not None:
            change["traffic"] = promql.within(condition.traffic, given.fast_window)
        return condition.model_copy(update=change)

    @property
    def threshold(self) -> float:
        """The bound of the condition, for those procedures that measure one."""
        condition = self.condition
        if not isinstance(condition, Below):
            raise TypeError(f"{type(self).__name__} measures nothing")
        return condition.threshold

    def probes(self) -> list[Probe[Any]]:
        """The procedure's own probes as they are written, then those that it shares."""
        found: dict[str, Any] = {}
        for kind in type(self).__mro__:
            found = found | {name: each for name, each in vars(kind).items() if name not in found}
        return [each for each in found.values() if isinstance(each, Probe)]

    def facts(self) -> Facts:
        """What is known without looking."""
        kind, condition = type(self), self.condition
        thresholds = {name: float(getattr(self.given, name)) for name in self.uses}
        if isinstance(condition, Below):
            thresholds = {kind.__name__: condition.threshold, **thresholds}
        return Facts(
            name=kind.__name__,
            title=(inspect.getdoc(kind) or kind.__name__).splitlines()[0],
            severity=self.severity,
            impact=self.impact,
            section=self.section,
            runbook=f"{self.given.runbook}#{self.section}" if self.given.runbook else "",
            condition=condition,
            version=_version(),
            thresholds=thresholds,
            alert_lags_seconds=self.alert_lags_seconds,
            back_after_seconds=self.back_after_seconds,
            links=dashboards(self.probes(), self.given),
        )


@functools.cache
def _version() -> str:
    """Digest everything that decides: a procedure alone would miss the reasoning it shares."""
    folder = Path(__file__).parent
    sources = [*sorted(folder.glob("*.py")), folder.parent / "promql.py"]
    text = b"".join(path.name.encode() + path.read_bytes() for path in sources)
    return hashlib.sha256(text).hexdigest()[:12]
