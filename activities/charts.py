"""The chart of an incident: what the watches saw, and what was done meanwhile."""

from __future__ import annotations

import asyncio
import math
from typing import Literal

from pydantic import AwareDatetime, Field

from activities.record import PlannedStep, Record
from activities.verification import Below
from activities.words import Answer

Form = Literal["png", "svg"]

MOST_POINTS = 2_000
"""More would not be seen at the width of a telephone, and would make the picture heavy."""


class Mark(Answer):
    """Something that happened at one moment: a line through the chart."""

    at: AwareDatetime
    label: str


class Point(Answer):
    """One look at what the chart shows; ``good=None`` is "no data" whatever the value."""

    at: AwareDatetime
    value: float | None = None
    good: bool | None = None

    @property
    def known(self) -> bool:
        """Whether it says anything: missing data is neither health nor sickness."""
        return self.good is not None and (self.value is None or math.isfinite(self.value))


class Chart(Answer):
    """Values over time against a threshold, with marks; values are in *unit* as they are."""

    title: str
    unit: str = ""
    threshold: float | None = None
    points: tuple[Point, ...] = Field(min_length=1)
    marks: tuple[Mark, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether it has numbers to draw; else it shows healthy or not."""
        return any(point.known and point.value is not None for point in self.points)

    @property
    def words(self) -> str:
        """The same in a sentence, for who cannot see it."""
        good, bad, unknown = (
            sum(state(point) is wanted for point in self.points) for wanted in (True, False, None)
        )
        return (
            f"{self.title}: {len(self.points)} looks, {good} healthy, {bad} not healthy, "
            f"{unknown} without data; {len(self.marks)} marks"
        )


def state(point: Point) -> bool | None:
    """Say whether *point* is healthy, not healthy, or unknown."""
    return point.good if point.known else None


async def draw(chart: Chart, form: Form) -> bytes:
    """Draw *chart* as a picture; the same chart always gives the same bytes."""
    return await asyncio.to_thread(_drawn, chart, form)


def _drawn(chart: Chart, form: Form) -> bytes:
    # A second of processor time and 70 MB: paid by who draws, in the thread that draws.
    from activities.drawing import paint

    return paint(chart, form)


def chart_of(record: Record) -> Chart | None:
    """Join all watches of *record* into one chart; None where nothing was watched."""
    samples = {sample.at: sample for watch in record.watches for sample in watch.samples}
    if not samples:
        return None
    condition = record.facts.condition if record.facts else None
    below = condition if isinstance(condition, Below) else None
    ordered = [samples[at] for at in sorted(samples)]
    # A share of one is measured; per cent is what people read.
    scale = 100.0 if below and below.unit == "%" else 1.0
    return Chart(
        title=record.facts.title if record.facts else record.title,
        unit=below.unit if below else "",
        threshold=below.threshold * scale if below else None,
        points=tuple(
            Point(
                at=sample.at,
                value=None if sample.value is None else sample.value * scale,
                good=sample.good,
            )
            for sample in ordered[-MOST_POINTS:]
        ),
        marks=marks_of(record),
    )


def marks_of(record: Record) -> tuple[Mark, ...]:
    """List the page, the acknowledgement, every step that was begun, and the end, by time."""
    people, resolution = record.people, record.resolution
    marks = [
        *([Mark(at=record.paged_at, label="on-call paged")] if record.paged_at else []),
        *(
            [Mark(at=people.acknowledged_at, label=f"acknowledged by {people.acknowledged_by}")]
            if people.acknowledged_at
            else []
        ),
        *(
            Mark(at=step.started_at, label=_label(step))
            for step in record.steps
            if step.started_at is not None
        ),
        *([Mark(at=resolution.at, label=f"closed: {resolution.how}")] if resolution else []),
    ]
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.label)))


def _label(step: PlannedStep) -> str:
    return f"{step.effect or step.key} ({step.state})"
