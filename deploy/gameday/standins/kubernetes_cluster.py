"""A make-believe cluster: one namespace with Deployments, and a controller that rolls them out.

There is no scheduling, no admission and no RBAC but a token that may only read. The controller
makes one pod more than wanted and takes none away before another is ready.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from typing import Any

from deploy.gameday.standins.kubernetes_objects import (
    CREATING,
    FAILED,
    HASH,
    REVISION,
    deployment_of,
    is_ready,
    normalised,
    now,
    pod_of,
    set_of,
    without_hash,
)


class Cluster:
    """The objects of one namespace, by kind and name."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.deployments: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.autoscalers: list[dict[str, Any]] = []
        self.broken_images: set[str] = set()
        """Images that cannot be pulled."""
        self.pod_seconds = 0.0
        """What a pod takes until it is ready."""
        self.deadline_seconds = 600.0
        """Without progress for so long, a rollout has failed."""
        self.stale_seconds = 0.0
        """How long it takes until a failed rollout is forgotten for the next."""
        self.asleep = False
        """Whether the controller sees nothing of what is ordered."""
        self._version = 1000
        self._made = 0
        self._born: dict[str, float] = {}
        self._progress: dict[str, float] = {}

    @property
    def version(self) -> str:
        """The newest resource version."""
        return str(self._version)

    def create(self, name: str, image: str, replicas: int = 2, **more: Any) -> dict[str, Any]:
        """Make a Deployment with one container, and roll it out."""
        labels = {"app": name}
        container = {"name": "api", "image": image, "env": [], **more.pop("container", {})}
        meta = self._meta(name, labels=labels, generation=1, annotations={}, **more)
        deadline = int(self.deadline_seconds)
        deployment = deployment_of(meta, normalised(container), replicas, deadline)
        self.deployments[name] = deployment
        self._progress[name] = time.monotonic()
        self.reconcile()
        return deployment

    def store(self, name: str, new: dict[str, Any]) -> None:
        """Keep a changed Deployment; another spec is another generation."""
        old = self.deployments[name]
        new["status"] = old["status"]
        new["spec"] = {**new["spec"], "template": normalised(new["spec"]["template"])}
        if new["spec"] != old["spec"]:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
            if new["spec"]["template"] != old["spec"]["template"]:
                self._progress[name] = time.monotonic()
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self.deployments[name] = new
        self.reconcile()

    def reconcile(self) -> None:
        """Do what the controllers do, as far as time allows by now."""
        for name in () if self.asleep else self.deployments:
            self._roll(name)

    def of(self, kind: dict[str, dict[str, Any]], owner: str) -> list[dict[str, Any]]:
        """List what is owned by an object of this name."""
        return [
            each
            for each in kind.values()
            if any(ref["name"] == owner for ref in each["metadata"].get("ownerReferences", []))
        ]

    def crash(self, pod: str, restarts: int = 5) -> None:
        """Have a pod crash over and over."""
        [status] = self.pods[pod]["status"]["containerStatuses"]
        status |= {
            "ready": False,
            "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
        }
        self._ready(self.pods[pod], ready=False)
        self.event("Pod", pod, "BackOff", "Back-off restarting failed container")

    def event(self, kind: str, name: str, reason: str, message: str) -> None:
        """Note a warning about an object."""
        self._made += 1
        at = now()
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": self._meta(f"{name}.{self._made:x}"),
                "involvedObject": {"kind": kind, "name": name, "namespace": self.namespace},
                "type": "Warning",
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": at,
                "lastTimestamp": at,
            }
        )

    def _roll(self, name: str) -> None:
        deployment = self.deployments[name]
        newest = self._newest_set(deployment)
        wanted = 0 if newest is None else deployment["spec"]["replicas"]
        if newest is None:  # paused, with a template that no set has
            self._tell(deployment, None)
            return
        moved = True
        while moved:
            new = self.of(self.pods, newest["metadata"]["name"])
            old = [
                pod
                for each in self.of(self.sets, name)
                if each is not newest
                for pod in self.of(self.pods, each["metadata"]["name"])
            ]
            for pod in new:
                self._grow(pod)
            available = sum(is_ready(pod) for pod in (*new, *old))
            moved = True
            if len(new) > wanted:
                self._delete(new[-1])
            elif len(new) < wanted and len(new) + len(old) <= wanted:
                self._pod(newest)
            elif old and (not is_ready(old[-1]) or available > wanted):
                self._delete(old[-1])
            else:
                moved = False
            if moved:
                self._progress[name] = time.monotonic()
        self._tell(deployment, newest)

    def _newest_set(self, deployment: dict[str, Any]) -> dict[str, Any] | None:
        """Find the set that has the template, or make it; it gets the next revision."""
        sets = self.of(self.sets, deployment["metadata"]["name"])
        newest = max((int(each["metadata"]["annotations"][REVISION]) for each in sets), default=0)
        template = deployment["spec"]["template"]
        found = next((each for each in sets if without_hash(each) == template), None)
        if found is None:
            if deployment["spec"].get("paused"):
                return None
            found = self._set(deployment)
        if int(found["metadata"]["annotations"].get(REVISION, "0")) != newest or newest == 0:
            found["metadata"]["annotations"][REVISION] = str(newest + 1)
        annotations = deployment["metadata"].setdefault("annotations", {})
        annotations[REVISION] = found["metadata"]["annotations"][REVISION]
        return found

    def _set(self, deployment: dict[str, Any]) -> dict[str, Any]:
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        template["metadata"]["labels"][HASH] = digest
        name, labels = deployment["metadata"]["name"], template["metadata"]["labels"]
        carried = {
            key: value
            for key, value in deployment["metadata"].get("annotations", {}).items()
            if key == "kubernetes.io/change-cause"
        }
        meta = self._meta(f"{name}-{digest}", labels=labels, annotations=carried, owner=deployment)
        made = set_of(meta, template)
        self.sets[made["metadata"]["name"]] = made
        return made

    def _pod(self, owner: dict[str, Any]) -> None:
        self._made += 1
        name = f"{owner['metadata']['name']}-{self._made:05x}"
        template = copy.deepcopy(owner["spec"]["template"])
        image = template["spec"]["containers"][0]["image"]
        broken = image in self.broken_images
        waiting = {"reason": "ImagePullBackOff", "message": f"Back-off pulling image {image}"}
        waits = waiting if broken else {"reason": CREATING}
        meta = self._meta(name, labels=template["metadata"]["labels"], owner=owner)
        self.pods[name] = pod_of(meta, template["spec"], waits)
        self._born[name] = time.monotonic()
        if broken:
            self.event("Pod", name, "Failed", f'Failed to pull image "{image}": not found')

    def _grow(self, pod: dict[str, Any]) -> None:
        [status] = pod["status"]["containerStatuses"]
        waits = status["state"].get("waiting", {}).get("reason")
        name = pod["metadata"]["name"]
        if waits == CREATING and time.monotonic() - self._born[name] >= self.pod_seconds:
            status |= {"ready": True, "state": {"running": {"startedAt": now()}}}
            pod["status"]["phase"] = "Running"
            self._ready(pod, ready=True)

    def _ready(self, pod: dict[str, Any], *, ready: bool) -> None:
        pod["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]

    def _delete(self, pod: dict[str, Any]) -> None:
        del self.pods[pod["metadata"]["name"]]

    def _tell(self, deployment: dict[str, Any], newest: dict[str, Any] | None) -> None:
        """Write the status, as the Deployment's controller does."""
        name, wanted = deployment["metadata"]["name"], deployment["spec"]["replicas"]
        new = self.of(self.pods, newest["metadata"]["name"]) if newest else []
        every = [
            p for s in self.of(self.sets, name) for p in self.of(self.pods, s["metadata"]["name"])
        ]
        available = sum(is_ready(pod) for pod in every)
        done = len(new) == len(every) == wanted and available == wanted
        late = time.monotonic() - self._progress[name] > self.deadline_seconds
        reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
        if (late and not done) or self._stale(deployment):
            reason = FAILED
        told = {
            "observedGeneration": deployment["metadata"]["generation"],
            "conditions": [
                {
                    "type": "Available",
                    "status": str(available >= wanted),
                    "reason": "MinimumReplicasAvailable",
                },
                {"type": "Progressing", "status": str(reason != FAILED), "reason": reason},
            ],
        }
        # As the real one does, it leaves out what is 0.
        counts = {
            "replicas": len(every),
            "updatedReplicas": len(new),
            "readyReplicas": available,
            "availableReplicas": available,
            "unavailableReplicas": max(0, wanted - available),
        }
        told |= {key: value for key, value in counts.items() if value}
        if told != deployment["status"]:
            self._version += 1
            deployment["metadata"]["resourceVersion"] = str(self._version)
            deployment["status"] = told
        for each in self.of(self.sets, name):
            pods = len(self.of(self.pods, each["metadata"]["name"]))
            each["spec"]["replicas"] = each["status"]["replicas"] = pods

    def _stale(self, deployment: dict[str, Any]) -> bool:
        """Whether the end of the rollout before is still what is written there."""
        begun = time.monotonic() - self._progress[deployment["metadata"]["name"]]
        failed = [each["reason"] for each in deployment["status"].get("conditions", [])]
        return FAILED in failed and begun < self.stale_seconds

    def _meta(self, name: str, owner: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        self._version += 1
        meta = {
            "name": name,
            "namespace": self.namespace,
            "uid": f"uid-{self._version:08x}",
            "resourceVersion": str(self._version),
            "creationTimestamp": now(),
            **more,
        }
        if owner is not None:
            reference = {name: owner[name] for name in ("apiVersion", "kind")}
            reference |= {name: owner["metadata"][name] for name in ("name", "uid")}
            meta["ownerReferences"] = [{**reference, "controller": True}]
        return meta
