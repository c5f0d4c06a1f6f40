"""Where things stand on a chart: round numbers for its edges, and room for what is marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from matplotlib.ticker import MaxNLocator

from activities.charts import Chart, Point, state

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAY = 86_400


def usual_gap(points: Sequence[Point]) -> float:
    """Find the usual time between two looks."""
    times = sorted(point.at.timestamp() for point in points)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return median(gap for gap in gaps if gap > 0) if any(gap > 0 for gap in gaps) else 15.0


def stretches(points: Sequence[Point], gap: float) -> list[list[Point]]:
    """Split where data begins or ends to be missing, and where nobody looked for a while."""
    runs: list[list[Point]] = []
    for point in sorted(points, key=lambda point: point.at):
        last = runs[-1][-1] if runs else None
        if (
            last is None
            or (state(last) is None) != (state(point) is None)
            or (point.at - last.at).total_seconds() > 3 * gap
        ):
            runs.append([])
        runs[-1].append(point)
    return runs


def value_ticks(chart: Chart) -> list[tuple[float, str]]:
    """Choose round values for the left edge, with their words."""
    if not chart.measured:
        return [(0.0, "not healthy"), (1.0, "healthy")]
    values = [point.value for point in chart.points if point.known and point.value is not None]
    values += [chart.threshold * 1.25] if chart.threshold else []
    low, high = min(0.0, *values), max(values)
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(
        low, high if high > low else low + 1
    )
    return [(float(tick), _short(float(tick))) for tick in ticks]


def _short(value: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value + 0:.4g}"


def extent(chart: Chart) -> tuple[float, float]:
    """Reach for the marks, but not so far that what was watched gets too small to read."""
    looks = [point.at.timestamp() for point in chart.points]
    reach = max(max(looks) - min(looks), 300.0)
    near = [
        mark.at.timestamp()
        for mark in chart.marks
        if min(looks) - reach <= mark.at.timestamp() <= max(looks) + reach
    ]
    start, end = min(looks + near), max(looks + near)
    pad = max((end - start) * 0.03, 5.0)
    return start - pad, end + pad


def time_ticks(start: float, end: float) -> list[tuple[float, str]]:
    """Choose round moments for the lower edge, with their words."""
    step = next((size for size in TICKS if (end - start) / size <= 5), 0)
    step = step or math.ceil((end - start) / 5 / _DAY) * _DAY
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < _DAY else "%d %b"
    first = math.ceil(start / step) * step
    return [
        (float(at), datetime.fromtimestamp(at, UTC).strftime(form))
        for at in range(first, math.floor(end) + 1, step)
    ]


def rows_for(xs: Sequence[float], room: float) -> list[int]:
    """Give each number the lowest row in which it touches no other: each needs *room*."""
    ends: list[float] = []
    lanes: list[int] = []
    for x in xs:
        lane = next((index for index, end in enumerate(ends) if x >= end), len(ends))
        ends[lane : lane + 1] = [x + room]
        lanes.append(lane)
    return lanes


def place(point: Point, chart: Chart) -> float:
    """Place *point* on the left edge's scale."""
    if not chart.measured:
        return 1.0 if point.good else 0.0
    if point.value is not None:
        return point.value
    # Known to be well or not, yet without a number: at the edge that says which.
    return 0.0 if point.good or chart.threshold is None else chart.threshold
