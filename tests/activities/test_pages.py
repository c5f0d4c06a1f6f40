"""Cloudflare Pages over HTTP: what is live, and the way back that is safe to repeat."""

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.changes import Targets
from activities.cloudflare import CloudflareApi
from activities.pace import Pace
from activities.pages import BuildLog, Pages, PagesBefore, RollBackPages
from activities.pages_project import Project
from activities.words import Nothing
from deploy.gameday.standins.faults import dropped, outage, rate_limited
from deploy.gameday.standins.pages import ACCOUNT, PROJECT, TOKEN, PagesStandIn
from tests.activities.attempts import run

SPECS = Path(__file__).parents[1] / "fixtures/cloudflare"
DEPLOYMENT = json.loads((SPECS / "pages-deployment.schema.json").read_text())["schema"]
ERROR = json.loads((SPECS / "envelope.schema.json").read_text())["ErrorData"]
PACE = Pace(poll_seconds=0.02, ready_seconds=0.3)
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def cloudflare():
    async with PagesStandIn() as standing:
        yield standing


@pytest.fixture
async def http():
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
def made(cloudflare, http):
    def make(*, token=TOKEN, account=ACCOUNT, project=PROJECT):
        api = CloudflareApi(http, SecretStr(token), url=cloudflare.api_url, seconds=1.0)
        return Pages(Project(api, account, project), targets=Targets(), pace=PACE)

    return make


@pytest.fixture
def pages(made):
    return made()


@pytest.fixture
def bad(cloudflare):
    """A deployment that serves nothing is live."""
    return cloudflare.deploy("Break it", html="<html></html>")


@pytest.fixture
def back(cloudflare):
    """The way back: the newest good one."""
    return cloudflare.deployments[2]


async def test_the_stand_in_answers_as_cloudflare_documents(cloudflare, http):
    cloudflare.deploy("Does not build", stage="build", status="failure")
    project = f"{cloudflare.api_url}/accounts/{ACCOUNT}/pages/projects/{PROJECT}"

    listed = (await http.get(f"{project}/deployments", headers=AUTHORIZED)).json()
    whole = (await http.get(project, headers=AUTHORIZED)).json()["result"]
    refused = await http.get(project, headers={"authorization": "Bearer wrong"})

    shown = [*listed["result"], whole["canonical_deployment"], whole["latest_deployment"]]
    for each in shown:
        Draft202012Validator(DEPLOYMENT).validate(each)
    assert len(listed["result"]) == 5
    assert refused.status_code == 403
    for error in refused.json()["errors"]:
        Draft202012Validator(ERROR).validate(error)


async def test_what_went_to_production_is_listed_newest_first_with_what_is_live(
    pages, cloudflare, bad
):
    failed = cloudflare.deploy("Does not build", stage="build", status="failure")
    going = cloudflare.deploy("Under way", stage="build", status="active")

    seen = await run(pages.deployments, Nothing())

    assert seen.canonical == bad.id
    assert [each.id for each in seen.last[:3]] == [going.id, failed.id, bad.id]
    assert [each.state for each in seen.last] == [
        "on its way", "failed", "out", "out", "out", "out"
    ]  # fmt: skip
    assert not [each for each in seen.last if each.branch == "try"], "a preview is not production"
    assert seen.last[2].words == f"{bad.id[:8]} ({bad.commit[:8]}: Break it)"


async def test_other_variables_have_another_digest_and_no_value_is_told(pages, cloudflare):
    cloudflare.deploy("Another API", variables={"API_URL": "https://secret-place"})

    seen = await run(pages.deployments, Nothing())

    assert seen.last[0].variables != seen.last[1].variables == seen.last[2].variables
    assert "secret-place" not in seen.model_dump_json()


async def test_the_log_of_the_newest_build_is_read(pages, cloudflare):
    failed = cloudflare.deploy("Does not build", stage="build", status="failure")

    log = await run(pages.build_log, BuildLog())

    assert log.deployment == failed.id
    assert log.text.endswith("Error: the build has failed")
    assert (log.lines, log.left_out) == (3, 0)


async def test_a_rollback_remembers_what_was_live_and_can_be_taken_back(
    pages, cloudflare, bad, back
):
    order = RollBackPages(to=back.id)

    before = await run(pages.rollback_read, order)
    done = await run(pages.rollback, order, before)
    assert (before.canonical, cloudflare.canonical, done.changed) == (bad.id, back.id, True)

    undone = await run(pages.rollback_undo, order, before)
    assert (cloudflare.canonical, undone.changed) == (bad.id, True)


async def test_an_attempt_after_a_crash_sees_that_it_is_done_and_orders_nothing(
    pages, cloudflare, bad, back
):
    order, before = RollBackPages(to=back.id), PagesBefore(canonical=bad.id)
    await run(pages.rollback, order, before)

    again = await run(pages.rollback, order, before, attempt=2)

    assert cloudflare.rollbacks == [back.id]
    assert again.changed


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_a_lost_answer_is_looked_after_by_the_next_attempt(
    pages, cloudflare, bad, back, done
):
    order, before = RollBackPages(to=back.id), PagesBefore(canonical=bad.id)
    cloudflare.fail(dropped(done=done, method="rollback"))

    with pytest.raises(ApplicationError) as lost:
        await run(pages.rollback, order, before)
    await run(pages.rollback, order, before, attempt=2)

    assert (lost.value.type, lost.value.non_retryable) == ("Unavailable", False)
    assert cloudflare.rollbacks == [back.id]


async def test_a_deployment_of_somebody_meanwhile_is_left_alone(pages, cloudflare, bad, back):
    order, before = RollBackPages(to=back.id), PagesBefore(canonical=bad.id)
    mended = cloudflare.deploy("Mend it")

    for change in (pages.rollback, pages.rollback_undo):
        with pytest.raises(ApplicationError, match="somebody deployed meanwhile") as refused:
            await run(change, order, before)
        assert refused.value.type == "Refused"
    with pytest.raises(ApplicationError) as doubtful:
        await run(pages.rollback, order, before, attempt=2)

    assert doubtful.value.type == "Unwell", "after an attempt nobody can say that nothing happened"
    assert (cloudflare.canonical, cloudflare.rollbacks) == (mended.id, [])


async def test_nothing_is_rolled_back_while_a_deployment_is_on_its_way(
    pages, cloudflare, bad, back
):
    cloudflare.deploy("Mend it", stage="clone_repo", status="active")

    with pytest.raises(ApplicationError, match="is on its way"):
        await run(pages.rollback, RollBackPages(to=back.id), PagesBefore(canonical=bad.id))

    assert cloudflare.rollbacks == []


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"stage": "build", "status": "failure"}, id="one that did not build"),
        pytest.param({"environment": "preview"}, id="a preview"),
    ],
)
async def test_what_never_was_live_is_no_way_back(pages, cloudflare, bad, how):
    wrong = cloudflare.deploy("Wrong", **how)

    with pytest.raises(ApplicationError, match="it is no way back") as refused:
        await run(pages.rollback_read, RollBackPages(to=wrong.id))

    assert refused.value.type == "Refused"


async def test_an_order_that_is_taken_and_has_no_effect_is_said(pages, cloudflare, bad, back):
    cloudflare.stuck = True

    with pytest.raises(ApplicationError, match="took the order") as unwell:
        await run(pages.rollback, RollBackPages(to=back.id), PagesBefore(canonical=bad.id))

    assert unwell.value.type == "Unwell"
    assert cloudflare.rollbacks == [back.id]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"token": "other-token"}, "403: Authentication error", id="a wrong token"),
        pytest.param({"account": "other"}, "404: Could not route", id="a wrong account"),
        pytest.param({"project": "other"}, "404: Project not found", id="a wrong project"),
    ],
)
async def test_what_is_refused_is_said_and_not_tried_again(made, wrong, said):
    with pytest.raises(ApplicationError, match=said) as refused:
        await run(made(**wrong).deployments, Nothing())

    assert refused.value.non_retryable
    assert "other-token" not in str(refused.value)


async def test_a_limit_and_an_outage_are_waited_for(pages, cloudflare):
    cloudflare.fail(rate_limited(300, method="project"), outage(502, method="project"))

    with pytest.raises(ApplicationError) as throttled:
        await run(pages.deployments, Nothing())
    with pytest.raises(ApplicationError) as unavailable:
        await run(pages.deployments, Nothing())

    assert throttled.value.next_retry_delay == timedelta(minutes=5)
    assert unavailable.value.type == "Unavailable"
