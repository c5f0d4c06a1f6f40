"""What a procedure is made of: facts, probes and a plan. Nothing here runs anything."""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from activities.alerts import Alert
from activities.prometheus import Query, SeriesQuery
from activities.record import Asks, Facts, PlannedStep, Reading
from activities.verification import Below, Condition
from activities.words import Order, Risk, Severity
from workflows import promql

Ask = TypeVar("Ask", bound=Order)
Got = TypeVar("Got", bound=BaseModel)


class Given(Order):
    """What the settings tell every procedure: names, limits and what has been declared of the
    platform.
    """

    app: str = "pravado-api"
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Overrides of "recovered when", by alert."""
    redis_unit: str = "redis"
    redis_persists: bool = False
    """Declared: Redis writes its data to disk and reads it back at start."""
    redis_cache_only: bool = False
    """Declared: nothing in Redis is missed when it is gone."""
    replicas_high: int = 5
    replicas_most: int = 12
    pool_size: int = 20
    """Connections that one API instance may open."""
    connections_reserve: int = 10
    """Connections that stay free for people and for us."""
    database_slow_seconds: float = 0.5
    llm_slow_seconds: float = 8.0
    spike_ratio: float = 1.5
    """So many times the rate of an hour ago is a spike."""
    baseline_offset: str = Field(default="1h", pattern=r"^\d+[smhd]$")
    memory_high_ratio: float = 0.85
    load_high_ratio: float = 0.9
    long_statement_seconds: float = 60
    fast_window: str = Field(default=promql.FAST, pattern=r"^\d+[smh]$")
    """Window of the rates that a verification polls: at least four scrapes."""
    runbook: str = "docs/runbook.md"


class Probe(Generic[Got]):
    """One read-only check, typed by the activity that it calls: ``seen[probe]`` is that
    activity's answer.
    """

    key: str

    def __init__(
        self,
        activity: Callable[[Any, Ask], Awaitable[Got]],
        ask: Ask | Callable[[Given], Ask],
        *,
        why: str,
        seconds: float = 10.0,
    ) -> None:
        self.activity = activity_name(activity)
        self._ask = ask
        self.why = why
        self.seconds = seconds
        self.answer: TypeAdapter[Got] = TypeAdapter(
            inspect.get_annotations(activity, eval_str=True)["return"]
        )

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = name

    def question(self, given: Given) -> Order:
        """Give what is asked; it may depend on the settings."""
        ask = self._ask if isinstance(self._ask, Order) else self._ask(given)
        if isinstance(ask, Query | SeriesQuery):
            fast = promql.within(ask.expression, given.fast_window)
            return ask.model_copy(update={"expression": fast})
        return ask


class Evidence:
    """What the probes found; an answer that could not be read is None, and `why_not` says why."""

    def __init__(self, readings: Iterable[Reading], at: datetime) -> None:
        self._readings = {reading.key: reading for reading in readings}
        self.at = at
        """The workflow's time: the time stamp that orders carry."""

    def __getitem__(self, probe: Probe[Got]) -> Got | None:
        reading = self._readings.get(probe.key)
        if reading is None or reading.failed:
            return None
        return probe.answer.validate_python(reading.answer)

    def why_not(self, probe: Probe[Any]) -> str:
        """Say why *probe* has no answer, empty if it has one."""
        reading = self._readings.get(probe.key)
        return "not asked" if reading is None else reading.failed


@dataclass(frozen=True)
class Step:
    """One mitigation: a change of a system, with its reason, its exact effect and its risk.

    ``Step(Host.restart_service, RestartService(...), ...)``: mypy refuses an order that the
    change does not take.
    """

    activity: str
    order: Order
    key: str
    target: str
    why: str
    effect: str
    risk: Risk
    expect: str = ""
    asks: Asks = Asks.POLICY
    undo: bool = False
    restarts: bool = False
    needs: str = ""
    approved_with: str = ""
    apply_seconds: float = 120.0

    def planned(self) -> PlannedStep:
        """Give the form that travels: activity name and JSON."""
        return PlannedStep(
            **{name: getattr(self, name) for name in _TRAVELS},
            order=self.order.model_dump(mode="json"),
        )


_TRAVELS = (
    "key", "activity", "target", "why", "effect", "expect", "risk", "asks", "undo", "restarts", "needs",
    "approved_with", "apply_seconds",
)  # fmt: skip


def step(
    change: Callable[[Any, Ask, Any], Awaitable[Any]],
    order: Ask,
    *,
    target: str,
    why: str,
    effect: str,
    risk: Risk,
    key: str = "",
    expect: str = "",
    asks: Asks = Asks.POLICY,
    undo: bool = False,
    restarts: bool = False,
    needs: str = "",
    approved_with: str = "",
    apply_seconds: float = 120.0,
) -> Step:
    """Plan a change; *key* defaults to ``activity@target``."""
    name = activity_name(change)
    return Step(
        activity=name, order=order, key=key or f"{name}@{target}", target=target, why=why, effect=effect,
        risk=risk, expect=expect, asks=asks, undo=undo, restarts=restarts, needs=needs,
        approved_with=approved_with, apply_seconds=apply_seconds,
    )  # fmt: skip


@dataclass(frozen=True)
class Ladder:
    """The plan: a cause in words, steps in order, findings for people, and what to say when the
    steps have run out.
    """

    cause: str
    steps: tuple[Step, ...] = ()
    findings: tuple[str, ...] = field(default=())
    when_out: str = ""


class Procedure(ABC):
    """What the runbook says for one alert. It is consulted; it does not run: no I/O, no
    waiting, no Temporal.

    A subclass is named after its alert; its docstring is the title; class attributes are facts
    and probes; `plan`
    decides.
    """

    severity: ClassVar[Severity]
    impact: ClassVar[str]
    section: ClassVar[str]
    recovered: ClassVar[Condition]

    def __init__(self, given: Given) -> None:
        self.given = given

    @abstractmethod
    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Decide on steps in order; pure."""

    def probes(self) -> list[Probe[Any]]:
        """The probes, in the order in which they are written."""
        return [value for value in _attributes(type(self)).values() if isinstance(value, Probe)]

    def facts(self) -> Facts:
        """What is known without looking."""
        kind = type(self)
        condition = self.recovered
        if isinstance(condition, Below):
            condition = _within(condition, self.given.fast_window)
        threshold = self.given.thresholds.get(kind.__name__)
        if threshold is not None and isinstance(condition, Below):
            condition = condition.model_copy(update={"threshold": threshold})
        return Facts(
            name=kind.__name__,
            title=(inspect.getdoc(kind) or kind.__name__).splitlines()[0],
            severity=self.severity,
            impact=self.impact,
            section=self.section,
            runbook=f"{self.given.runbook}#{self.section}",
            condition=condition,
            version=hashlib.sha256(inspect.getsource(kind).encode()).hexdigest()[:12],
            thresholds={kind.__name__: condition.threshold} if isinstance(condition, Below) else {},
        )


def _attributes(kind: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parent in reversed(kind.__mro__):
        found.update(vars(parent))
    return found


def _within(condition: Below, window: str) -> Below:
    traffic = condition.traffic and promql.within(condition.traffic, window)
    expression = promql.within(condition.expression, window)
    return condition.model_copy(update={"expression": expression, "traffic": traffic})


def activity_name(function: Callable[..., Any]) -> str:
    """Read the name under which an activity method is registered."""
    # The SDK keeps it here and offers no public way to read it back.
    definition = getattr(function, "__temporal_activity_definition", None)
    if definition is None or not definition.name:
        message = f"{function.__qualname__} is not an activity: put @activity.defn(name=...) on it"
        raise TypeError(message)
    return str(definition.name)
