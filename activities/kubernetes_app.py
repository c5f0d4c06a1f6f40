"""The pods of one Deployment as instances of an application, and the wait for a rollout."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime

from lightkube.models.apps_v1 import Deployment
from lightkube.models.core_v1 import ContainerStatus, Pod

from activities.changes import Targets, heartbeats
from activities.errors import Failed, Refused, Unavailable, Unwell
from activities.health import Health
from activities.kubernetes import Kubernetes
from activities.kubernetes_rollout import Rollout, owners, rollout, warned
from activities.pace import Pace
from activities.supervisor import CLUSTER, Process, Processes

_CRASHED = {"CrashLoopBackOff", "Error", "OOMKilled", "RunContainerError"}


class KubernetesApp:
    """One application under Kubernetes: what the changes of it have in common."""

    def __init__(
        self,
        kubernetes: Kubernetes,
        *,
        targets: Targets,
        variables: Collection[str] = (),
        health: Health | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.kubernetes = kubernetes
        self.pace = pace or Pace(ready_seconds=120.0)
        self._targets = targets
        self._variables = frozenset(variables)
        self._health = health

    async def processes(self) -> Processes:
        """List the pods, with what is known of them and of who else has a say."""
        deployment = await self.kubernetes.deployment()
        instances, agreed = await self.pods(deployment)
        now = rollout(deployment)
        notes = (
            *await self._owners(deployment),
            *([f"a rollout is under way: {now.waits}"] if now.waits else []),
            *([f"its rollout has failed: {now.failed}"] if now.failed else []),
            *await self._warned(),
        )
        return Processes(
            app=self.kubernetes.name, instances=instances, environment=agreed, notes=notes
        )

    async def pods(self, deployment: Deployment) -> tuple[tuple[Process, ...], dict[str, str]]:
        """List the pods as instances, and the switches on which they agree."""
        container = self.kubernetes.container(deployment).name
        pods = await self.kubernetes.pods(deployment)
        instances = tuple(
            _process(number, pod, container, self._variables) for number, pod in enumerate(pods)
        )
        sets = [set(each.environment.items()) for each in instances]
        return instances, dict(set.intersection(*sets)) if sets else {}

    async def still(self) -> Deployment:
        """Read the Deployment, which must not be rolling out anything nor be paused."""
        deployment = await self.kubernetes.deployment()
        now = rollout(deployment)
        if now.waits:
            raise Refused(f"a rollout of {self.kubernetes.name} is under way: {now.waits}")
        self.running(deployment)
        return deployment

    def running(self, deployment: Deployment) -> None:
        """Refuse where somebody has paused the rollouts: an order would have no effect."""
        if deployment.spec and deployment.spec.paused:
            raise Refused(f"the rollouts of {self.kubernetes.name} are paused by somebody")

    async def logs(self) -> str:
        """Give the last lines of the pod that is the least well; why there are none, otherwise."""
        try:
            present = await self.kubernetes.pods(await self.kubernetes.deployment())
            worst = sorted(present, key=_ready)[:1]
            name = worst[0].metadata.name if worst and worst[0].metadata else None
            return await self.kubernetes.log(name) if name else ""
        except Failed as failed:
            return f"could not be read: {failed.message}"

    async def until_out(self, done: str) -> Processes:
        """Wait as ``kubectl rollout status`` does, and then until the application is healthy.

        Args:
            done: What was done before, for the error: "scaled from 4 to 5".
        """
        begun = time.monotonic()
        deadline, believed = begun + self.pace.ready_seconds, begun + self.pace.settle_seconds
        while True:
            lost: Failed | None = None
            wrong = ""
            try:
                now = rollout(await self.kubernetes.deployment())
                wrong = now.failed or now.waits or await self._ill(now)
            except Unavailable as unavailable:  # a busy API server is asked again
                now, lost = Rollout(), unavailable
            # That the one before has failed is written there until this one makes progress.
            if now.failed and time.monotonic() >= believed:
                raise Unwell(f"{done}, but {now.failed}; {'; '.join(await self._warned())}")
            if not wrong and lost is None:
                return await self.processes()
            if time.monotonic() >= deadline:
                said = f"{done}, but after {self.pace.ready_seconds:g} s: {wrong}"
                raise lost or Refused("; ".join((said, *await self._warned())))
            await asyncio.sleep(self.pace.poll_seconds)

    @asynccontextmanager
    async def one_change(self, note: str) -> AsyncIterator[None]:
        """Let nobody else change the Deployment meanwhile."""
        target = f"{self.kubernetes.namespace}/{self.kubernetes.name}"
        async with self._targets.one_at_a_time(target), heartbeats(note):
            yield

    def check(self, app: str) -> None:
        """Refuse another application than that of the settings."""
        if app != self.kubernetes.name:
            raise Refused(f"{app} is not the Deployment of the settings ({self.kubernetes.name})")

    async def _ill(self, now: Rollout) -> str:
        return await self._health.complaint() if self._health and now.done else ""

    async def _owners(self, deployment: Deployment) -> tuple[str, ...]:
        try:
            return owners(deployment, await self.kubernetes.autoscaler())
        except Failed as failed:
            why = (
                f"whether an autoscaler sets the number of pods could not be read: {failed.message}"
            )
            return (*owners(deployment, None), why)

    async def _warned(self) -> tuple[str, ...]:
        try:
            return warned(await self.kubernetes.warnings())
        except Failed as failed:
            return (f"its events could not be read: {failed.message}",)


def _process(number: int, pod: Pod, container: str, variables: Collection[str]) -> Process:
    status = _container(pod, container)
    restarts = status.restartCount if status else 0
    spec = next((each for each in (pod.spec.containers if pod.spec else [])
                 if each.name == container), None)  # fmt: skip
    uid = (pod.metadata and pod.metadata.uid) or ""
    return Process(
        id=number,
        pid=_mark(uid, restarts) if status and status.state and status.state.running else 0,
        status=_status(pod, status),
        restarts=restarts,
        started_at=_started(status),
        mode=CLUSTER,
        environment={
            each.name: each.value
            for each in (spec.env if spec and spec.env else [])
            if each.name in variables and each.value is not None
        },
    )


def _container(pod: Pod, name: str) -> ContainerStatus | None:
    listed = (pod.status and pod.status.containerStatuses) or []
    return next((each for each in listed if each.name == name), None)


def _status(pod: Pod, container: ContainerStatus | None) -> str:
    """Say in the words of a process manager how a pod is."""
    state = container.state if container else None
    waiting = state.waiting.reason if state and state.waiting else None
    if waiting in _CRASHED or (waiting or "").endswith("BackOff"):
        return "errored"
    if state and state.terminated:
        return "stopped"
    return "online" if _ready(pod) else "launching"


def _ready(pod: Pod) -> bool:
    conditions = (pod.status and pod.status.conditions) or []
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def _started(container: ContainerStatus | None) -> datetime | None:
    running = container.state.running if container and container.state else None
    return running.startedAt if running else None


def _mark(uid: str, restarts: int) -> int:
    """Give a number that another container of the same place does not have."""
    return int(hashlib.sha256(f"{uid}/{restarts}".encode()).hexdigest()[:7], 16) + 1
