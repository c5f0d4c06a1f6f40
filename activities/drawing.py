"""Draws a chart with matplotlib: imported only where one is drawn (`activities.charts.draw`).

Everything is placed in points from the measured width of its text, so that no text can lie on
another: marks are numbered lines whose numbers stand in as many rows as they need, and whose words
stand in a list below.
"""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from activities import scales
from activities.charts import Chart, Form, Mark, state
from activities.lettering import fit, plain, width, wrap

# Without a salt every SVG has other ids. Set once, before the first drawing, and never again.
mpl.rcParams["svg.hashsalt"] = "incident"

COLOURS = {
    "paper": "#fffffe",
    "ink": "#1c2733",
    "muted": "#5b6875",
    "grid": "#e4e8ec",
    "line": "#0072b2",
    "bad": "#c84e00",
    "wash": "#fdf1e8",
    "mark": "#8a97a4",
    "hatch": "#b4bec8",
    "void": "#f3f5f7",
}
"""Colour-blind safe (after Okabe and Ito); all differ, so that a page can swap in its own."""

WIDTH, MARGIN, PLOT, BADGE = 380.0, 12.0, 150.0, 17.0
"""In points. As wide as a telephone shows without making ten-point letters too small to read."""
TITLE, TEXT, SMALL = 12.5, 10.0, 9.5
MOST_MARKS = 14
UNITS = {"s": "seconds", "%": "per cent", "$/h": "dollars an hour"}

# matplotlib keeps fonts and text layouts in caches that threads may not share.
_LOCK = threading.Lock()


def paint(chart: Chart, form: Form) -> bytes:
    """Draw *chart*, in the calling thread, one at a time."""
    with _LOCK:
        figure = _figure(chart)
        out = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=230, metadata=metadata)
        return out.getvalue()


def _figure(chart: Chart) -> Figure:
    shown = chart.marks[:MOST_MARKS]
    title = wrap(chart.title, TITLE, WIDTH - 2 * MARGIN, lines=2, bold=True)
    legend = _legend(chart)
    ticks = scales.value_ticks(chart)
    left = MARGIN + 8 + max(width(label, SMALL) for _, label in ticks)
    start, end = scales.extent(chart)
    drawn = [
        (number, mark) for number, mark in enumerate(shown, 1) if start < mark.at.timestamp() < end
    ]
    notes = [_note(mark, off=(number, mark) not in drawn) for number, mark in enumerate(shown, 1)]
    lanes = scales.rows_for([_x(mark, start, end, left) for _, mark in drawn], BADGE)
    top = (
        MARGIN + len(title) * 17 + 17 + _rows(legend) * 18 + max(lanes, default=-1) * BADGE + BADGE
    )
    listed = sum(len(lines) * 14 + 5 for lines in notes) + (
        16 if len(chart.marks) > MOST_MARKS else 0
    )
    height = top + PLOT + 24 + listed + MARGIN + (6 if notes else 0)

    figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor=COLOURS["paper"])
    FigureCanvasAgg(figure)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    page.set_axis_off()
    page.set_zorder(2)
    plot = figure.add_axes(
        (left / WIDTH, 1 - (top + PLOT) / height, (WIDTH - left - MARGIN) / WIDTH, PLOT / height)
    )
    _frame(plot, chart, ticks, start, end)
    _data(plot, chart)

    y = MARGIN + 11
    for line in title:
        _say(page, MARGIN, y, line, size=TITLE, bold=True)
        y += 17
    _say(page, MARGIN, y, _subtitle(chart, start, end), size=SMALL, colour="muted")
    _draw_legend(page, legend, y + 17)
    for (number, mark), lane in zip(drawn, lanes, strict=True):
        x = _x(mark, start, end, left)
        row = top - BADGE / 2 - lane * BADGE
        page.plot([x, x], [row, top], color=COLOURS["mark"], lw=1, zorder=1)
        plot.axvline(mark.at.timestamp(), color=COLOURS["mark"], lw=1, zorder=2.5)
        _badge(page, x, row, number)
    y = top + PLOT + 24 + 14
    for number, lines in enumerate(notes, 1):
        _badge(page, MARGIN + 7, y - 3.5, number)
        for index, line in enumerate(lines):
            _say(page, MARGIN + 20, y + index * 14, line)
        y += len(lines) * 14 + 5
    if len(chart.marks) > MOST_MARKS:
        more = f"and {len(chart.marks) - MOST_MARKS} more: see the timeline"
        _say(page, MARGIN + 20, y, more, colour="muted")
    return figure


def _frame(
    plot: Axes, chart: Chart, ticks: list[tuple[float, str]], start: float, end: float
) -> None:
    plot.set_facecolor(COLOURS["paper"])
    plot.set_xlim(start, end)
    values = [value for value, _ in ticks]
    low, high = (min(values), max(values)) if chart.measured else (-0.5, 1.5)
    plot.set_ylim(low, high)
    plot.set_yticks(values, [label for _, label in ticks], parse_math=False)
    times = scales.time_ticks(start, end)
    plot.set_xticks([at for at, _ in times], [label for _, label in times], parse_math=False)
    plot.tick_params(length=0, labelsize=SMALL, labelcolor=COLOURS["muted"], pad=7)
    plot.grid(axis="y", color=COLOURS["grid"], lw=0.8)
    plot.set_axisbelow(True)
    for side, spine in plot.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(COLOURS["hatch"])
    if chart.measured and chart.threshold is not None:
        plot.axhspan(chart.threshold, high, color=COLOURS["wash"], lw=0, zorder=0)
        plot.axhline(chart.threshold, color=COLOURS["bad"], lw=1.3, ls=(0, (5, 3)), zorder=2)


def _data(plot: Axes, chart: Chart) -> None:
    gap = scales.usual_gap(chart.points)
    small = 3.2 if len(chart.points) > 80 else 5.5
    for run in scales.stretches(chart.points, gap):
        xs = [point.at.timestamp() for point in run]
        if state(run[0]) is None:
            ends = (xs[0] - gap / 2, xs[-1] + gap / 2)
            plot.axvspan(
                *ends, fc=COLOURS["void"], ec=COLOURS["hatch"], hatch="////", lw=0, zorder=1
            )
            continue
        ys = [scales.place(point, chart) for point in run]
        plot.plot(xs, ys, color=COLOURS["line"], lw=1.8, zorder=3, clip_on=False)
        for good, marker, colour in ((True, "o", "line"), (False, "X", "bad")):
            chosen = [index for index, point in enumerate(run) if state(point) is good]
            plot.plot(
                [xs[index] for index in chosen],
                [ys[index] for index in chosen],
                ls="",
                marker=marker,
                ms=small,
                mfc=COLOURS[colour],
                mec=COLOURS["paper"],
                mew=0.6,
                zorder=4,
                clip_on=False,
            )


def _x(mark: Mark, start: float, end: float, left: float) -> float:
    return left + (mark.at.timestamp() - start) / (end - start) * (WIDTH - left - MARGIN)


def _subtitle(chart: Chart, start: float, end: float) -> str:
    first, last = (datetime.fromtimestamp(at, UTC) for at in (start, end))
    days = f"{first:%-d %B %Y}"
    if first.date() != last.date():
        days = f"{first:%-d %B} to {last:%-d %B %Y}"
    unit = UNITS.get(chart.unit, chart.unit) if chart.measured else ""
    return fit(f"{unit} · {days}, UTC" if unit else f"{days}, UTC", SMALL, WIDTH - 2 * MARGIN)


def _note(mark: Mark, *, off: bool) -> list[str]:
    at = mark.at.astimezone(UTC)
    when = f"{at:%-d %b %H:%M:%S}, off the chart:" if off else f"{at:%H:%M:%S}"
    return wrap(f"{when}  {mark.label}", TEXT, WIDTH - 2 * MARGIN - 20, lines=2)


def _legend(chart: Chart) -> list[tuple[str, str]]:
    seen = {state(point) for point in chart.points}
    unit = {"s": " s", "%": " %", "$/h": " $/h"}.get(chart.unit, f" {chart.unit}".rstrip())
    return [
        *([("good", "healthy")] if True in seen else []),
        *([("bad", "not healthy")] if False in seen else []),
        *([("void", "no data")] if None in seen else []),
        *(
            [("threshold", fit(f"threshold {chart.threshold:.6g}{unit}", SMALL, 200))]
            if chart.threshold is not None and chart.measured
            else []
        ),
    ]


def _places(legend: list[tuple[str, str]]) -> list[tuple[float, int]]:
    x, row, places = MARGIN, 0, []
    for _, label in legend:
        wide = 22 + width(label, SMALL) + 14
        if x > MARGIN and x + wide > WIDTH:
            x, row = MARGIN, row + 1
        places.append((x, row))
        x += wide
    return places


def _rows(legend: list[tuple[str, str]]) -> int:
    return max(row for _, row in _places(legend)) + 1


def _draw_legend(page: Axes, legend: list[tuple[str, str]], top: float) -> None:
    for (kind, label), (x, row) in zip(legend, _places(legend), strict=True):
        y = top + row * 18
        ends = [x, x + 16]
        if kind == "void":
            box = Rectangle((x, y - 8), 16, 9, fc=COLOURS["void"], ec=COLOURS["hatch"], lw=0)
            box.set_hatch("////")
            page.add_patch(box)
        elif kind == "threshold":
            page.plot(ends, [y - 3.5, y - 3.5], color=COLOURS["bad"], lw=1.3, ls=(0, (4, 2.4)))
        else:
            colour, marker = ("line", "o") if kind == "good" else ("bad", "X")
            page.plot(ends, [y - 3.5, y - 3.5], color=COLOURS["line"], lw=1.8)
            page.plot(
                [x + 8],
                [y - 3.5],
                marker=marker,
                ms=6,
                mfc=COLOURS[colour],
                mec=COLOURS["paper"],
                mew=0.6,
            )
        _say(page, x + 21, y, label, size=SMALL, colour="muted")


def _badge(page: Axes, x: float, y: float, number: int) -> None:
    page.plot(
        [x], [y], marker="o", ms=13.5, mfc=COLOURS["paper"], mec=COLOURS["mark"], mew=1, zorder=5
    )
    page.text(
        x, y, str(number), size=8, color=COLOURS["ink"], ha="center", va="center_baseline", zorder=6
    )


def _say(
    page: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = TEXT,
    colour: str = "ink",
    bold: bool = False,
) -> None:
    page.text(
        x,
        y,
        plain(text),
        size=size,
        color=COLOURS[colour],
        weight="bold" if bold else "normal",
        va="baseline",
        parse_math=False,
    )
