"""The ways of users, walked against a small platform that a maintenance page may stand before."""

import asyncio

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.synthetic import CheckFlows, Flow, Flows
from workers.looks import guarded

PASSWORD = "hunter2-of-the-synthetic-user"
BYPASS = {"X-Bypass": SecretStr("let-me-through-please")}
FLOWS = (
    Flow("login", "/login", "POST", text="token", body=SecretStr(f'{{"password":"{PASSWORD}"}}')),
    Flow("dashboard", "/dashboard", text="Welcome"),
    Flow("subscriptions", "/subscriptions", status=302),
)


class Platform:
    def __init__(self):
        self.maintenance = False
        self.broken = {}
        self.bodies = []
        self.url = ""

    async def answer(self, request):
        self.bodies.append(await request.text())
        if self.maintenance and request.headers.get("X-Bypass") != "let-me-through-please":
            return web.Response(status=503, text="Back soon")
        if request.path in self.broken:
            return await self.broken[request.path](request)
        answers = {"/login": (200, '{"token": 1}'), "/dashboard": (200, "Welcome, Sam")}
        status, text = answers.get(request.path, (302, ""))
        headers = {"location": "https://elsewhere.example.com"} if status == 302 else {}
        return web.Response(status=status, text=text, headers=headers)


@pytest.fixture
async def platform():
    standing = Platform()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", standing.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    standing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield standing
    await runner.cleanup()


@pytest.fixture
async def flows(platform):
    async with httpx.AsyncClient() as http:
        yield Flows(http, platform.url, FLOWS, bypass=BYPASS, seconds=0.5)


async def check(flows, **ask):
    return await ActivityEnvironment().run(flows.check, CheckFlows(**ask))


async def test_every_flow_is_walked_once_and_works(flows, platform):
    seen = await check(flows)

    assert [each.name for each in seen.flows] == ["login", "dashboard", "subscriptions"]
    assert seen.good, seen.complaints
    assert sorted(platform.bodies) == ["", "", f'{{"password":"{PASSWORD}"}}']


async def test_a_redirection_is_an_answer_and_is_not_followed(flows):
    assert (await check(flows, names=("subscriptions",))).good


async def broken(_):
    return web.Response(status=500, text=PASSWORD)


async def changed(_):
    return web.Response(text="an empty page")


async def silent(_):
    await asyncio.sleep(3)
    return web.Response()


async def gone(request):
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param(broken, "dashboard: answers 500 instead of 200", id="another status"),
        pytest.param(changed, "dashboard: answers 200, but without 'Welcome'", id="another text"),
        pytest.param(silent, "did not answer within 0.5 s", id="silence is no success"),
        pytest.param(gone, "cannot be reached", id="a lost connection is no success"),
    ],
)
async def test_one_that_fails_is_named_and_the_others_are_walked_all_the_same(
    flows, platform, how, said
):
    platform.broken["/dashboard"] = how

    seen = await check(flows)

    [complaint] = seen.complaints
    assert said in complaint
    assert [each.good for each in seen.flows] == [True, False, True]
    assert PASSWORD not in seen.model_dump_json()


async def test_the_maintenance_page_is_walked_past_and_seen_only_as_a_user(flows, platform):
    platform.maintenance = True

    assert (await check(flows)).good
    assert not (await check(flows, as_user=True)).good
    assert (await flows.sample()).good is True
    assert (await flows.sample_as_user()).good is False


async def test_without_any_flow_nothing_is_known():
    async with httpx.AsyncClient() as http:
        flows = Flows(http, "", ())
        with pytest.raises(ApplicationError, match="RESPONDER_FLOWS__FLOWS"):
            await check(flows)
        sample = await guarded("flows.all", flows.sample)

    assert sample.good is None


async def test_a_flow_that_does_not_exist_is_refused(flows):
    with pytest.raises(ApplicationError, match="no flow is called checkout") as refused:
        await check(flows, names=("checkout",))

    assert refused.value.non_retryable
