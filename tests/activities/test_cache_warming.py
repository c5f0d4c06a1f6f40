"""What is sent to the platform's endpoint, and what its answers mean, over real HTTP."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from activities.cache_warming import CacheWarming, WarmUp, WarmUpBefore
from activities.errors import Refused, Throttled, Unavailable, Unwell
from activities.web import Web
from tests.activities.attempts import run
from tests.conformance.server import FarSide, answer, drop, far_side

TOKEN = "a-token-of-the-platform"
ORDER = WarmUp(requested_at=datetime(2026, 11, 23, 3, 0, tzinfo=UTC), keys_a_second=20)


async def warm(far: FarSide, order: WarmUp = ORDER, attempt: int = 1):
    async with httpx.AsyncClient(trust_env=False) as http:
        web = Web(http, "the warm-up", secrets=(TOKEN,), seconds=2)
        warming = CacheWarming(web, f"{far.url}/internal/cache/warmup", SecretStr(TOKEN))
        return await run(warming.warm_up, order, WarmUpBefore(), attempt=attempt)


def sent(request: bytes) -> tuple[str, dict[str, str], dict[str, object]]:
    head, body = request.decode().split("\r\n\r\n", 1)
    first, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return first, headers, json.loads(body)


async def test_the_order_goes_out_with_token_key_and_pace():
    async with far_side(answer(200, b'{"warmed": 40}')) as far:
        done = await warm(far)

    [request] = far.requests
    first, headers, body = sent(request)
    assert first == "POST /internal/cache/warmup HTTP/1.1"
    assert headers["authorization"] == f"bearer {TOKEN}"
    assert headers["idempotency-key"].endswith("2026-11-23t03:00:00+00:00")
    assert body == {"keys_per_second": 20}
    assert (done.said, done.changed) == ("the cache was warmed: 40 keys", True)


async def test_an_attempt_after_a_lost_answer_is_the_same_order_and_a_later_order_another():
    async with far_side(drop) as far:
        for attempt in (1, 2):
            with pytest.raises(Unavailable):
                await warm(far, attempt=attempt)
        with pytest.raises(Unavailable):
            await warm(far, ORDER.model_copy(update={"requested_at": datetime.now(UTC)}))

    first, second, other = (sent(each)[1]["idempotency-key"] for each in far.requests)
    assert first == second != other


@pytest.mark.parametrize(
    ("status", "body", "attempt", "said", "changed"),
    [
        pytest.param(202, b'{"warmed": 3}', 1, "is being warmed: 3 keys", True, id="under way"),
        pytest.param(202, b'{"warmed": 0}', 1, "is being warmed", True, id="just begun"),
        pytest.param(200, b'{"warmed": 0}', 1, "was warmed: 0 keys", False, id="nothing to do"),
        pytest.param(
            200, b'{"warmed": 0}', 2, "was warmed", True, id="an attempt before may have done it"
        ),
    ],
)
async def test_what_an_answer_says(status, body, attempt, said, *, changed):
    async with far_side(answer(status, body)) as far:
        done = await warm(far, attempt=attempt)

    assert said in done.said
    assert done.changed is changed


@pytest.mark.parametrize(
    ("status", "body", "attempt", "error"),
    [
        pytest.param(200, b'{"keys": 1}', 1, Unavailable, id="it does not say how many"),
        pytest.param(200, b'{"warmed": -1}', 1, Unavailable, id="fewer than none"),
        pytest.param(429, b"{}", 1, Throttled, id="too often"),
        pytest.param(403, b"{}", 1, Refused, id="not for us: nothing was done"),
        pytest.param(403, b"{}", 2, Unwell, id="not for us any more: done, perhaps"),
    ],
)
async def test_what_is_no_success(status, body, attempt, error):
    async with far_side(answer(status, body)) as far:
        with pytest.raises(error):
            await warm(far, attempt=attempt)
