"""An application in a make-believe cluster, and our adapters on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.changes import Targets
from activities.kubernetes import Kubernetes
from activities.kubernetes_app import KubernetesApp
from activities.kubernetes_client import connect
from activities.kubernetes_processes import KubernetesProcesses
from activities.kubernetes_releases import KubernetesHistory, KubernetesReleases
from activities.kubernetes_switches import KubernetesSwitches
from activities.pace import Pace
from activities.switches import DECLARED
from deploy.gameday.standins.kubernetes import TOKEN, KubernetesStandIn
from deploy.gameday.standins.kubernetes_cluster import Cluster

APP = "pravado-api"
PACE = Pace(poll_seconds=0.02, ready_seconds=1.0, settle_seconds=0.3, ramp_seconds=0)
VARIABLES = [each.variable for each in DECLARED.values()]


@dataclass
class Adapters:
    """All that is done to one Deployment."""

    app: KubernetesApp
    processes: KubernetesProcesses = field(init=False)
    switches: KubernetesSwitches = field(init=False)
    releases: KubernetesReleases = field(init=False)
    history: KubernetesHistory = field(init=False)

    def __post_init__(self) -> None:
        self.processes = KubernetesProcesses(self.app)
        self.switches = KubernetesSwitches(self.app)
        self.releases = KubernetesReleases(self.app)
        self.history = KubernetesHistory(self.app)


@dataclass
class Platform:
    """A server with one application on it."""

    server: KubernetesStandIn

    @property
    def cluster(self) -> Cluster:
        return self.server.cluster

    @property
    def deployment(self) -> dict[str, Any]:
        return self.cluster.deployments[APP]

    @property
    def container(self) -> dict[str, Any]:
        [one] = self.deployment["spec"]["template"]["spec"]["containers"]
        return one

    @property
    def environment(self) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self.container.get("env", [])}

    def change(self, **spec: Any) -> None:
        """Change it as somebody else would."""
        new = {**self.deployment, "spec": {**self.deployment["spec"], **spec}}
        new["metadata"] = dict(new["metadata"])
        self.cluster.store(APP, new)

    def deploy(self, image: str, **container: Any) -> str:
        """Deploy another image, and give the release that it makes."""
        template = self.deployment["spec"]["template"]
        [one] = template["spec"]["containers"]
        new = {**template, "spec": {"containers": [{**one, "image": image, **container}]}}
        self.change(template=new)
        return self.newest

    @property
    def newest(self) -> str:
        """The release that is wanted now."""
        number = "deployment.kubernetes.io/revision"
        sets = self.cluster.sets.values()
        newest = max(sets, key=lambda each: int(each["metadata"]["annotations"][number]))
        return str(newest["metadata"]["name"])

    @asynccontextmanager
    async def adapters(
        self, *, token: str = TOKEN, pace: Pace = PACE, app: str = APP, container: str = ""
    ) -> AsyncIterator[Adapters]:
        client = connect(self.server.kubeconfig(token), seconds=2.0)
        try:
            kubernetes = Kubernetes(
                client, app, namespace=client.namespace, container=container, seconds=2.0
            )
            yield Adapters(
                KubernetesApp(kubernetes, targets=Targets(), variables=VARIABLES, pace=pace)
            )
        finally:
            await client.aclose()


@asynccontextmanager
async def platform(folder: Path, replicas: int = 2) -> AsyncIterator[Platform]:
    async with KubernetesStandIn(folder) as server:
        server.cluster.create(APP, "registry/api:1", replicas=replicas)
        yield Platform(server)
