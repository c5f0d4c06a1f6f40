"""Releases under Kubernetes: named by what lasts, gone back to once, and never fought over."""

from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError

from activities.kubernetes_releases import LEFT, MIGRATIONS
from activities.rollbacks import Rollback, RollbackBefore
from deploy.gameday.standins.faults import dropped, hanging
from tests.activities.attempts import run
from tests.activities.clusters import APP, platform

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
async def api(tmp_path):
    async with platform(tmp_path) as api:
        yield api


@pytest.fixture
async def ours(api):
    async with api.adapters() as adapters:
        yield adapters


@pytest.fixture
def good(api):
    return api.newest


@pytest.fixture
def bad(api, good):
    return api.deploy("registry/api:c0ffee1")


@pytest.fixture
def order(good, bad):
    return Rollback(app=APP, to=good, leaving=bad, requested_at=AT)


@pytest.fixture
def before(bad):
    return RollbackBefore(running=bad, instances=())


async def refused(*call, kind="Refused", match=".", attempt=1):
    with pytest.raises(ApplicationError, match=match) as error:
        await run(*call, attempt=attempt)
    assert error.value.type == kind


async def test_what_runs_and_what_can_be_gone_back_to_is_known(ours, good, bad):
    kept = await ours.releases.releases()

    assert (kept.running, kept.rolling) == (bad, "")
    assert set(kept.ready) == {good, bad}
    assert kept.left == ()


async def test_the_last_releases_are_told_with_what_they_changed(api, ours, good, bad):
    third = api.deploy("registry/api:3", env=[{"name": "A", "value": "b"}])
    api.cluster.sets[third]["metadata"]["annotations"][MIGRATIONS] = "true"

    told = (await ours.history.releases(5)).releases

    assert [each.name for each in told] == [third, bad, good]
    assert [each.environment_changed for each in told] == [True, False, None]
    assert [each.migrations for each in told] == [True, None, None], "not told is not no"
    assert [each.commit for each in told] == ["", "c0ffee1", ""]
    assert not any(each.under_way or each.left for each in told)
    assert len((await ours.history.releases(1)).releases) == 1


async def test_it_goes_back_to_the_named_release_and_remembers_which_was_left(
    api, ours, order, good, bad
):
    api.cluster.pod_seconds = 0.1

    before = await run(ours.releases.rollback_read, order)
    assert (before.running, api.server.changes) == (bad, [])
    done = await run(ours.releases.rollback, order, before)

    assert api.container["image"] == "registry/api:1"
    assert done.changed
    assert f"went back from {bad} to {good}" in done.said
    assert bad in api.deployment["metadata"]["annotations"][LEFT]
    kept = await ours.releases.releases()
    assert (kept.running, kept.ready, kept.left) == (good, (good,), (bad,))
    template = api.deployment["spec"]["template"]
    assert "pod-template-hash" not in template["metadata"]["labels"]


async def test_what_this_program_has_no_model_of_is_gone_back_to_as_well(api, ours, order, good):
    spec = api.cluster.sets[good]["spec"]["template"]["spec"]
    spec["fieldOfTheFuture"] = spec["containers"][0]["fieldOfTheFuture"] = "kept"

    await run(ours.releases.rollback, order, await run(ours.releases.rollback_read, order))

    wanted = api.deployment["spec"]["template"]["spec"]
    assert wanted["fieldOfTheFuture"] == api.container["fieldOfTheFuture"] == "kept"


async def test_an_attempt_after_a_crash_does_not_flip_back(api, ours, order, before, good):
    await run(ours.releases.rollback, order, before)

    again = await run(ours.releases.rollback, order, before, attempt=2)

    assert len(api.server.changes) == 1
    assert api.newest == good
    assert again.changed


async def test_a_lost_answer_is_looked_after_by_the_next_attempt(api, ours, order, before, good):
    # The first is the reading of the Deployment, the second the patch.
    api.server.fail(hanging(0.01, method="deployments"), dropped(done=True, method="deployments"))

    await refused(ours.releases.rollback, order, before, kind="Unavailable")
    await run(ours.releases.rollback, order, before, attempt=2)

    assert len(api.server.changes) == 1
    assert api.newest == good


async def test_an_attempt_after_a_crash_waits_where_the_controller_is_late(
    api, ours, order, before, good
):
    api.cluster.asleep = True
    await refused(ours.releases.rollback, order, before, kind="Unwell", match="not seen yet")
    api.cluster.asleep = False

    await run(ours.releases.rollback, order, before, attempt=2)

    assert len(api.server.changes) == 1
    assert api.newest == good


async def test_a_stuck_rollout_is_what_a_rollback_is_for(api, ours, good):
    api.cluster.broken_images.add("registry/api:broken")
    api.cluster.deadline_seconds = 0.05
    broken = api.deploy("registry/api:broken")
    order = Rollback(app=APP, to=good, leaving=broken, requested_at=AT)
    stuck = RollbackBefore(running=broken, instances=())

    await refused(ours.releases.rollback, order, stuck, match="while a rollout is under way")
    while (await ours.releases.releases()).rolling:
        pass
    # What is written of the failed rollout is not taken for the end of this one.
    api.cluster.stale_seconds = 0.1
    await run(ours.releases.rollback, order, await run(ours.releases.rollback_read, order))

    assert api.newest == good
    assert api.deployment["status"]["availableReplicas"] == 2


async def test_what_somebody_deployed_meanwhile_is_left_alone(api, ours, order, before):
    mended = api.deploy("registry/api:mended")

    await refused(ours.releases.rollback, order, before, match="somebody has deployed meanwhile")
    await refused(ours.releases.rollback_read, order, match="left to a person")
    await refused(ours.releases.rollback, order, before, kind="Unwell", attempt=2)

    assert (api.newest, api.server.changes) == (mended, [])


async def test_nothing_goes_back_while_the_rollouts_are_paused(api, ours, order, before):
    api.change(paused=True)

    await refused(ours.releases.rollback, order, before, match="paused by somebody")


async def test_a_release_that_is_gone_or_was_left_is_no_way_back(api, ours, order, before, good):
    gone = order.model_copy(update={"to": "pravado-api-gone"})
    await refused(ours.releases.rollback_read, gone, match="is not kept by the cluster any more")

    api.deployment["metadata"]["annotations"][LEFT] = f'["{good}"]'
    await refused(ours.releases.rollback, order, before, match="was rolled back from earlier")


@pytest.mark.parametrize("written", ["", "no JSON", '{"a": 1}', "7"])
async def test_an_annotation_that_somebody_else_wrote_is_no_trouble(api, ours, bad, written):
    api.deployment["metadata"]["annotations"][LEFT] = written

    assert (await ours.releases.releases()).left == ()
