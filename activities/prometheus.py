"""What Prometheus measured. No data is None everywhere: neither health nor sickness."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator
from temporalio import activity

from activities.errors import Failed
from activities.expressions import LONGEST_EXPRESSION, expression_of, matcher, measured, selector
from activities.prometheus_api import PrometheusApi
from activities.verification import Below, Condition, Sample, unknown
from activities.words import Answer, Order

__all__ = [
    "AlertState",
    "History",
    "Holds",
    "Point",
    "Prometheus",
    "Query",
    "RangeQuery",
    "Series",
    "SeriesAnswer",
    "SeriesQuery",
    "Value",
    "expression_of",
    "matcher",
    "selector",
    "spoken",
]

MOST_POINTS = 500
"""Of one history: what a chart can show, and well under the limit of one probe."""
_RULE_LABELS = {"__name__", "alertname", "severity", "team"}
"""Of an alert, these are the rule's, whatever the series says."""
_MOST_LABEL = 200
_MOST_LABELS = 20


# Not Name: its own limit of 200 characters would stay in force beside a larger one.
Expression = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_EXPRESSION)]


class Query(Order):
    """An expression that yields one value."""

    expression: Expression
    at: AwareDatetime | None = None
    """None is now, by Prometheus's clock."""


class Value(Answer):
    """One value, the highest where the expression yields several; None is no data."""

    value: float | None
    warnings: tuple[str, ...] = ()
    at: AwareDatetime
    note: str = ""


class SeriesQuery(Order):
    """An expression that yields several series."""

    expression: Expression
    most: int = Field(default=20, ge=1, le=100)


class Series(Answer):
    """One series with its value now."""

    labels: dict[str, str]
    value: float | None


class SeriesAnswer(Answer):
    """Series with the highest value first; those without a value come last."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()
    truncated: int = 0
    """How many more there are."""


class RangeQuery(Order):
    """An expression over a span of time."""

    expression: Expression
    start: AwareDatetime
    end: AwareDatetime
    step_seconds: float = Field(gt=0)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        span = (self.end - self.start).total_seconds()
        if not 0 < span <= self.step_seconds * MOST_POINTS:
            raise ValueError(f"a history goes forward and has at most {MOST_POINTS} points")
        return self


class Point(Answer):
    """One value of a history; where there was no data there is no point."""

    at: AwareDatetime
    value: float


class History(Answer):
    """One line, the highest value at each time where the expression yields several series."""

    points: tuple[Point, ...]
    warnings: tuple[str, ...] = ()
    note: str = ""


class AlertState(Order):
    """A question whether the expression of an alert is still true for its labels."""

    expression: Expression
    labels: dict[str, str]


class Holds(Answer):
    """Whether an alert's expression is true; None is unknown, for there is no data."""

    holds: bool | None
    value: float | None = None
    note: str = ""


class Prometheus:
    """Asks one Prometheus."""

    def __init__(self, api: PrometheusApi) -> None:
        self._api = api

    @activity.defn(name="prometheus.value")
    async def value(self, ask: Query) -> Value:
        """Read one value."""
        return await self._value(ask.expression, ask.at)

    @activity.defn(name="prometheus.series")
    async def series(self, ask: SeriesQuery) -> SeriesAnswer:
        """Read several series, highest first."""
        answered = await self._api.instant(ask.expression)
        found = [(_short(labels), value) for labels, value, _ in answered.values()]
        found.sort(key=lambda each: -math.inf if each[1] is None else each[1], reverse=True)
        return SeriesAnswer(
            series=tuple(Series(labels=labels, value=value) for labels, value in found[: ask.most]),
            warnings=answered.warnings,
            truncated=max(0, len(found) - ask.most),
        )

    @activity.defn(name="prometheus.history")
    async def history(self, ask: RangeQuery) -> History:
        """Read how a value went."""
        answered = await self._api.over(ask.expression, ask.start, ask.end, ask.step_seconds)
        highest: dict[datetime, float] = {}
        for at, value in answered.history():
            highest[at] = max(value, highest.get(at, value))
        points = [Point(at=at, value=value) for at, value in sorted(highest.items())]
        return History(
            points=tuple(points),
            warnings=answered.warnings,
            note=_note(len(answered.result), known=bool(points)),
        )

    @activity.defn(name="prometheus.alert_state")
    async def alert_state(self, ask: AlertState) -> Holds:
        """Ask whether the alert's own expression still yields its series.

        A label that only one side has decides nothing: the rule adds some, and an aggregation
        drops others.
        """
        true = await self._of(ask.expression, ask.labels)
        if true:
            return Holds(holds=True, value=_highest(true), note="the expression is true")
        # Nothing came back. Either it is false, or nobody measures any more.
        if ask.expression.lstrip().startswith("absent"):
            return Holds(holds=False, note="what was absent is there")
        left = measured(ask.expression)
        if left is None:
            return Holds(holds=None, note="no data, and no comparison that could say why")
        value = _highest(await self._of(left, ask.labels))
        if value is None:
            return Holds(holds=None, note="no data: what the alert measures is not measured now")
        return Holds(holds=False, value=value, note="the expression is false")

    async def look(self, condition: Condition) -> Sample:
        """Take one sample of *condition* for a verification; what cannot be read is unknown."""
        now = datetime.now(UTC)
        if not isinstance(condition, Below):
            return unknown(now, "Prometheus cannot tell whether something answers")
        try:
            if condition.traffic is None:
                read, traffic = await self._value(condition.expression, None), None
            else:
                read, traffic = await asyncio.gather(
                    self._value(condition.expression, None), self._value(condition.traffic, None)
                )
        except Failed as failed:
            return unknown(now, f"could not be read: {failed.message}")
        if traffic is not None and (traffic.value is None or traffic.value <= condition.floor):
            rate = "unknown" if traffic.value is None else f"{traffic.value:.3g}/s"
            return unknown(read.at, f"too little traffic to judge by ({rate})")
        if read.value is None:
            return unknown(read.at, read.note)
        good = read.value < condition.threshold
        said = f"{spoken(read.value, condition.unit)}, {'under' if good else 'not under'} "
        said += spoken(condition.threshold, condition.unit)
        notes = [said, *([read.note] if read.note else []), *read.warnings[:1]]
        return Sample(at=read.at, good=good, value=read.value, note="; ".join(notes))

    async def _of(self, expression: str, labels: Mapping[str, str]) -> list[float | None]:
        """Read the values of the series that do not contradict *labels*."""
        found = (await self._api.instant(expression)).values()
        return [value for own, value, _ in found if _same(own, labels)]

    async def _value(self, expression: str, at: datetime | None) -> Value:
        answered = await self._api.instant(expression, at)
        found = answered.values()
        value = _highest(value for _, value, _ in found)
        times = (time for _, _, time in found)
        return Value(
            value=value,
            warnings=answered.warnings,
            at=max(times, default=at or datetime.now(UTC)),
            note=_note(len(found), known=value is not None),
        )


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def spoken(value: float, unit: str = "") -> str:
    """Say *value* for people; a unit of % means that the value is a share of one."""
    if unit == "%":
        return f"{value * 100:.3g} %"
    if unit == "$/h":
        return f"${value:,.2f} an hour"
    return f"{value:.3g} {unit}".strip()


def _note(series: int, *, known: bool) -> str:
    if not series:
        return "no data"
    if not known:
        return "no data: not a number (a division by zero, so no traffic)"
    return f"the highest of {series} series" if series > 1 else ""


def _same(series: Mapping[str, str], alert: Mapping[str, str]) -> bool:
    shared = series.keys() & alert.keys() - _RULE_LABELS
    return all(series[name] == alert[name] for name in shared)


def _short(labels: Mapping[str, str]) -> dict[str, str]:
    """Bound the labels of one series: they come from applications."""
    kept = sorted(labels.items())[:_MOST_LABELS]
    return {name: value[:_MOST_LABEL] for name, value in kept}
