"""Pods listed, scaled, restarted and switched, each exactly as ordered and once."""

import asyncio
import copy
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.processes import App, Replicas, RollingRestart, Scale
from activities.supervised import Running
from activities.switches import SetSwitches, Switch, SwitchValues
from deploy.gameday.standins.faults import Fault, dropped, hanging, outage
from deploy.gameday.standins.kubernetes import READER
from tests.activities.attempts import run
from tests.activities.clusters import APP, platform

AT = datetime(2026, 11, 23, 3, 0, 7, 123456, tzinfo=UTC)
RESTART = RollingRestart(app=APP, requested_at=AT)
ROUTING = SetSwitches(app=APP, values={Switch.LLM_ROUTING: "forcedProvider:anthropic"})
BEFORE = SwitchValues(values={Switch.LLM_ROUTING: None})
NONE = Running(instances=())


@pytest.fixture
async def api(tmp_path):
    async with platform(tmp_path) as api:
        yield api


@pytest.fixture
async def ours(api):
    async with api.adapters() as adapters:
        yield adapters


async def refused(*call, kind="Refused", match=".", attempt=1):
    with pytest.raises(ApplicationError, match=match) as error:
        await run(*call, attempt=attempt)
    assert error.value.type == kind
    return error.value


def autoscaler(api):
    api.cluster.autoscalers.append(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "api"},
            "spec": {
                "minReplicas": 2,
                "maxReplicas": 10,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
            },
        }
    )


async def test_pods_are_listed_as_instances_with_their_switches(api, ours):
    api.deploy("registry/api:1", env=[{"name": "LLM_ROUTING_STRATEGY", "value": "cheapest"},
                                      {"name": "API_KEY", "value": "a-secret"}])  # fmt: skip
    api.cluster.crash(sorted(api.cluster.pods)[1])

    seen = await run(ours.processes.processes, App(app=APP))

    assert [each.status for each in seen.instances] == ["online", "errored"]
    assert (seen.online, seen.on_cluster) == (1, True)
    assert seen.instances[0].pid != seen.instances[1].pid == 0
    assert seen.instances[1].restarts == 5
    assert seen.environment == {"LLM_ROUTING_STRATEGY": "cheapest"}
    assert "a-secret" not in seen.model_dump_json()
    assert any("BackOff: Back-off restarting failed container" in note for note in seen.notes)


async def test_who_else_has_a_say_is_said(api, ours):
    autoscaler(api)
    api.deployment["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"
    api.deployment["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "api"

    notes = (await run(ours.processes.processes, App(app=APP))).notes

    assert "an autoscaler sets the number of pods, from 2 to 10" in notes
    assert len(notes) == 3
    assert any(note.startswith("Argo CD keeps this Deployment") for note in notes)
    assert any(note.startswith("Flux keeps this Deployment") for note in notes)


async def test_a_tool_is_known_by_the_fields_that_it_wrote(api, ours):
    written = {"manager": "argocd-controller", "operation": "Update", "apiVersion": "apps/v1"}
    api.deployment["metadata"]["managedFields"] = [written]

    assert "Argo CD keeps" in (await run(ours.processes.processes, App(app=APP))).notes[0]


async def test_a_pod_of_somebody_else_with_the_same_labels_is_none_of_ours(api, ours):
    pod = copy.deepcopy(api.cluster.pods[min(api.cluster.pods)])
    pod["metadata"]["name"] = "a-job"
    pod["metadata"]["ownerReferences"][0] |= {"kind": "Job", "name": "pravado-api-report"}
    api.cluster.pods["a-job"] = pod

    assert len((await run(ours.processes.processes, App(app=APP))).instances) == 2


async def test_more_pods_are_there_and_fewer_again(api, ours):
    api.cluster.pod_seconds = 0.1
    order = Scale(app=APP, replicas=5, most=12)

    before = await run(ours.processes.scale_read, order)
    assert api.server.changes == [], "the order was tried, and nothing was changed"
    done = await run(ours.processes.scale, order, before)
    assert (before.count, done.changed) == (2, True)
    assert done.said == "pravado-api scaled from 2 to 5"
    assert api.deployment["status"]["availableReplicas"] == 5

    undone = await run(ours.processes.scale_undo, order, before)
    assert undone.said == "pravado-api scaled from 5 to 2"
    assert api.deployment["spec"]["replicas"] == 2


async def test_it_never_scales_down_and_never_over_the_most(api, ours):
    api.change(replicas=8)

    down = Scale(app=APP, replicas=5, most=12)
    same = await run(ours.processes.scale, down, await run(ours.processes.scale_read, down))
    over = Scale(app=APP, replicas=20, most=9)
    await run(ours.processes.scale, over, await run(ours.processes.scale_read, over))

    assert not same.changed
    assert api.deployment["spec"]["replicas"] == 9


async def test_a_number_that_somebody_else_set_is_left(api, ours):
    order = Scale(app=APP, replicas=5, most=12)
    api.change(replicas=3)

    await refused(ours.processes.scale, order, Replicas(count=2), match="3 pods now, not 2")
    await refused(
        ours.processes.scale_undo, order, Replicas(count=2), match="3 pods now, not 5"
    )  # fmt: skip
    assert api.deployment["spec"]["replicas"] == 3


async def test_an_attempt_after_a_crash_scales_no_further(api, ours):
    order, before = Scale(app=APP, replicas=5, most=12), Replicas(count=2)
    await run(ours.processes.scale, order, before)
    changes = len(api.server.changes)

    again = await run(ours.processes.scale, order, before, attempt=2)

    assert len(api.server.changes) == changes == 1
    assert again.changed


async def test_a_status_that_moves_meanwhile_is_read_again(api, ours):
    body = '{"kind":"Status","apiVersion":"v1","metadata":{},"message":"modified","code":409}'
    headers = {"content-type": "application/json"}
    stale = Fault(kind="answer", method="scale", status=409, body=body, headers=headers)
    # The first is the reading of the number, the second the patch.
    api.server.fail(hanging(0.01, method="scale"), stale)

    done = await run(ours.processes.scale, Scale(app=APP, replicas=3, most=9), Replicas(count=2))

    assert done.changed
    assert api.deployment["spec"]["replicas"] == 3


async def test_an_autoscaler_is_not_fought(api, ours):
    autoscaler(api)

    await refused(
        ours.processes.scale_read, Scale(app=APP, replicas=5, most=12), match="raise its minimum"
    )


async def test_every_pod_begins_anew_once(api, ours):
    api.cluster.pod_seconds = 0.1
    old = set(api.cluster.pods)

    before = await run(ours.processes.rolling_restart_read, RESTART)
    assert api.server.changes == []
    done = await run(ours.processes.rolling_restart, RESTART, before)

    assert not old & set(api.cluster.pods)
    annotations = api.deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-11-23T03:00:07Z"}
    assert "restarted all 2 pods" in done.said
    assert f"last line: I am {min(old)}" in done.said
    assert done.changed


async def test_an_attempt_after_a_crash_waits_for_the_restart_of_the_one_before(api, ours):
    await run(ours.processes.rolling_restart, RESTART, NONE)
    pods = set(api.cluster.pods)

    again = await run(ours.processes.rolling_restart, RESTART, NONE, attempt=2)

    assert set(api.cluster.pods) == pods
    assert len(api.server.changes) == 1
    assert again.changed


async def test_a_later_order_restarts_again(api, ours):
    await run(ours.processes.rolling_restart, RESTART, NONE)
    later = RollingRestart(app=APP, requested_at=AT + timedelta(minutes=30))

    await run(ours.processes.rolling_restart, later, NONE)

    assert len(api.server.changes) == 2


async def test_nothing_is_restarted_while_a_rollout_runs_or_is_paused(api, ours):
    api.cluster.pod_seconds = 60
    api.deploy("registry/api:2")
    await refused(ours.processes.rolling_restart_read, RESTART, match="a rollout of .* is under")
    await refused(ours.processes.rolling_restart, RESTART, NONE, match="is under way")

    api.cluster.pod_seconds = 0
    api.change(paused=True)
    await refused(ours.processes.rolling_restart, RESTART, NONE, match="paused by somebody")
    assert api.server.changes == []


async def test_an_order_that_the_controller_does_not_see_is_not_done(api, ours):
    api.cluster.asleep = True

    await refused(
        ours.processes.scale, Scale(app=APP, replicas=3, most=9), Replicas(count=2),
        kind="Unwell", match="the order is not seen yet",
    )  # fmt: skip


async def test_a_rollout_past_its_deadline_is_said_with_what_the_cluster_warns_of(api, ours):
    api.cluster.deadline_seconds = 0.2
    api.cluster.broken_images.add("registry/api:1")

    error = await refused(
        ours.processes.rolling_restart, RESTART, NONE, kind="Unwell", match="no progress within"
    )

    assert 'Failed to pull image "registry/api:1"' in str(error)


async def test_a_switch_is_a_variable_and_is_taken_away_again(api, ours):
    before = await run(ours.switches.set_read, ROUTING)
    assert (before, api.server.changes) == (BEFORE, [])

    done = await run(ours.switches.set, ROUTING, before)
    assert api.environment == {"LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
    assert done.said == "set: LLM routing = forcedProvider:anthropic"

    undone = await run(ours.switches.set_undo, ROUTING, before)
    assert api.environment == {}
    assert undone.said == "set: LLM routing = not set"


async def test_switches_that_are_set_keep_the_other_variables(api, ours):
    api.deploy("registry/api:1", env=[{"name": "LLM_ROUTING_STRATEGY", "value": "cheapest"},
                                      {"name": "PORT", "value": "80"}])  # fmt: skip
    before = await run(ours.switches.set_read, ROUTING)

    await run(ours.switches.set, ROUTING, before)
    assert api.environment == {"LLM_ROUTING_STRATEGY": "forcedProvider:anthropic", "PORT": "80"}
    await run(ours.switches.set_undo, ROUTING, before)
    assert api.environment == {"LLM_ROUTING_STRATEGY": "cheapest", "PORT": "80"}


async def test_an_attempt_after_a_crash_sets_nothing_again(api, ours):
    await run(ours.switches.set, ROUTING, BEFORE)

    again = await run(ours.switches.set, ROUTING, BEFORE, attempt=2)

    assert len(api.server.changes) == 1
    assert again.changed


async def test_a_switch_that_somebody_changed_is_left(api, ours):
    api.deploy("registry/api:1", env=[{"name": "LLM_ROUTING_STRATEGY", "value": "fastest"}])

    for change in (ours.switches.set, ours.switches.set_undo):
        await refused(change, ROUTING, BEFORE, match="fastest and was .*somebody changed it")
    assert api.environment == {"LLM_ROUTING_STRATEGY": "fastest"}


async def test_a_switch_from_elsewhere_is_not_set_here(api, ours):
    source = {"configMapKeyRef": {"name": "settings", "key": "routing"}}
    api.deploy("registry/api:1", env=[{"name": "LLM_ROUTING_STRATEGY", "valueFrom": source}])

    await refused(ours.switches.set_read, ROUTING, match="Secret or a ConfigMap")


async def test_which_of_several_containers_is_meant_must_be_said(api):
    template = api.deployment["spec"]["template"]
    two = [*template["spec"]["containers"], {"name": "proxy", "image": "proxy:1", "env": []}]
    api.change(template={**template, "spec": {"containers": two}})

    async with api.adapters() as ours:
        await refused(ours.switches.set_read, ROUTING, match=r"api, proxy.*CONTAINER")
    async with api.adapters(container="api") as ours:
        await run(ours.switches.set, ROUTING, await run(ours.switches.set_read, ROUTING))

    names = api.deployment["spec"]["template"]["spec"]["containers"]
    assert ["env" in each for each in names] == [True, False]


async def test_a_lost_answer_is_looked_after_by_the_next_attempt(api, ours):
    order, before = Scale(app=APP, replicas=3, most=9), Replicas(count=2)
    # The first is the reading of the number, the second the patch.
    api.server.fail(hanging(0.01, method="scale"), dropped(done=True, method="scale"))

    await refused(ours.processes.scale, order, before, kind="Unavailable")
    await run(ours.processes.scale, order, before, attempt=2)

    assert len(api.server.changes) == 1
    assert api.deployment["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param("wrong-token-of-ours", "answered 401: Unauthorized", id="not known"),
        pytest.param(READER, "answered 403: .* cannot patch", id="may only read"),
    ],
)
async def test_what_is_not_allowed_is_found_out_before_anybody_is_asked(api, token, said):
    async with api.adapters(token=token) as ours:
        error = await refused(
            ours.processes.scale_read, Scale(app=APP, replicas=3, most=9), match=said
        )

    assert token not in str(error)
    assert error.non_retryable


async def test_another_application_is_refused(ours):
    await refused(ours.processes.processes, App(app="other"), match="not the Deployment")


async def test_a_deployment_that_is_not_there_is_refused(api):
    async with api.adapters(app="other") as ours:
        await refused(ours.processes.processes, App(app="other"), match="404")


async def test_an_api_server_that_is_down_is_asked_again_while_a_rollout_is_watched(api, ours):
    api.cluster.pod_seconds = 0.2
    api.server.fail(outage(503, method="deployments", times=0))
    task = asyncio.ensure_future(
        run(ours.processes.scale, Scale(app=APP, replicas=3, most=9), Replicas(count=2))
    )
    await asyncio.sleep(0.1)
    api.server.fail(outage(502, times=2))

    assert (await task).changed
