"""What a status page says, and what is made of one that cannot be read."""

import json
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.status_pages import PROVIDERS, StatusOf, StatusPages
from deploy.gameday.standins.faults import Fault, outage
from deploy.gameday.standins.status_pages import INCIDENT_IO, StatusPagesStandIn

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "fixtures/statuspage/statuspage-v2.schema.json").read_text()
)


@pytest.fixture
async def standing():
    async with StatusPagesStandIn() as pages:
        yield pages


@pytest.fixture
async def http():
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
def ask(standing, http):
    async def ask(provider, **options):
        pages = StatusPages(http, standing.urls(), **options)
        return await ActivityEnvironment().run(pages.status, StatusOf(provider=provider))

    return ask


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", ["operational", "major_outage", "under_maintenance"])
async def test_the_stand_in_answers_as_the_schema_says(standing, http, provider, status):
    if status != "operational":
        standing.report(provider, status, "It is broken")
    address = standing.urls()[provider]

    summary = (await http.get(f"{address}/api/v2/summary.json")).json()
    unresolved = await http.get(f"{address}/api/v2/incidents/unresolved.json")

    whole = {"$ref": "#/$defs/summary", "$defs": SCHEMA["$defs"]}
    Draft202012Validator(whole).validate(summary)
    assert unresolved.status_code == (404 if provider in INCIDENT_IO else 200)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("operational", "operational"),
        ("degraded_performance", "degraded"),
        ("partial_outage", "degraded"),
        ("major_outage", "outage"),
        ("under_maintenance", "maintenance"),
    ],
)
async def test_every_page_is_read_alike(standing, ask, provider, status, state):
    standing.report(provider, status, "" if status == "operational" else "Slow answers")

    seen = await ask(provider)

    assert (seen.provider, seen.state) == (provider, state)
    assert seen.url == standing.urls()[provider]
    assert ("reported: Slow answers (investigating)" in seen.said) is (status != "operational")


def page(*components, indicator="none", incidents=()):
    return {
        "page": {"id": "p", "name": "P", "url": "https://status.example.com", "updated_at": ""},
        "status": {"indicator": indicator, "description": "All Systems Operational"},
        "components": [{"id": n, "name": n, "status": s, **more} for n, s, more in components],
        "incidents": list(incidents),
    }


@pytest.fixture
async def served(page_server, http):
    async def served(body, provider="cloudflare", named=("Pages",)):
        url = await page_server(body)
        pages = StatusPages(http, {provider: url}, {provider: named}, seconds=2)
        return await ActivityEnvironment().run(pages.status, StatusOf(provider=provider))

    return served


@pytest.fixture
async def page_server():
    runners = []

    async def serve(body):
        app = web.Application()

        async def answer(_):
            return web.json_response(body)

        app.router.add_get("/api/v2/summary.json", answer)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("components", "state"),
    [
        pytest.param([], "unknown", id="no component at all, though the page says all is well"),
        pytest.param([("Workers", "operational", {})], "unknown", id="others, and none of ours"),
        pytest.param([("Pages", "operational", {})], "operational", id="ours is well"),
        pytest.param(
            [("Pages", "operational", {}), ("Ulaanbaatar", "partial_outage", {})],
            "operational",
            id="another's trouble is not ours",
        ),
        pytest.param([("Pages", "under_repair", {})], "unknown", id="a state of the future"),
        pytest.param([("Pages", "", {})], "unknown", id="no state"),
        pytest.param(
            [("Pages", "strange", {}), ("Cloudflare Pages", "full_outage", {})],
            "outage",
            id="the worst of ours decides",
        ),
        pytest.param(
            [("Pages", "operational", {"group": True})], "unknown", id="a group is no component"
        ),
        pytest.param(
            [("Homepages", "operational", {})], "unknown", id="a part of another word is no name"
        ),
    ],
)
async def test_named_components_decide_and_what_is_not_known_is_not_well(served, components, state):
    assert (await served(page(*components))).state == state


async def test_a_maintenance_that_is_only_planned_is_not_told(served):
    body = page(("Pages", "operational", {}))
    body["scheduled_maintenances"] = [
        {"name": "Next week", "status": "scheduled", "impact": "maintenance"},
        {"name": "Right now", "status": "in_progress", "impact": "maintenance"},
    ]

    said = (await served(body)).said

    assert "Right now" in said
    assert "Next week" not in said


async def test_what_a_page_says_is_bounded_and_without_credentials(served):
    incidents = [
        {"name": f"token=abcdef{n} " + "long " * 200, "status": "investigating"} for n in range(50)
    ]

    said = (await served(page(("Pages", "operational", {}), incidents=incidents))).said

    assert len(said) < 1000
    assert "abcdef" not in said
    assert "and 45 more" in said


async def test_a_page_that_cannot_be_read_is_an_error_and_never_well(standing, ask):
    standing.fail(outage(503, method="expo"))

    with pytest.raises(ApplicationError, match="the status page of expo answered 503") as failed:
        await ask("expo")

    assert not failed.value.non_retryable


async def test_a_page_that_has_moved_is_said_and_not_followed(standing, ask):
    headers = {"location": "http://169.254.169.254/"}
    standing.fail(Fault(kind="answer", method="anthropic", status=302, headers=headers))

    with pytest.raises(ApplicationError, match="has moved"):
        await ask("anthropic")


async def test_a_provider_without_an_address_is_not_configured(http):
    pages = StatusPages(http, {"upstash": ""})

    with pytest.raises(ApplicationError, match="RESPONDER_STATUS_PAGES__URLS__UPSTASH"):
        await ActivityEnvironment().run(pages.status, StatusOf(provider="upstash"))
