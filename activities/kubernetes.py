"""One Deployment of a Kubernetes cluster: what its API tells of it, and how it is patched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import Deployment, ReplicaSet
from lightkube.models.autoscaling_v1 import Scale
from lightkube.models.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.models.core_v1 import Container, Event, Pod
from lightkube.resources.apps_v1 import Deployment as DeploymentResource
from lightkube.resources.apps_v1 import ReplicaSet as ReplicaSetResource
from lightkube.resources.autoscaling_v2 import HorizontalPodAutoscaler as AutoscalerResource
from lightkube.resources.core_v1 import Event as EventResource
from lightkube.resources.core_v1 import Pod as PodResource
from lightkube.types import PatchType

from activities.errors import Failed, Refused, Unavailable, from_status
from activities.redaction import READ, beginning, ending

SYSTEM = "Kubernetes"
FIELD_MANAGER = "incident-responder"
_SAID = 300
_LOG_LINES = 100
_MOST_LOG = 8 * 1024
_SECONDS = 10.0
_RAW_SET = create_namespaced_resource("apps", "v1", "ReplicaSet", "replicasets")
Told = TypeVar("Told", Deployment, Scale)
_RAISED = (httpx2.HTTPError, ConfigError, OSError, ValueError, KeyError, TypeError, AttributeError)
"""By the client library: the last four where an answer is not of the shape that it expects."""


class Changed(Unavailable):
    """The object is not any more as it was read: read it again."""


class Kubernetes:
    """Asks for and patches one Deployment; every patch says a state, so that twice is once."""

    def __init__(
        self,
        client: AsyncClient,
        name: str,
        *,
        namespace: str,
        container: str = "",
        seconds: float = _SECONDS,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self._client = client
        self._container = container
        self._seconds = seconds

    async def deployment(self) -> Deployment:
        """Read the Deployment."""
        async with self._asking():
            found = await self._client.get(DeploymentResource, self.name, namespace=self.namespace)
            return _whole(found)

    async def replicas(self) -> tuple[int, str]:
        """Read how many pods are wanted, and the version that says so."""
        async with self._asking():
            scale = _whole(
                await self._client.get(
                    DeploymentResource.Scale, self.name, namespace=self.namespace
                )
            )
        wanted = scale.spec.replicas if scale.spec else None
        return wanted or 0, (scale.metadata and scale.metadata.resourceVersion) or ""

    async def set_replicas(self, count: int, version: str, *, dry_run: bool = False) -> None:
        """Want *count* pods, if nobody has changed anything since *version*."""
        patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": count}}
        async with self._asking():
            changed = await self._client.patch(
                DeploymentResource.Scale,
                self.name,
                patch,
                namespace=self.namespace,
                patch_type=PatchType.MERGE,
                field_manager=FIELD_MANAGER,
                dry_run=dry_run,
            )
            _whole(changed)

    async def patch_template(
        self, template: dict[str, Any], version: str = "", *, dry_run: bool = False
    ) -> None:
        """Merge into the pods' template, if nobody has changed anything since *version*."""
        patch: dict[str, Any] = {"spec": {"template": template}}
        if version:
            patch["metadata"] = {"resourceVersion": version}
        await self._patch(patch, PatchType.STRATEGIC, dry_run=dry_run)

    async def replace(self, operations: list[dict[str, Any]], *, dry_run: bool = False) -> None:
        """Apply operations of a JSON patch."""
        await self._patch(operations, PatchType.JSON, dry_run=dry_run)

    async def sets(self, owner: Deployment) -> list[ReplicaSet]:
        """List the ReplicaSets that are the Deployment's, newest revision first."""
        async with self._asking():
            found = [
                each
                async for each in self._client.list(
                    ReplicaSetResource, namespace=self.namespace, labels=_selector(owner)
                )
            ]
        uid = owner.metadata.uid if owner.metadata else None
        return sorted((each for each in found if _owned(each, uid)), key=revision, reverse=True)

    async def template(self, made: str) -> dict[str, Any]:
        """Read a ReplicaSet's template word for word: what we have no model of is in it too."""
        async with self._asking():
            found = await self._client.get(_RAW_SET, made, namespace=self.namespace)
            return dict(found["spec"]["template"])

    async def pods(self, owner: Deployment) -> list[Pod]:
        """List the pods that are the Deployment's and not on their way out, by name."""
        async with self._asking():
            found = [
                each
                async for each in self._client.list(
                    PodResource, namespace=self.namespace, labels=_selector(owner)
                )
            ]
        staying = [each for each in found if _stays(each, f"{self.name}-")]
        return sorted(staying, key=lambda each: (each.metadata and each.metadata.name) or "")

    async def warnings(self) -> list[Event]:
        """List the warnings about the Deployment and what is its own, newest first."""
        async with self._asking():
            found = [
                each
                async for each in self._client.list(
                    EventResource, namespace=self.namespace, fields={"type": "Warning"}
                )
            ]
        ours = [
            each
            for each in found
            if (each.involvedObject.name or "") == self.name
            or (each.involvedObject.name or "").startswith(f"{self.name}-")
        ]
        return sorted(ours, key=lambda each: str(each.lastTimestamp or ""), reverse=True)

    async def autoscaler(self) -> HorizontalPodAutoscaler | None:
        """Find who else sets the number of pods."""
        async with self._asking():
            async for each in self._client.list(AutoscalerResource, namespace=self.namespace):
                target = each.spec.scaleTargetRef if each.spec else None
                if target and (target.kind, target.name) == ("Deployment", self.name):
                    return each
        return None

    async def log(self, pod: str) -> str:
        """Give the last lines of a pod's container, without credentials."""
        async with self._asking():
            told = self._client.log(
                pod,
                namespace=self.namespace,
                container=self._container or None,
                tail_lines=_LOG_LINES,
                newlines=False,
            )
            lines = [line async for line in told]
        return ending("\n".join(lines), _MOST_LOG)

    def container(self, owner: Deployment) -> Container:
        """Find the container that is the application's."""
        template = owner.spec.template.spec if owner.spec else None
        containers = template.containers if template else []
        named = [each for each in containers if self._container in {"", each.name}]
        if len(named) == 1:
            return named[0]
        names = ", ".join(each.name for each in containers)
        raise Refused(
            f"which container of {self.name} is meant is not clear ({names}): name it by "
            "RESPONDER_KUBERNETES__CONTAINER"
        )

    async def _patch(self, body: Any, kind: PatchType, *, dry_run: bool) -> None:
        async with self._asking():
            changed = await self._client.patch(
                DeploymentResource,
                self.name,
                body,
                namespace=self.namespace,
                patch_type=kind,
                field_manager=FIELD_MANAGER,
                dry_run=dry_run,
            )
            _whole(changed)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise Unavailable(f"{SYSTEM} did not answer within {self._seconds:g} s") from None
        except _RAISED as error:
            # Not chained: it holds the request, and that the token.
            user = self._client.config.user
            raise _failed(error, (user and user.token) or "") from None


def _whole(told: Told) -> Told:
    """Make sure that it is an object: the library takes any JSON for one that has nothing set."""
    if told.spec is None or told.metadata is None or not told.metadata.resourceVersion:
        raise Unavailable(f"{SYSTEM} does not answer as an API server does")
    return told


def _failed(error: Exception, secret: str) -> Failed:
    if isinstance(error, ApiError):
        return _refused(error, secret)
    if isinstance(error, httpx2.HTTPStatusError):
        # A load balancer's page, and no answer of an API server.
        answer = error.response
        return from_status(SYSTEM, answer.status_code, "", answer.headers, writes=False)
    if isinstance(error, ConfigError):
        return Refused(f"what {SYSTEM} is asked with cannot be used: see the kubeconfig")
    if isinstance(error, httpx2.HTTPError | OSError):
        return Unavailable(f"{SYSTEM} cannot be reached ({type(error).__name__})")
    return Unavailable(f"{SYSTEM} does not answer as an API server does")


def _refused(error: ApiError, secret: str) -> Failed:
    status, code = error.status, error.response.status_code
    message = status.message or status.reason or ""
    said = beginning(message, _SAID, secret, cut=len(message) > READ)
    # A JSON patch whose test of the version failed is 422, and not 409.
    if code == 409 or (code == 422 and "/metadata/resourceVersion" in message):
        return Changed(f"{SYSTEM} answered {code}: {said}")
    headers = dict(error.response.headers)
    if status.details and status.details.retryAfterSeconds:
        headers.setdefault("retry-after", str(status.details.retryAfterSeconds))
    return from_status(SYSTEM, code, said, headers, writes=False)


def revision(made: ReplicaSet) -> int:
    """Read the number of a ReplicaSet; 0 where it has none."""
    annotations = (made.metadata.annotations if made.metadata else None) or {}
    number = annotations.get("deployment.kubernetes.io/revision", "0")
    return int(number) if number.isdecimal() else 0


def _selector(owner: Deployment) -> dict[str, Any]:
    labels = owner.spec.selector.matchLabels if owner.spec else None
    if not labels:
        raise Refused("the Deployment selects its pods otherwise than by labels")
    return dict(labels)


def _stays(pod: Pod, prefix: str) -> bool:
    """Judge whether a pod is one of a ReplicaSet of ours, and not on its way out."""
    if pod.metadata is None or pod.metadata.deletionTimestamp:
        return False
    owners = pod.metadata.ownerReferences or []
    return any(each.kind == "ReplicaSet" and each.name.startswith(prefix) for each in owners)


def _owned(made: ReplicaSet, uid: str | None) -> bool:
    owners = (made.metadata.ownerReferences if made.metadata else None) or []
    return any(each.uid == uid for each in owners)
