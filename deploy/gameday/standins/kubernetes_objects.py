"""What the objects of a make-believe cluster look like."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
CREATING = "ContainerCreating"
FAILED = "ProgressDeadlineExceeded"
Object = dict[str, Any]


def deployment_of(meta: Object, container: Object, replicas: int, deadline: int) -> Object:
    """Make a Deployment with one container."""
    labels = meta["labels"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "progressDeadlineSeconds": deadline,
            "revisionHistoryLimit": 10,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {},
    }


def set_of(meta: Object, template: Object) -> Object:
    """Make a ReplicaSet without pods."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta,
        "spec": {"replicas": 0, "selector": {"matchLabels": meta["labels"]}, "template": template},
        "status": {"replicas": 0},
    }


def pod_of(meta: Object, spec: Object, waits: Object) -> Object:
    """Make a pod whose container is not there yet."""
    container = spec["containers"][0]
    status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": waits},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": spec,
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [status],
        },
    }


def scale_of(deployment: Object) -> Object:
    """Make what the subresource "scale" shows of a Deployment."""
    meta = deployment["metadata"]
    labels = deployment["spec"]["selector"]["matchLabels"]
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {
            name: meta[name]
            for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        },
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {
            "replicas": deployment["status"].get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in labels.items()),
        },
    }


def without_hash(made: Object) -> Object:
    """Give a set's template as its Deployment had it."""
    template: Object = copy.deepcopy(made["spec"]["template"])
    template["metadata"]["labels"].pop(HASH, None)
    return template


def normalised(value: Any) -> Any:
    """Leave out what says nothing, as defaulting makes alike what clients write differently."""
    if isinstance(value, dict):
        inner = {name: normalised(each) for name, each in value.items()}
        return {name: each for name, each in inner.items() if each not in (None, {}, [])}
    return [normalised(each) for each in value] if isinstance(value, list) else value


def is_ready(pod: Object) -> bool:
    """Whether a pod says that it is."""
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"]
    )


def now() -> str:
    """Give the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
