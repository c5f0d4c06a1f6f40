"""A platform under Kubernetes: which settings it needs, and who then answers for its instances."""

import pytest

from activities.processes import App
from activities.supervisor import CLUSTER
from deploy.gameday.standins.kubernetes import KubernetesStandIn
from tests.activities.attempts import run
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
