import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pydantic import SecretStr

from activities.errors import Refused, Throttled, Unavailable
from activities.prometheus import (
    Prometheus,
    Query,
)
from activities.prometheus_api import PrometheusApi
from activities.verification import Below
from tests.activities.attempts import run

TOKEN = "tok-hunter2-very-secret"


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
        pytest.param(200, b"<html>log in</html>", Unavailable, id="a login page"),
        pytest.param(200, b'{"status":"success"}', Unavailable, id="JSON of another kind"),
        pytest.param(200, b'["x"]', Unavailable, id="a list"),
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
        with pytest.raises(Unavailable, match="larger than 1 MiB"):
            await run(Prometheus(api).value, Query(expression="up"))


async def test_an_answer_that_never_comes_blocks_nobody_else():
    begun = time.monotonic()
    async with serving(Scripted(200, b"x" * 8, delay=1.0), seconds=0.2) as hanging:
        hung = asyncio.gather(*(hanging.instant("up") for _ in range(8)), return_exceptions=True)
        body = {"data": {"resultType": "scalar", "result": [1, "1"]}, "status": "success"}
        async with serving(Scripted(200, json.dumps(body).encode())) as api:
            assert (await run(Prometheus(api).value, Query(expression="1"))).value == 1
        assert time.monotonic() - begun < 1
        assert all(isinstance(each, Unavailable) for each in await hung)


async def test_what_many_ask_at_the_same_time_is_asked_once():
    body = {"data": {"resultType": "scalar", "result": [1, "1"]}, "status": "success"}
    scripted = Scripted(200, json.dumps(body).encode(), delay=0.02)
    async with serving(scripted) as api:
        asking = [asyncio.create_task(api.instant("up")) for _ in range(40)]
        await asyncio.sleep(0)
        asking[0].cancel()  # who gives up takes it from nobody else
        answered = await asyncio.gather(*asking, return_exceptions=True)
        assert len(scripted.requests) == 1
        await api.instant("up")

    assert isinstance(answered[0], asyncio.CancelledError)
    assert all(each == answered[1] for each in answered[1:])
    assert len(scripted.requests) == 2
