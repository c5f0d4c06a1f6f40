import pytest

from activities.redis_findings import Finding
from activities.redis_pings import Pinged, Pings, insisting
from tests.activities.attempts import run

THRICE = Pings(times=3, every_seconds=0)
UP = Pinged(answered=True)
SILENT = Pinged(answered=False, finding=Finding.TIMEOUT, said="timed out")
REFUSED = Pinged(answered=False, finding=Finding.REFUSED, said="refused")
LOADING = Pinged(answered=False, finding=Finding.LOADING, said="loading")


@pytest.mark.parametrize(
    ("pongs", "answered", "finding", "failures"),
    [
        pytest.param([UP], True, Finding.NONE, 0, id="it answers at once: asked once"),
        pytest.param(
            [SILENT, REFUSED, REFUSED], False, Finding.REFUSED, 2, id="three failures: down"
        ),
        pytest.param([SILENT, SILENT, UP], True, Finding.NONE, 2, id="the third answers: not down"),
        pytest.param(
            [SILENT, LOADING], False, Finding.LOADING, 1, id="what a running one says is final"
        ),
        pytest.param([LOADING], False, Finding.LOADING, 0, id="a finding is not asked again"),
    ],
)
async def test_redis_is_down_only_after_several_failures_in_a_row(
    pongs, answered, finding, failures
):
    left = list(pongs)

    async def ping():
        return left.pop(0)

    async def asked():
        return await insisting(THRICE, ping)

    pong = await run(asked)

    assert not left, "each ping was made"
    assert (pong.answered, pong.finding, pong.failures) == (answered, finding, failures)


def test_an_order_of_an_earlier_release_asks_once():
    assert Pings.model_validate({}) == Pings(times=1)
