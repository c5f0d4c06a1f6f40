"""What an API server says that it has, and how lists are narrowed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

_VERBS = ["get", "list", "watch", "patch", "update"]


@functools.cache
def discovery() -> dict[str, dict[str, Any]]:
    """Give the pages that tell a client which kinds there are, by path."""
    groups = {"apps": "v1", "autoscaling": "v2"}
    return {
        "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0-stand-in"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                {
                    "name": group,
                    "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                    "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
                }
                for group, version in groups.items()
            ],
        },
        "/api/v1": _resources("v1", ("pods", "Pod", "po"), ("events", "Event", "ev")),
        "/apis/apps/v1": _resources(
            "apps/v1",
            ("deployments", "Deployment", "deploy"),
            ("deployments/scale", "Scale", ""),
            ("replicasets", "ReplicaSet", "rs"),
        ),
        "/apis/autoscaling/v2": _resources(
            "autoscaling/v2", ("horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa")
        ),
    }


def _resources(version: str, *kinds: tuple[str, str, str]) -> dict[str, Any]:
    listed = [
        {
            "name": name,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": _VERBS,
            **({"shortNames": [short]} if short else {}),
            **({"group": "autoscaling", "version": "v1"} if kind == "Scale" else {}),
        }
        for name, kind, short in kinds
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": listed,
    }


def selected(one: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Judge whether *one* is asked for by labels and fields."""
    labels = one["metadata"].get("labels", {})
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, _, value = term.replace("==", "=").partition("=")
        if labels.get(name) != value:
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = term.replace("==", "=").partition("=")
        found: Any = one
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found != value:
            return False
    return True
