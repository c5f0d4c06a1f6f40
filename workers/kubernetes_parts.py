"""Puts together what a platform under Kubernetes needs, in the place of a process manager's."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

import httpx

from activities.api_health import OnHost
from activities.changes import Targets
from activities.deployments import Source
from activities.health import Health
from activities.pace import Pace
from activities.supervisor import Keeper
from workers.parts import Parts
from workers.settings import Settings, SettingsWrong, variable

if TYPE_CHECKING:
    from activities.kubernetes import Kubernetes

PM2, KUBERNETES = "pm2", "kubernetes"


class Clustered(NamedTuple):
    """What a cluster tells instead of a host."""

    keeper: Keeper
    history: Source
    health: OnHost


async def kubernetes(
    parts: Parts,
    settings: Settings,
    targets: Targets,
    http: httpx.AsyncClient,
    stack: AsyncExitStack,
) -> Clustered:
    """Add the activities on a Deployment; give what others build upon."""
    client = cluster(settings, stack)
    from activities.kubernetes_app import KubernetesApp
    from activities.kubernetes_health import KubernetesHealth
    from activities.kubernetes_processes import KubernetesProcesses
    from activities.kubernetes_releases import KubernetesHistory, KubernetesReleases
    from activities.kubernetes_switches import KubernetesSwitches

    processes = settings.processes
    declared = processes.switches
    app = KubernetesApp(
        client,
        targets=targets,
        variables=[each.variable for each in declared.values()],
        health=Health(http, processes.health_url) if processes.health_url else None,
        pace=Pace(ready_seconds=processes.ready_seconds, settle_seconds=processes.settle_seconds),
    )
    releases = KubernetesReleases(app)
    parts.add(KubernetesProcesses(app), KubernetesSwitches(app, declared=declared), releases)
    return Clustered(releases, KubernetesHistory(app), KubernetesHealth(app))


def cluster(settings: Settings, stack: AsyncExitStack) -> Kubernetes:
    """Make the client of the cluster's one Deployment."""
    try:
        from activities.kubernetes import Kubernetes
        from activities.kubernetes_client import connect
    except ImportError:
        raise SettingsWrong(
            "processes.kind: kubernetes needs another library: install incident-responder"
            f"[kubernetes] ({variable('processes', 'kind')})"
        ) from None
    section = settings.kubernetes
    try:
        client = connect(section.kubeconfig, section.context)
    except ValueError as error:
        raise SettingsWrong(
            f"kubernetes.kubeconfig: {error} ({variable('kubernetes', 'kubeconfig')})"
        ) from None
    stack.push_async_callback(client.aclose)
    return Kubernetes(
        client,
        settings.given.app,
        namespace=section.namespace or client.namespace,
        container=section.container,
    )
