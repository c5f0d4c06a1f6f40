"""How far a rollout is, judged as ``kubectl rollout status`` does, and who else has a say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightkube.models.apps_v1 import Deployment, DeploymentStatus
from lightkube.models.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.models.core_v1 import Event

from activities.redaction import beginning

_MOST_EVENTS = 5
_SAID = 150
_GITOPS: Mapping[str, str] = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels and annotations by which the tools that put a repository's state back are known."""
_MANAGERS: Mapping[str, str] = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
"""What the same tools call themselves where they have written a field."""


@dataclass(frozen=True)
class Rollout:
    """How far it is: neither word is done."""

    waits: str = ""
    """What is still to come, in words."""
    failed: str = ""
    """Why nothing more will come of it."""

    @property
    def done(self) -> bool:
        """Whether every wanted pod is a new one, and available."""
        return not self.waits and not self.failed


def rollout(deployment: Deployment) -> Rollout:
    """Judge how far the present rollout is; a number that is missing is 0."""
    status, spec = deployment.status or DeploymentStatus(), deployment.spec
    generation = (deployment.metadata and deployment.metadata.generation) or 0
    if generation > (status.observedGeneration or 0):
        return Rollout(waits="the order is not seen yet by the cluster's controller")
    for each in status.conditions or []:
        if each.type == "Progressing" and each.reason == "ProgressDeadlineExceeded":
            return Rollout(failed="it made no progress within its deadline")
        if each.type == "ReplicaFailure" and each.status == "True":
            return Rollout(failed=f"pods cannot be made: {beginning(each.message or '', _SAID)}")
    wanted = 1 if spec is None or spec.replicas is None else spec.replicas
    return Rollout(waits=_waits(status, wanted))


def _waits(status: DeploymentStatus, wanted: int) -> str:
    every, new = status.replicas or 0, status.updatedReplicas or 0
    available = status.availableReplicas or 0
    if new < wanted:
        return f"{new} of {wanted} new pods are made"
    if every > new:
        return f"{every - new} old pods are still to end"
    return f"{available} of {new} pods are available" if available < new else ""


def paused(deployment: Deployment) -> bool:
    """Whether somebody has stopped its rollouts."""
    return bool(deployment.spec and deployment.spec.paused)


def owners(deployment: Deployment, autoscaler: HorizontalPodAutoscaler | None) -> tuple[str, ...]:
    """Say who else sets what we set, and what comes of it."""
    meta = deployment.metadata
    marks = {**((meta and meta.labels) or {}), **((meta and meta.annotations) or {})}
    managers = {each.manager for each in (meta and meta.managedFields) or []}
    tools = dict.fromkeys(
        [
            *(tool for mark, tool in _GITOPS.items() if mark in marks),
            *(tool for name, tool in _MANAGERS.items() if name in managers),
        ]
    )
    said = [
        f"{tool} keeps this Deployment as its repository says: what is set here may be put back"
        for tool in tools
    ]
    if autoscaler is not None and autoscaler.spec is not None:
        least, most = autoscaler.spec.minReplicas or 1, autoscaler.spec.maxReplicas
        said.append(f"an autoscaler sets the number of pods, from {least} to {most}")
    if paused(deployment):
        said.append("its rollouts are paused")
    return tuple(said)


def warned(events: Sequence[Event]) -> tuple[str, ...]:
    """Give the newest warnings in words, each once."""
    lines = dict.fromkeys(
        beginning(f"{each.involvedObject.name}: {each.reason}: {each.message}", _SAID)
        for each in events
    )
    return tuple(list(lines)[:_MOST_EVENTS])
