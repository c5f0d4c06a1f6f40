import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError

from activities.errors import Refused, Throttled, Unavailable
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

TOKEN = "tok-hunter2-very-secret"
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


class Scripted:
    """Answers each request with the same bytes, and counts them."""

    def __init__(self, status: int, body: bytes, *headers: str, delay: float = 0.0) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
        self.head = "\r\n".join([*lines, *headers, "", ""]).encode()
        self.body = body
        self.delay = delay
        self.requests: list[str] = []
        self.over = asyncio.Event()
        self.open: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(asyncio.current_task())
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        try:
            writer.write(self.head)
            for start in range(0, len(self.body), max(1, len(self.body) // 8)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.over.wait(), self.delay)
                    return
                writer.write(self.body[start : start + max(1, len(self.body) // 8)])
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(scripted: Scripted, seconds: float = 5.0) -> AsyncIterator[PrometheusApi]:
    server = await asyncio.start_server(scripted.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api = PrometheusApi(f"http://127.0.0.1:{port}/", token=SecretStr(TOKEN), seconds=seconds)
    yield api
    api.close()
    server.close()
    scripted.over.set()
    await asyncio.gather(*scripted.open)


def failure(kind: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": f"no: {TOKEN}"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        pytest.param(400, failure("bad_data"), Refused, id="a wrong question"),
        pytest.param(422, failure("execution"), Refused, id="a question that is too much"),
        pytest.param(503, failure("timeout"), Unavailable, id="a query that took too long"),
        pytest.param(499, failure("canceled"), Unavailable, id="a query that was canceled"),
        pytest.param(500, failure("internal"), Unavailable, id="an internal error"),
        pytest.param(500, failure("unavailable"), Unavailable, id="storage that is not there"),
        pytest.param(503, b"Service Unavailable", Unavailable, id="words instead of JSON"),
        pytest.param(502, b"<html>bad gateway</html>", Unavailable, id="a proxy without a server"),
        pytest.param(401, TOKEN.encode(), Refused, id="a token that is wrong"),
        pytest.param(404, b"404 page not found", Refused, id="a path that is not there"),
        pytest.param(429, b"slow down", Throttled, id="a proxy that wants a pause"),
        pytest.param(200, b"<html>log in</html>", Refused, id="a login page"),
        pytest.param(200, b'{"status":"success"}', Refused, id="JSON of another kind"),
        pytest.param(200, b'["x"]', Refused, id="a list"),
    ],
)
async def test_answers_that_are_none_are_told_apart_and_asked_for_once(status, body, error):
    scripted = Scripted(status, body, "Retry-After: 7")
    async with serving(scripted) as api:
        with pytest.raises(error) as raised:
            await run(Prometheus(api).value, Query(expression="up"))

    assert len(scripted.requests) == 1, "the library's own retries are off"
    assert f"authorization: bearer {TOKEN}".lower() in scripted.requests[0].lower()
    assert TOKEN not in str(raised.value)
    if error is not Refused:
        assert raised.value.non_retryable is False
    if error is Throttled:
        assert raised.value.next_retry_delay == timedelta(seconds=7)


async def test_warnings_reach_the_reader():
    body = {
        "status": "success",
        "warnings": [f"store x is down {TOKEN}"],
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0.5"]}]},
    }
    async with serving(Scripted(200, json.dumps(body).encode())) as api:
        read = await run(Prometheus(api).value, Query(expression="up"))
        sample = await Prometheus(api).look(Below(expression="up", threshold=1))

    assert read.warnings == ("store x is down [redacted]",)
    assert "store x is down" in sample.note


async def test_an_answer_that_drips_is_given_up():
    begun = time.monotonic()
    async with serving(Scripted(200, b"x" * 80, delay=0.4), seconds=0.2) as api:
        with pytest.raises(Unavailable, match="did not answer within"):
            await run(Prometheus(api).value, Query(expression="up"))
    assert time.monotonic() - begun < 3


async def test_an_answer_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("activities.prometheus_api.MOST_BYTES", 1 << 20)
    async with serving(Scripted(200, b"x" * (3 << 20))) as api:
        with pytest.raises(Refused, match="larger than 1 MiB"):
            await run(Prometheus(api).value, Query(expression="up"))


async def test_an_answer_that_never_comes_blocks_nobody_else(prometheus):
    scripted = Scripted(200, b"x" * 8, delay=1.0)
    async with serving(scripted, seconds=0.2) as api:
        begun = time.monotonic()
        hung = asyncio.gather(*(api.instant("up") for _ in range(8)), return_exceptions=True)
        assert (await run(prometheus.value, Query(expression="vector(1)"))).value == 1
        assert time.monotonic() - begun < 1
        assert all(isinstance(each, Unavailable) for each in await hung)
