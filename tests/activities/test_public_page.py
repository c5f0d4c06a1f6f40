"""Our own status page: published once whatever is lost, kept up, left to people who touch it."""

import httpx
import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.public_page import PublicPage, Publish, Published, UpdatePublished
from deploy.gameday.standins.faults import dropped, hanging, outage
from deploy.gameday.standins.statuspage import StatuspageStandIn
from tests.activities.attempts import run

TOKEN = "a-token-that-is-never-said"
ORDER = Publish(key="APIDown-api-1/run-1", name="The API is down", body="We are working on it.")
NOTHING = Published()


@pytest.fixture
async def standing():
    async with StatuspageStandIn("page1", TOKEN, components=("api1",)) as page:
        yield page


@pytest.fixture
async def page(standing):
    async with httpx.AsyncClient(trust_env=False) as http:
        yield made(http, standing)


def made(http, standing, **other):
    given = {"page": "page1", "token": TOKEN, "components": ("api1",), "seconds": 0.5} | other
    token = SecretStr(given.pop("token"))
    return PublicPage(http, given.pop("page"), token, url=standing.url, **given)


def follow(status, body="It works again.", **more):
    return UpdatePublished(key=ORDER.key, status=status, body=body, **more)


def told(standing):
    return [
        (update["status"], update["body"]) for update in standing.incidents[0]["incident_updates"]
    ][::-1]


async def test_it_is_published_in_exactly_these_words_and_followed_to_its_end(standing, page):
    before = await run(page.publish_read, ORDER)
    done = await run(page.publish, ORDER, before)
    shown = dict(standing.components)
    await run(page.update, follow("monitoring"))
    await run(page.update, follow("resolved", "It is over."))

    assert before == NOTHING
    assert done.said == "published on the status page: “The API is down”"
    assert [each["name"] for each in standing.incidents] == ["The API is down"]
    assert told(standing) == [
        ("investigating", "We are working on it."),
        ("monitoring", "It works again."),
        ("resolved", "It is over."),
    ]
    assert (shown, standing.components) == ({"api1": "major_outage"}, {"api1": "operational"})


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(dropped(done=True, method="incidents"), id="the answer was lost"),
        pytest.param(outage(502, done=True, method="incidents"), id="502 after it was done"),
        pytest.param(hanging(2, done=True, method="incidents"), id="no answer in time"),
    ],
)
async def test_a_lost_answer_publishes_nothing_twice(standing, page, fault):
    standing.fail(fault)
    with pytest.raises(ApplicationError) as lost:
        await run(page.publish, ORDER, NOTHING)
    assert lost.value.type == "Ambiguous"

    done = await run(page.publish, ORDER, NOTHING, attempt=2)

    assert not done.changed
    assert len(standing.incidents) == 1


async def test_an_update_whose_answer_was_lost_is_not_said_twice(standing, page):
    await run(page.publish, ORDER, NOTHING)
    # The first call of these is the look, in the list of what is not resolved.
    standing.fail(dropped(done=True, method="incidents"))
    with pytest.raises(ApplicationError) as lost:
        await run(page.update, follow("monitoring"))
    assert lost.value.type == "Ambiguous"

    await run(page.update, follow("monitoring"), attempt=2)

    assert len(told(standing)) == 2


async def test_one_that_is_there_already_is_not_published_again(standing, page):
    await run(page.publish, ORDER, NOTHING)
    before = await run(page.publish_read, ORDER)
    assert before.id == standing.incidents[0]["id"]
    assert not (await run(page.publish, ORDER, before)).changed
    assert len(standing.incidents) == 1


async def test_another_incident_is_another(standing, page):
    await run(page.publish, ORDER, NOTHING)
    other = ORDER.model_copy(update={"key": "APIDown-api-1/run-2"})
    assert await run(page.publish_read, other) == NOTHING


@pytest.mark.parametrize("status", ["monitoring", "resolved"])
async def test_what_people_have_resolved_there_is_left_to_them(standing, page, status):
    await run(page.publish, ORDER, NOTHING)
    standing.resolve()
    with pytest.raises(ApplicationError) as left:
        await run(page.update, follow(status))
    assert left.value.type == "Gone"
    assert told(standing)[-1] == ("resolved", "By hand.")


async def test_what_was_taken_off_is_not_put_back(standing, page):
    await run(page.publish, ORDER, NOTHING)
    standing.incidents.clear()
    with pytest.raises(ApplicationError) as gone:
        await run(page.update, follow("resolved"))
    assert gone.value.type == "Gone"
    assert standing.incidents == []


async def test_what_comes_back_after_we_resolved_it_is_open_again(standing, page):
    await run(page.publish, ORDER, NOTHING)
    await run(page.update, follow("resolved", "It is over."))
    await run(page.update, follow("investigating", "It is back.", reopens=True))
    assert standing.incidents[0]["status"] == "investigating"
    assert len(standing.incidents) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"token": "other"}, "401: Could not authenticate", id="the token"),
        pytest.param({"page": "elsewhere"}, "404: Page not found", id="the page"),
        pytest.param({"components": ("none",)}, "422: no such component", id="a component"),
    ],
)
async def test_a_refusal_says_why_and_never_the_token(standing, wrong, said):
    async with httpx.AsyncClient(trust_env=False) as http:
        page = made(http, standing, **wrong)
        with pytest.raises(ApplicationError) as refused:
            await run(page.publish, ORDER, NOTHING)
    assert refused.value.type == "Refused"
    assert said in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert standing.incidents == []
