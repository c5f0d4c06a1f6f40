"""Whether each pod is ready, as the kubelet of its node sees it: a place of its own to look from.

The same activity as `activities.api_health` has for a host, which asks the instances themselves.
"""

from __future__ import annotations

import asyncio

from temporalio import activity

from activities.api_health import TRIES, HostHealth, InstanceHealth, Trouble
from activities.changes import heartbeats
from activities.errors import NotConfigured
from activities.kubernetes_app import KubernetesApp
from activities.supervisor import Process
from activities.words import Nothing


class KubernetesHealth:
    """Looks at the readiness of one Deployment's pods."""

    def __init__(self, app: KubernetesApp, *, pause_seconds: float = 1.0) -> None:
        self._app = app
        self._pause = pause_seconds

    @activity.defn(name="host.api_health")
    async def on_host(self, ask: Nothing) -> HostHealth:  # noqa: ARG002
        """Look three times; a pod that does not run has failed as often."""
        kubernetes = self._app.kubernetes
        deployment = await kubernetes.deployment()
        if kubernetes.container(deployment).readinessProbe is None:
            # A pod without one is ready as soon as it runs, which says nothing of its health.
            raise NotConfigured("the health of each pod", "a readinessProbe in the Deployment")
        seen: dict[int, list[Process]] = {}
        async with heartbeats("looking at the pods' readiness"):
            for position in range(TRIES):
                if position:
                    await asyncio.sleep(self._pause)
                for each in (await self._app.pods(deployment))[0]:
                    seen.setdefault(each.id, []).append(each)
        return HostHealth(instances=tuple(_instance(looks) for looks in seen.values()))


def _instance(looks: list[Process]) -> InstanceHealth:
    last = looks[-1]
    failed = [each for each in looks if each.status != "online"]
    trouble = Trouble.NONE
    if failed:
        trouble = Trouble.NOT_READY if failed[-1].pid else Trouble.STOPPED
    missed = TRIES - len(looks)  # one that came or went meanwhile
    return InstanceHealth(
        id=last.id, status=last.status, failures=len(failed) + missed, trouble=trouble
    )
