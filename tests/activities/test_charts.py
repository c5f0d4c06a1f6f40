import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from activities.charts import Chart, Mark, Point, chart_of, draw
from activities.record import StepState
from tests.records import after, bare, restarted, taken_over

ROOT = Path(__file__).parents[2]


def chart(**fields) -> Chart:
    values = [2.0, 1.4, None, 0.4, 0.3]
    points = tuple(
        Point(at=after(15 * index), value=value, good=None if value is None else value < 0.5)
        for index, value in enumerate(values)
    )
    return Chart(**{"title": "p95", "unit": "s", "threshold": 0.5, "points": points, **fields})


MARKED = [
    Mark(at=after(second), label=f"step {second}: {'long words ' * 30}") for second in range(40)
]


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(chart(), id="values with a gap"),
        pytest.param(chart(threshold=None, unit=""), id="no threshold and no unit"),
        pytest.param(chart(points=(Point(at=after(0), value=1.0, good=False),)), id="one look"),
        pytest.param(chart(points=(Point(at=after(0)),)), id="nothing but unknown"),
        pytest.param(
            chart(points=tuple(Point(at=after(n), good=n > 3) for n in range(9))),
            id="healthy or not, without values",
        ),
        pytest.param(
            chart(points=(Point(at=after(0), value=float("nan"), good=True),)), id="not a number"
        ),
        pytest.param(
            chart(points=tuple(Point(at=after(n), value=3e14, good=False) for n in range(2000))),
            id="two thousand large values",
        ),
        pytest.param(chart(marks=tuple(MARKED)), id="forty marks in forty seconds"),
        pytest.param(chart(marks=(Mark(at=after(9e5), label="late"),)), id="a mark ten days later"),
        pytest.param(
            chart(points=tuple(Point(at=after(0), value=-1.0, good=True) for _ in "ab")),
            id="two looks at one moment",
        ),
        pytest.param(
            chart(title="$x^2$ & <b> \U0001f525 漢字\n\x00", unit="$/h", threshold=0.0),
            id="letters that are markup elsewhere, or missing from the font",
        ),
        pytest.param(chart(title=""), id="no title"),
    ],
)
async def test_whatever_there_is_can_be_drawn_as_a_picture_and_for_a_page(drawn):
    png, svg = await draw(drawn, "png"), await draw(drawn, "svg")

    wide, high = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert 1000 < wide < 1400
    assert 300 < high < 3000
    assert b"</svg>" in svg
    assert (await draw(drawn, "png"), await draw(drawn, "svg")) == (png, svg)


async def test_no_data_is_drawn_as_such():
    svg = (await draw(chart(), "svg")).decode()
    whole = (await draw(chart(points=tuple(p for p in chart().points if p.known)), "svg")).decode()

    assert "no data" in svg
    assert "url(#h" in svg, "it is hatched, not only coloured"
    assert "no data" not in whole
    assert "url(#h" not in whole


async def test_numbers_of_marks_never_touch_each_other():
    """Every number has a circle of its own, a circle's width from all others."""
    from activities.drawing import BADGE
    from activities.scales import rows_for

    places = [3.0, 4.0, 5.0, 21.0, 22.0, 400.0]
    placed = list(zip(places, rows_for(places, BADGE), strict=True))

    for index, (x, lane) in enumerate(placed):
        assert all(other != lane or abs(x - there) >= BADGE for there, other in placed[:index])


async def test_text_is_set_within_the_picture_however_long():
    from activities.drawing import TEXT
    from activities.lettering import width, wrap

    lines = wrap("W" * 500 + " and more words" * 50, TEXT, 300, lines=3)

    assert len(lines) == 3
    assert all(width(line, TEXT) <= 300 for line in lines)
    assert lines[-1].endswith("…")


def test_the_chart_of_an_incident_joins_its_watches_and_marks_what_was_done():
    drawn = chart_of(restarted())

    assert drawn is not None
    assert len(drawn.points) == 46
    assert [point.good for point in drawn.points[:3]] == [False, False, True]
    assert drawn.threshold is None
    assert [(mark.at, mark.label) for mark in drawn.marks] == [
        (after(5), "on-call paged"),
        (after(41), "acknowledged by Dana Reyes"),
        (after(72), "Restart the Redis process redis-cache (helped)"),
        (after(746), "closed: recovered"),
    ]


def test_steps_of_earlier_ladders_are_marked_too():
    record = taken_over()
    record.past_steps = [
        record.ladder[0].model_copy(update={"started_at": after(60), "state": StepState.UNDONE})
    ]

    drawn = chart_of(record)

    assert drawn is not None
    assert drawn.unit == "s"
    assert drawn.threshold == 0.5
    assert "Scale the API from 3 to 5 replicas (undone)" in [mark.label for mark in drawn.marks]


def test_an_incident_without_watches_has_no_chart():
    assert chart_of(bare()) is None


def test_drawing_needs_no_home_and_is_imported_only_where_it_is_done():
    code = (
        "import asyncio, sys\n"
        "from activities.charts import chart_of, draw\n"
        "import activities.report\n"
        "from tests.records import restarted\n"
        "assert 'matplotlib' not in sys.modules\n"
        "print(len(asyncio.run(draw(chart_of(restarted()), 'png'))))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    # /proc takes no new folder, not even from root.
    homeless = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    homeless |= {
        "HOME": "/proc/1/none",
        "XDG_CONFIG_HOME": "/proc/1/none/c",
        "XDG_CACHE_HOME": "/proc/1/none/h",
    }

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env=homeless,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d{5,}\n", done.stdout)
