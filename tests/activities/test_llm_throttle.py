"""Organizations are slowed down once, only as they were read, and put back only where ours."""

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from activities.changes import Targets
from activities.errors import Refused, Unavailable
from activities.llm_throttle import LlmThrottle, Throttle, Throttled
from deploy.gameday.llm_throttle import TOKEN
from deploy.gameday.llm_throttle import Throttle as Endpoint
from deploy.gameday.standins.faults import dropped, outage
from deploy.gameday.standins.server import StandIn
from tests.activities.attempts import run

PATH = "/internal/llm/throttle"
WILD = Throttle(organizations={"7": 6, "12": 3})


class Platform(StandIn):
    """The platform's endpoint as the game day's API serves it, with faults."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.endpoint = Endpoint(url)
        self.posts = 0

    def routes(self):
        return [Route(PATH, self._serve, methods=["GET", "POST"])]

    def method(self, path):
        return "throttle"

    async def _serve(self, request):
        self.posts += request.method == "POST"
        return await self.endpoint.serve(request)

    async def set(self, **rates):
        await self.endpoint._change({name.strip("_"): rate for name, rate in rates.items()})


@pytest.fixture
async def platform(valkey, client):
    async with Platform(valkey.url) as standing:
        yield standing
    await standing.endpoint.close()


@pytest.fixture
async def throttle(platform):
    async with httpx.AsyncClient() as http:
        yield LlmThrottle(
            http, f"{platform.url}{PATH}", SecretStr(TOKEN), targets=Targets(), seconds=1.0
        )


async def test_organizations_are_slowed_down_and_let_go_again(platform, throttle):
    await platform.set(_12=30)
    before = await run(throttle.throttle_read, WILD)
    assert before == Throttled(organizations={"7": None, "12": 30})

    done = await run(throttle.throttle, WILD, before)
    assert await platform.endpoint.rates() == {"7": 6, "12": 3}
    assert done.changed
    assert "organization 7 at 6 requests a minute" in done.said

    undone = await run(throttle.throttle_undo, WILD, before)
    assert await platform.endpoint.rates() == {"12": 30}
    assert "organization 7 at no limit of its own" in undone.said


async def test_what_stands_already_is_not_posted_again(platform, throttle):
    await platform.set(_7=6, _12=3)
    before = await run(throttle.throttle_read, WILD)

    done = await run(throttle.throttle, WILD, before)

    assert (platform.posts, done.changed) == (0, False)


async def test_a_lost_answer_is_tried_again_and_done_once(platform, throttle):
    before = await run(throttle.throttle_read, WILD)
    real = platform.endpoint.serve

    async def lose(request):
        if request.method == "POST":
            platform.fail(dropped(done=True))  # of what comes next: the reading back
        return await real(request)

    platform.endpoint.serve = lose
    with pytest.raises(Unavailable):
        await run(throttle.throttle, WILD, before)
    platform.endpoint.serve = real
    platform.faults.clear()

    done = await run(throttle.throttle, WILD, before, attempt=2)

    assert (platform.posts, done.changed) == (1, True)


async def test_what_somebody_changed_is_left_alone(platform, throttle):
    before = await run(throttle.throttle_read, WILD)
    await platform.set(_7=100)
    with pytest.raises(Refused, match="organization 7 is at 100 requests a minute and was at no"):
        await run(throttle.throttle, WILD, before)

    await platform.set(_7=6, _12=3)
    await platform.set(_12=50)
    with pytest.raises(Refused, match="organization 12 is at 50"):
        await run(throttle.throttle_undo, WILD, before)
    assert await platform.endpoint.rates() == {"7": 6, "12": 50}


async def test_a_wrong_token_is_refused_and_not_quoted(platform):
    async with httpx.AsyncClient() as http:
        secret = SecretStr("not-the-token-0123456789")
        stranger = LlmThrottle(http, f"{platform.url}{PATH}", secret, targets=Targets())
        with pytest.raises(Refused, match="401") as refused:
            await run(stranger.throttle_read, WILD)
    assert "not-the-token" not in str(refused.value)


async def test_an_endpoint_that_is_down_is_tried_again(platform, throttle):
    platform.fail(outage(502))
    with pytest.raises(ApplicationError) as failed:
        await run(throttle.throttle_read, WILD)
    assert not failed.value.non_retryable


@pytest.mark.parametrize(
    "organizations",
    [
        pytest.param({}, id="nobody"),
        pytest.param({"a b": 1}, id="no id"),
        pytest.param({"7": -1}, id="fewer than none"),
        pytest.param({str(n): 1 for n in range(11)}, id="too many to be read at a glance"),
    ],
)
def test_what_is_not_a_short_list_of_names_and_rates_is_no_order(organizations):
    with pytest.raises(ValidationError):
        Throttle(organizations=organizations)


async def test_the_platform_slows_down_whom_it_was_told_to(platform):
    await platform.set(_7=6)

    assert [await platform.endpoint.lets("7") for _ in range(3)].count(True) <= 2
    assert all([await platform.endpoint.lets("8") for _ in range(9)])
