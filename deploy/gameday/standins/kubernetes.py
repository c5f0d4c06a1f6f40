"""Stands in for a Kubernetes API server: enough of it for kubectl and for ours, over TLS.

It is a fake: real kubectl scales, restarts, undoes and sets variables against it (a test has it
judge), but nothing here schedules, admits or knows roles.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.gameday.standins.kubernetes_cluster import Cluster
from deploy.gameday.standins.kubernetes_objects import Object, scale_of
from deploy.gameday.standins.kubernetes_patches import (
    Unpatchable,
    json_patched,
    merged,
    strategic,
)
from deploy.gameday.standins.kubernetes_paths import discovery, selected
from deploy.gameday.standins.kubernetes_tls import Authority
from deploy.gameday.standins.server import StandIn

TOKEN = "kubernetes-stand-in-token"  # noqa: S105 (it opens nothing)
READER = "kubernetes-stand-in-reader"
"""A token that may look and not touch."""
_LOOK_SECONDS = 0.05
_PATCHES = {
    "application/merge-patch+json": merged,
    "application/strategic-merge-patch+json": strategic,
    "application/json-patch+json": json_patched,
}


class KubernetesStandIn(StandIn):
    """One API server with one namespace."""

    title = "Kubernetes"

    def __init__(self, folder: Path, *, namespace: str = "pravado") -> None:
        """Keep certificates in *folder*."""
        super().__init__()
        self.cluster = Cluster(namespace)
        self.changes: list[tuple[str, str, Any]] = []
        """What was changed, oldest first: verb, path and body; no dry runs."""
        self.asked: set[tuple[str, str]] = set()
        """The verbs that were used on resources, as roles name them."""
        self._folder = folder
        self._authority = Authority(folder)

    def tls(self) -> dict[str, str]:
        """Show a certificate of an authority that was made for this."""
        return {
            "ssl_certfile": str(self._authority.certificate),
            "ssl_keyfile": str(self._authority.key),
        }

    def kubeconfig(self, token: str = TOKEN) -> Path:
        """Write a kubeconfig that reaches this server with *token*."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [
                {
                    "name": "here",
                    "context": {
                        "cluster": "here",
                        "user": "me",
                        "namespace": self.cluster.namespace,
                    },
                }
            ],
            "clusters": [
                {
                    "name": "here",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self._authority.certificate),
                    },
                }
            ],
            "users": [{"name": "me", "user": {"token": token}}],
        }
        written = self._folder / f"{token}.kubeconfig"
        written.write_text(yaml.safe_dump(config))
        written.chmod(0o600)
        return written

    def routes(self) -> list[Route]:
        """List what is answered."""
        apps = "/apis/apps/v1/namespaces/{namespace}"
        one = f"{apps}/deployments/{{name}}"
        core = "/api/v1/namespaces/{namespace}"
        return [
            *(Route(path, self._discovery) for path in discovery()),
            Route(f"{apps}/deployments", self._deployments),
            Route(one, self._deployment, methods=["GET", "PUT", "PATCH"]),
            Route(f"{one}/scale", self._scale, methods=["GET", "PUT", "PATCH"]),
            Route(f"{apps}/replicasets", self._sets),
            Route(f"{apps}/replicasets/{{name}}", self._set),
            Route(f"{core}/pods", self._pods),
            Route(f"{core}/pods/{{name}}/log", self._log),
            Route(f"{core}/events", self._events),
            Route(
                "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
                self._autoscalers,
            ),
        ]

    def method(self, path: str) -> str | None:
        """Name a call by what it is about: deployments, scale, replicasets, pods, events."""
        parts = path.strip("/").split("/")
        if "namespaces" not in parts:
            return None
        about = parts[parts.index("namespaces") + 2 :]
        return about[2] if len(about) > 2 else about[0] if about else None

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse(discovery()[request.url.path])

    async def _deployments(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        if request.query_params.get("watch") in {"true", "1"}:
            return StreamingResponse(self._watched(request), media_type="application/json")
        return self._listed(request, "DeploymentList", "apps/v1", self.cluster.deployments)

    async def _deployment(self, request: Request) -> Response:
        return await self._one(request, lambda it: it, lambda _old, new: new)

    async def _scale(self, request: Request) -> Response:
        def with_replicas(deployment: Object, scale: Object) -> Object:
            replicas = scale["spec"].get("replicas", 0)
            return dict(merged(deployment, {"spec": {"replicas": replicas}}))

        return await self._one(request, scale_of, with_replicas)

    async def _one(self, request: Request, shown: Any, kept: Any) -> Response:
        """Show or change one Deployment, as *shown*; what came of it is *kept*."""
        name = request.path_params["name"]
        refused = self._refusal(request)
        present = self.cluster.deployments.get(name)
        if refused or present is None:
            return refused or _status(404, "NotFound", f'deployments.apps "{name}" not found')
        if request.method == "GET":
            return JSONResponse(shown(present))
        body = json.loads(await request.body())
        try:
            new = self._changed(request, copy.deepcopy(shown(present)), body)
        except (Unpatchable, KeyError, IndexError) as error:
            return _status(422, "Invalid", f"the server rejected our request: {error}")
        if invalid := self._invalid(name, present, new):
            return invalid
        stored = kept(present, new)
        if request.query_params.get("dryRun") == "All":
            return JSONResponse(shown({**stored, "status": present["status"]}))
        self.changes.append((request.method, request.url.path, body))
        self.cluster.store(name, stored)
        return JSONResponse(shown(self.cluster.deployments[name]))

    def _invalid(self, name: str, present: Object, new: Object) -> Response | None:
        version = present["metadata"]["resourceVersion"]
        if new["metadata"].get("resourceVersion", version) != version:
            said = f'Operation cannot be fulfilled on deployments.apps "{name}": the object has'
            return _status(409, "Conflict", f"{said} been modified; please apply your changes")
        if new["spec"].get("replicas", 0) < 0:
            return _status(422, "Invalid", "spec.replicas: must be greater than or equal to 0")
        return None

    def _changed(self, request: Request, old: Object, body: Any) -> Object:
        if request.method == "PUT":
            return dict(body)
        kind = request.headers.get("content-type", "").partition(";")[0]
        patch = _PATCHES.get(kind)
        if patch is None:
            raise Unpatchable(f"unsupported media type {kind}")
        return dict(patch(old, body))

    async def _sets(self, request: Request) -> Response:
        refused = self._refusal(request)
        return refused or self._listed(request, "ReplicaSetList", "apps/v1", self.cluster.sets)

    async def _set(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        found = self.cluster.sets.get(request.path_params["name"])
        return JSONResponse(found) if found else _status(404, "NotFound", "no such replicaset")

    async def _pods(self, request: Request) -> Response:
        refused = self._refusal(request)
        return refused or self._listed(request, "PodList", "v1", self.cluster.pods)

    async def _log(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        if request.path_params["name"] not in self.cluster.pods:
            return _status(404, "NotFound", "no such pod")
        return PlainTextResponse(f"listening\nI am {request.path_params['name']}\n")

    async def _events(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        events = {each["metadata"]["name"]: each for each in self.cluster.events}
        return self._listed(request, "EventList", "v1", events)

    async def _autoscalers(self, request: Request) -> Response:
        if no := self._refusal(request):
            return no
        found = {each["metadata"]["name"]: each for each in self.cluster.autoscalers}
        return self._listed(request, "HorizontalPodAutoscalerList", "autoscaling/v2", found)

    def _listed(
        self, request: Request, kind: str, version: str, objects: dict[str, Object]
    ) -> Response:
        items = [each for each in objects.values() if selected(each, request.query_params)]
        meta = {"resourceVersion": self.cluster.version}
        return JSONResponse({"kind": kind, "apiVersion": version, "metadata": meta, "items": items})

    async def _watched(self, request: Request) -> AsyncIterator[str]:
        """Tell of Deployments as they change, after those that are there and a bookmark."""
        known: dict[str, str] = {}
        initial = request.query_params.get("sendInitialEvents") == "true"
        while True:
            self.cluster.reconcile()
            for name, each in self.cluster.deployments.items():
                version = each["metadata"]["resourceVersion"]
                if known.get(name) != version and selected(each, request.query_params):
                    kind = "MODIFIED" if name in known or not initial else "ADDED"
                    known[name] = version
                    yield json.dumps({"type": kind, "object": each}) + "\n"
            if initial:
                initial = False
                meta = {
                    "resourceVersion": self.cluster.version,
                    "annotations": {"k8s.io/initial-events-end": "true"},
                }
                end = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": meta}
                yield json.dumps({"type": "BOOKMARK", "object": end}) + "\n"
            await asyncio.sleep(_LOOK_SECONDS)

    def _refusal(self, request: Request) -> Response | None:
        """Refuse strangers, readers who write, and other namespaces; None lets through."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in {TOKEN, READER}:
            return _status(401, "Unauthorized", "Unauthorized")
        elsewhere = request.path_params["namespace"] != self.cluster.namespace
        if elsewhere or (token == READER and request.method != "GET"):
            verb = request.method.lower()
            return _status(403, "Forbidden", f'User "me" cannot {verb} in that namespace')
        self.asked.add(_named(request))
        self.cluster.reconcile()
        return None


def _named(request: Request) -> tuple[str, str]:
    """Name a request as a role does: a verb, and a resource with what is asked of it."""
    kind, *rest = request.url.path.partition("/namespaces/")[2].split("/")[1:]
    verb = {"PUT": "update", "PATCH": "patch"}.get(request.method, "get" if rest else "list")
    return verb, "/".join((kind, *rest[1:]))


def _status(code: int, reason: str, message: str) -> Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return JSONResponse(body, status_code=code)
