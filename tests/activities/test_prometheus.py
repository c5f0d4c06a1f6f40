import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from activities.expressions import selector
from activities.prometheus import (
    AlertState,
    Prometheus,
    Query,
    RangeQuery,
    SeriesQuery,
    spoken,
)
from activities.prometheus_api import PrometheusApi
from activities.verification import Answering, Below
from deploy.local import metrics
from tests.activities.attempts import run

WEIRD = 'a"b\\c\nd{e} é'
CONFIG = """
global: {evaluation_interval: 100ms}
rule_files: [rules.yml]
"""
RULES = {
    "groups": [
        {
            "name": "seen",
            "rules": [
                {"record": "weird", "expr": "vector(7)", "labels": {"path": WEIRD}},
                {"record": "load", "expr": "vector(3)", "labels": {"host": "a"}},
                {"record": "load", "expr": "vector(9)", "labels": {"host": "b"}},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
async def server(tmp_path_factory) -> AsyncIterator[metrics.Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    files = {"rules.yml": json.dumps(RULES)}
    async with metrics.Prometheus(folder, CONFIG, files=files) as started:
        asked = Prometheus(PrometheusApi(started.url))
        while (await run(asked.value, Query(expression="load"))).value is None:
            await asyncio.sleep(0.05)
        yield started


@pytest.fixture
async def prometheus(server) -> AsyncIterator[Prometheus]:
    api = PrometheusApi(server.url)
    yield Prometheus(api)
    api.close()


@pytest.mark.parametrize(
    ("expression", "value", "note"),
    [
        pytest.param("vector(0.3)", 0.3, "", id="one value"),
        pytest.param("vector(2)" + " + vector(1)" * 300, 302, "", id="a long expression"),
        pytest.param("0.3", 0.3, "", id="a scalar"),
        pytest.param("nothing_of_this_name", None, "no data", id="no series is no data"),
        pytest.param("vector(0)/0", None, "no data: not a number", id="NaN is no data"),
        pytest.param("vector(1)/0", None, "no data: not a number", id="infinity is no data"),
        pytest.param("load", 9, "the highest of 2 series", id="the highest of several"),
        pytest.param(selector("weird", {"path": WEIRD}), 7, "", id="a label with anything in it"),
    ],
)
async def test_a_value_is_read(prometheus, expression, value, note):
    read = await run(prometheus.value, Query(expression=expression))

    assert read.value == value
    assert read.note.startswith(note)
    assert abs((read.at - datetime.now(UTC)).total_seconds()) < 30


async def test_a_value_of_an_earlier_time_is_read(prometheus):
    then = datetime.now(UTC) - timedelta(hours=1)

    read = await run(prometheus.value, Query(expression="time()", at=then))

    assert read.value == pytest.approx(then.timestamp(), abs=0.01)
    assert (await run(prometheus.value, Query(expression="load", at=then))).value is None


async def test_series_come_highest_first_and_say_how_many_were_left_out(prometheus):
    read = await run(prometheus.series, SeriesQuery(expression="load or load / 0 * 0", most=1))

    assert [(each.labels["host"], each.value) for each in read.series] == [("b", 9)]
    assert read.truncated == 1


async def test_a_history_has_points_where_there_was_data(prometheus):
    end = datetime.now(UTC)
    ask = RangeQuery(
        expression="vector(time())", start=end - timedelta(minutes=5), end=end, step_seconds=60
    )

    read = await run(prometheus.history, ask)
    empty = await run(prometheus.history, ask.model_copy(update={"expression": "vector(0)/0"}))

    assert len(read.points) == 6
    assert all(point.value == point.at.timestamp() for point in read.points)
    assert (empty.points, empty.note[:7]) == ((), "no data")


def test_a_history_of_too_many_points_is_no_question():
    now = datetime.now(UTC)
    with pytest.raises(ValidationError, match="at most 500 points"):
        RangeQuery(expression="up", start=now - timedelta(days=1), end=now, step_seconds=1)


@pytest.mark.parametrize(
    ("expression", "labels", "holds"),
    [
        pytest.param("load > 5", {"host": "b", "alertname": "X", "environment": "live"}, True,
                     id="true for this host"),
        pytest.param("load > 5", {"host": "a"}, False, id="false for this host"),
        pytest.param("load > 5", {"host": "gone"}, None, id="a host that nobody measures now"),
        pytest.param("load > 5", {"severity": "critical"}, True, id="labels of the rule alone"),
        pytest.param("load > 50", {}, False, id="measured, and false"),
        pytest.param("load > 5 and load > 50", {"host": "b"}, False, id="a floor that is not met"),
        pytest.param("nothing_here > 5", {}, None, id="not measured is not fine"),
        pytest.param("absent(nothing_here)", {}, True, id="absent as ever"),
        pytest.param("absent(load)", {}, False, id="absent no more"),
    ],
)  # fmt: skip
async def test_whether_an_alert_s_own_expression_is_still_true(
    prometheus, expression, labels, holds
):
    answer = await run(prometheus.alert_state, AlertState(expression=expression, labels=labels))
    assert answer.holds is holds, answer.note


@pytest.mark.parametrize(
    ("condition", "good", "note"),
    [
        pytest.param(Below(expression="vector(0.31)", threshold=0.5, unit="s"), True,
                     "0.31 s, under 0.5 s", id="under is good"),
        pytest.param(Below(expression="vector(0.5)", threshold=0.5, unit="s"), False,
                     "0.5 s, not under 0.5 s", id="at the threshold is not"),
        pytest.param(Below(expression="vector(0.934)", threshold=0.9, unit="%"), False,
                     "93.4 %, not under 90 %", id="a share is said in per cent"),
        pytest.param(Below(expression="nothing_here", threshold=1), None, "no data",
                     id="no data is unknown"),
        pytest.param(Below(expression="vector(0)/0", threshold=1), None, "no data",
                     id="not a number is unknown"),
        pytest.param(Below(expression="vector(0)", threshold=1, traffic="vector(0.1)", floor=0.1),
                     None, "too little traffic to judge by (0.1/s)", id="traffic at its floor"),
        pytest.param(Below(expression="vector(0)", threshold=1, traffic="nothing_here"),
                     None, "too little traffic to judge by (unknown)", id="no traffic known"),
        pytest.param(Below(expression="vector(0)", threshold=1, traffic="vector(5)", floor=0.1),
                     True, "0, under 1", id="traffic enough"),
        pytest.param(Below(expression="load >", threshold=1), None, "could not be read: Prometheus",
                     id="an expression that is none"),
        pytest.param(Answering(checks=("redis",)), None, "Prometheus cannot tell",
                     id="a condition of another kind"),
    ],
)  # fmt: skip
async def test_a_look_tells_good_bad_and_unknown_apart(prometheus, condition, good, note):
    sample = await prometheus.look(condition)

    assert sample.good is good
    assert sample.note.startswith(note)


async def test_a_look_at_an_unreachable_prometheus_is_unknown():
    sample = await Prometheus(PrometheusApi("http://127.0.0.1:9")).look(
        Below(expression="up", threshold=1)
    )
    assert sample.good is None
    assert "cannot be reached" in sample.note


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(0.31, "s", "0.31 s"), (0.05, "%", "5 %"), (61.5, "$/h", "$61.50 an hour"), (3, "", "3")],
)
def test_values_are_spoken_with_their_units(value, unit, said):
    assert spoken(value, unit) == said
