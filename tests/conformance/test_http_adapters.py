"""What every adapter that speaks HTTP agrees on."""

from __future__ import annotations

import json
import socket
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tests.conformance.capabilities import CAPABILITIES, SECONDS, SECRET, Capability
from tests.conformance.server import Act, answer, drop, endless, far_side, hang

RETRIED = {
    400: False,
    401: False,
    403: False,
    404: False,
    408: True,
    429: True,
    500: True,
    502: True,
    503: True,
    504: True,
}
MOST_SAID = 1_000
HTML = b"<html><body><h1>502 Bad Gateway</h1>" + b"<p>nginx</p>" * 500 + b"</body></html>"
LOUD = json.dumps(
    {
        "ok": False,
        "error": f"bad {SECRET}",
        "message": f"bad token {SECRET}",
        "errors": [SECRET],
        "response_metadata": {"messages": [f"header was Bearer {SECRET}"]},
    }
).encode()

every = pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda each: each.name)


async def failure(capability: Capability, url: str) -> ApplicationError:
    """Call once and give back how it failed, having looked for the secret everywhere."""
    async with capability.open(url) as call:

        async def attempt() -> None:
            await call()

        with pytest.raises(ApplicationError) as failed:
            await ActivityEnvironment().run(attempt)
    error = failed.value
    seen: BaseException | None = error
    while seen is not None:
        said = f"{seen} {seen!r} {seen.args} {''.join(getattr(seen, '__notes__', []))}"
        assert SECRET not in said
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert len(str(error)) < MOST_SAID
    return error


async def failure_after(capability: Capability, act: Act) -> ApplicationError:
    async with far_side(act) as far:
        return await failure(capability, far.url)


def lost(capability: Capability) -> str:
    return "Ambiguous" if capability.nature == "posts" else "Unavailable"


@every
@pytest.mark.parametrize(("status", "retried"), RETRIED.items())
async def test_a_status_is_worth_retrying_or_not(
    capability: Capability, status: int, *, retried: bool
) -> None:
    error = await failure_after(capability, answer(status))
    assert retried is not error.non_retryable
    assert str(status) in str(error)


@every
async def test_too_many_requests_waits_as_asked_in_seconds(capability: Capability) -> None:
    error = await failure_after(capability, answer(429, headers={"retry-after": "7"}))
    assert error.type == "Throttled"
    assert error.next_retry_delay == timedelta(seconds=7)


@every
async def test_too_many_requests_waits_as_asked_by_date(capability: Capability) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    error = await failure_after(capability, answer(429, headers={"Retry-After": then}))
    assert error.next_retry_delay is not None
    assert timedelta(seconds=80) < error.next_retry_delay <= timedelta(seconds=90)


@every
async def test_too_many_requests_without_a_time_waits_as_documented(
    capability: Capability,
) -> None:
    error = await failure_after(capability, answer(429, b""))
    assert error.type == "Throttled"
    assert error.next_retry_delay == capability.waits


@every
async def test_a_far_side_cannot_make_us_wait_for_a_day(capability: Capability) -> None:
    error = await failure_after(capability, answer(429, headers={"retry-after": "86400"}))
    assert error.next_retry_delay == timedelta(minutes=15)


@every
async def test_a_refused_connection_did_nothing(capability: Capability) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port, and nobody answers on it.
        taken.bind(("127.0.0.1", 0))
        error = await failure(capability, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert error.type == "Unavailable"
    assert not error.non_retryable


@every
async def test_a_connection_dropped_after_reading_may_have_done_it(capability: Capability) -> None:
    error = await failure_after(capability, drop)
    assert error.type == lost(capability)
    assert not error.non_retryable


@every
async def test_silence_ends_in_time_and_is_no_refusal(capability: Capability) -> None:
    began = time.monotonic()
    error = await failure_after(capability, hang)
    assert time.monotonic() - began < 10 * SECONDS
    assert error.type == lost(capability)
    assert not error.non_retryable


@every
@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/plain", "application/json"])
async def test_a_page_of_html_is_neither_success_nor_crash(
    capability: Capability, status: int, kind: str
) -> None:
    error = await failure_after(capability, answer(status, HTML, kind=kind))
    assert not error.non_retryable
    assert "nginx" not in str(error)


@every
@pytest.mark.parametrize("body", [b"[]", b"[1]", b"null", b'"ok"', b"7", b"", b"\xff\xfe{}"])
async def test_json_of_another_shape_is_neither_success_nor_crash(
    capability: Capability, body: bytes
) -> None:
    if capability.lists and body == b"[]":
        pytest.skip("an empty list is an answer there")
    error = await failure_after(capability, answer(200, body))
    assert not error.non_retryable


@every
@pytest.mark.parametrize("status", [200, 500])
async def test_an_endless_answer_is_not_read_to_its_end(
    capability: Capability, status: int
) -> None:
    sent: list[int] = []
    most = 256 * 1024 * 1024
    error = await failure_after(capability, endless(status, most, sent.append))
    assert sum(sent) < most / 4
    assert not error.non_retryable


@every
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
async def test_a_far_side_that_repeats_our_secret_is_not_quoted(
    capability: Capability, status: int
) -> None:
    # `failure` looks for the secret.
    await failure_after(capability, answer(status, LOUD))


@every
async def test_one_attempt_is_one_request(capability: Capability) -> None:
    async with far_side(drop) as far:
        await failure(capability, far.url)
        assert len(far.requests) == 1
