"""The real kubectl judges the stand-in of an API server that our own adapter is tested against."""

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from activities.processes import RollingRestart
from activities.rollbacks import Rollback, RollbackBefore
from activities.supervised import Running
from activities.switches import SetSwitches, Switch, SwitchValues
from deploy.gameday.standins.kubernetes import READER, KubernetesStandIn
from deploy.gameday.standins.kubernetes_objects import normalised, scale_of
from tests.activities.attempts import run
from tests.activities.clusters import APP, Platform

KUBECTL = shutil.which("kubectl")
SPECS = Path(__file__).parents[1] / "fixtures/kubernetes"

judged = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")


@pytest.fixture
async def server(tmp_path):
    async with KubernetesStandIn(tmp_path / "kubernetes") as standing:
        standing.cluster.create(APP, "registry/api:1", replicas=2)
        yield standing


@pytest.fixture
def kubectl(server, tmp_path):
    async def run(*words, token=None, fails=False):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        config = server.kubeconfig(token) if token else server.kubeconfig()
        process = await asyncio.create_subprocess_exec(
            KUBECTL, "--kubeconfig", str(config), "--request-timeout", "20s", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        async with asyncio.timeout(40):
            out, err = (each.decode() for each in await process.communicate())
        assert (process.returncode != 0) is fails, f"{words}: {out}{err}"
        return out + err

    return run


@pytest.fixture
def deployment(server):
    return lambda: server.cluster.deployments[APP]


def test_what_it_shows_is_what_kubernetes_describes(deployment):
    for kind, shown in (("deployment", deployment()), ("scale", scale_of(deployment()))):
        schema = json.loads((SPECS / f"{kind}.schema.json").read_text())
        Draft202012Validator(schema).validate(shown)


@judged
async def test_kubectl_scales_and_a_precondition_holds(kubectl, deployment):
    await kubectl("scale", f"deployment/{APP}", "--replicas=5", "--current-replicas=2")
    assert deployment()["spec"]["replicas"] == 5

    said = await kubectl(
        "scale", f"deployment/{APP}", "--replicas=9", "--current-replicas=2", fails=True
    )
    assert "Expected replicas to be 2, was 5" in said
    assert deployment()["status"]["availableReplicas"] == 5


@judged
async def test_kubectl_restarts_and_sees_the_rollout_through(kubectl, server, deployment):
    server.cluster.pod_seconds = 0.2
    before = set(server.cluster.pods)

    await kubectl("rollout", "restart", f"deployment/{APP}")
    said = await kubectl("rollout", "status", f"deployment/{APP}", "--timeout=15s")

    assert "successfully rolled out" in said
    annotations = deployment()["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in annotations
    assert not before & set(server.cluster.pods)


@judged
async def test_kubectl_sets_and_takes_away_a_variable(kubectl, deployment):
    await kubectl("set", "env", f"deployment/{APP}", "LLM_ROUTING=cheapest")
    [container] = deployment()["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "LLM_ROUTING", "value": "cheapest"}]

    await kubectl("set", "env", f"deployment/{APP}", "LLM_ROUTING-")
    [container] = deployment()["spec"]["template"]["spec"]["containers"]
    assert not container.get("env")


@judged
async def test_kubectl_goes_back_to_a_revision_and_finds_it_renumbered(kubectl, deployment):
    await kubectl("set", "image", f"deployment/{APP}", "api=registry/api:2")
    await kubectl("set", "image", f"deployment/{APP}", "api=registry/api:3")
    assert "1" in await kubectl("rollout", "history", f"deployment/{APP}")

    await kubectl("rollout", "undo", f"deployment/{APP}", "--to-revision=1")

    [container] = deployment()["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry/api:1"
    assert deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


@judged
async def test_kubectl_sees_a_broken_image_fail_its_deadline(kubectl, server):
    server.cluster.deadline_seconds = 0.3
    server.cluster.broken_images.add("registry/api:2")
    await kubectl("set", "image", f"deployment/{APP}", "api=registry/api:2")

    said = await kubectl("rollout", "status", f"deployment/{APP}", "--timeout=15s", fails=True)

    assert "exceeded its progress deadline" in said
    assert "ImagePullBackOff" in await kubectl("get", "pods", "-o", "json")


@judged
async def test_kubectl_tries_without_changing_and_is_refused_what_it_may_not(
    kubectl, server, deployment
):
    await kubectl("scale", f"deployment/{APP}", "--replicas=7", "--dry-run=server")
    said = await kubectl("scale", f"deployment/{APP}", "--replicas=7", token=READER, fails=True)
    wrong = await kubectl("get", "deployments", token="wrong", fails=True)

    assert deployment()["spec"]["replicas"] == 2
    assert server.changes == []
    assert "orbidden" in said
    assert "Unauthorized" in wrong or "logged in" in wrong


@judged
async def test_ours_orders_what_kubectl_orders(kubectl, server, deployment, tmp_path):
    """The same words to the API server, but for our tests of what nobody may have changed."""
    api = Platform(server)
    first = api.newest
    await kubectl("set", "image", f"deployment/{APP}", "api=registry/api:2")
    second = api.newest
    server.changes.clear()
    order = SetSwitches(app=APP, values={Switch.IN_MEMORY_CACHE: "true"})
    restart = RollingRestart(app=APP, requested_at=datetime(2026, 11, 23, 3, 0, tzinfo=UTC))
    back = Rollback(app=APP, to=first, leaving=second, requested_at=restart.requested_at)

    await kubectl("rollout", "restart", f"deployment/{APP}")
    await kubectl("set", "env", f"deployment/{APP}", "USE_IN_MEMORY_CACHE=true")
    await kubectl("set", "env", f"deployment/{APP}", "USE_IN_MEMORY_CACHE-")
    await kubectl("rollout", "undo", f"deployment/{APP}", "--to-revision=1")
    theirs = [body for _, _, body in server.changes]
    await kubectl("rollout", "undo", f"deployment/{APP}", "--to-revision=2")
    server.changes.clear()
    async with api.adapters() as adapters:
        await run(adapters.processes.rolling_restart, restart, Running(instances=()))
        unset = SwitchValues(values={Switch.IN_MEMORY_CACHE: None})
        await run(adapters.switches.set, order, unset)
        await run(adapters.switches.set_undo, order, unset)
        leaving = back.model_copy(update={"leaving": api.newest})
        await run(adapters.releases.rollback, leaving, RollbackBefore(running="", instances=()))
    ours = [body for _, _, body in server.changes]

    def stamped(body):
        [(name, _)] = body["spec"]["template"]["metadata"]["annotations"].items()
        return name

    assert stamped(ours[0]) == stamped(theirs[0])
    [mine], [their] = (body[1]["spec"]["template"]["spec"]["containers"] for body in (ours, theirs))
    assert mine == their
    [mine] = ours[2]["spec"]["template"]["spec"]["containers"]
    assert mine["env"] == [{"name": "USE_IN_MEMORY_CACHE", "$patch": "delete"}]
    assert ours[1]["metadata"]["resourceVersion"]
    templates = [
        normalised(next(each["value"] for each in body if each["path"] == "/spec/template"))
        for body in (ours[3], theirs[3])
    ]
    assert templates[0] == templates[1]
    assert ours[3][0]["op"] == "test"
    said = await kubectl("rollout", "status", f"deployment/{APP}", "--timeout=15s")
    assert "successfully rolled out" in said
