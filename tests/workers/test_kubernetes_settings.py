"""A platform under Kubernetes: which settings it needs, and who then answers for its instances."""

import copy
import inspect

import pytest
from pydantic import TypeAdapter

from activities.changes import READ, UNDO
from activities.processes import App
from activities.supervisor import CLUSTER
from deploy.gameday.standins.kubernetes import KubernetesStandIn
from tests.activities.attempts import run
from tests.activities.clusters import platform
from tests.procedures import slow_api
from workers.composition import compose
from workers.settings import Settings, SettingsWrong
from workflows.efforts import Queue
from workflows.procedures.base import activity_name


async def composed(settings):
    async with compose(settings) as composition:
        named = [activity_name(each) for all_ in composition.values() for each in all_]
        assert len(named) == len(set(named)), "an activity that two would answer"
        return composition, set(named)


async def test_the_same_activities_are_there_whoever_keeps_the_processes(tmp_path):
    async with KubernetesStandIn(tmp_path) as server:
        server.cluster.create("pravado-api", "registry/api:1")
        clustered = Settings(
            processes={"kind": "kubernetes"}, kubernetes={"kubeconfig": server.kubeconfig()}
        )
        _, plain = await composed(Settings())
        _, under = await composed(clustered)
        assert plain == under

        async with compose(clustered) as composition:
            [listing] = [
                each
                for each in composition[Queue.PROBES]
                if activity_name(each) == "processes.list"
            ]
            seen = await run(listing, App())

    assert [each.mode for each in seen.instances] == [CLUSTER, CLUSTER]


@pytest.mark.parametrize(
    "kubernetes",
    [
        pytest.param({}, id="no kubeconfig, and in no pod"),
        pytest.param({"kubeconfig": "/no/such/file"}, id="no such file"),
        pytest.param({"kubeconfig": __file__}, id="another file"),
    ],
)
async def test_a_worker_that_could_not_reach_its_cluster_does_not_begin(kubernetes):
    settings = Settings(processes={"kind": "kubernetes"}, kubernetes=kubernetes)

    with pytest.raises(SettingsWrong, match="RESPONDER_KUBERNETES__KUBECONFIG"):
        async with compose(settings):
            pass


@pytest.mark.parametrize("cause", ["SPIKE", "LEAK", "LLM"])
async def test_what_a_procedure_plans_is_done_and_undone_in_a_cluster(tmp_path, cause):
    planned = slow_api.latency(getattr(slow_api, cause)).steps
    async with platform(tmp_path) as api:
        before = copy.deepcopy(api.deployment["spec"])
        settings = Settings(
            processes={"kind": "kubernetes"},
            kubernetes={"kubeconfig": api.server.kubeconfig()},
        )
        async with compose(settings) as composition:
            changes = {activity_name(each): each for each in composition[Queue.CHANGES]}
            for step in planned:
                change = changes[step.activity]
                order = order_of(change).validate_python(step.order)
                found = await run(changes[step.activity + READ], order)
                api.server.changes.clear()
                done = await run(change, order, found)
                assert done.changed
                assert len(api.server.changes) == 1
                if step.undo:
                    await run(changes[step.activity + UNDO], order, found)

        assert planned
        if all(step.undo for step in planned):
            assert api.deployment["spec"] == before


def order_of(change):
    hints = inspect.get_annotations(change, eval_str=True)
    return TypeAdapter(hints["order"])
