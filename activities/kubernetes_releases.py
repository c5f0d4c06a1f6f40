"""The releases of an application under Kubernetes: the ReplicaSets that its Deployment keeps.

A release is called by its ReplicaSet's name, which lasts: a revision's number does not, for
Kubernetes gives the revision that is gone back to a new one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lightkube.models.apps_v1 import Deployment, ReplicaSet
from lightkube.models.core_v1 import PodTemplateSpec
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.deployments import Release, Told
from activities.errors import Refused, Unavailable
from activities.kubernetes import Changed
from activities.kubernetes_app import KubernetesApp
from activities.kubernetes_rollout import rollout
from activities.rollbacks import Rollback, RollbackBefore
from activities.supervisor import Releases
from activities.words import Done

LEFT = "incident-responder/left"
"""The annotation that names the releases which an incident has rolled back from."""
MIGRATIONS = "incident-responder/migrations"
SCHEMA = "incident-responder/schema-changed"
"""The annotations by which a Deployment can tell what a release of it changes: true or false."""
_TOLD = {"true": True, "false": False}
_KEPT = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)
"""The Deployment's own annotations: going back does not take these from the earlier release."""
_HASH = "pod-template-hash"
_MOST_LEFT = 10
_TRIES = 5


class KubernetesHistory:
    """Tells of the last releases, as the cluster keeps them."""

    title = "the Deployment's revisions"

    def __init__(self, app: KubernetesApp) -> None:
        self._kubernetes = app.kubernetes

    async def releases(self, most: int) -> Told:
        """List the last releases, newest first."""
        deployment = await self._kubernetes.deployment()
        sets = await self._kubernetes.sets(deployment)
        left, under_way = _left(deployment), not rollout(deployment).done
        told = [
            _release(each, before, left=_name(each) in left, under_way=under_way and not place)
            for place, (each, before) in enumerate(zip(sets, [*sets[1:], None], strict=True))
        ]
        return Told(told[:most])


class KubernetesReleases:
    """Lists the releases that the cluster keeps, and goes back to one of them."""

    def __init__(self, app: KubernetesApp) -> None:
        self._app = app
        self._kubernetes = app.kubernetes

    async def releases(self) -> Releases:
        """List what can be gone back to, and what runs."""
        deployment = await self._kubernetes.deployment()
        sets = await self._kubernetes.sets(deployment)
        names, left = [_name(each) for each in sets], _left(deployment)
        now = rollout(deployment)
        return Releases(
            running=names[0] if names else "",
            ready=tuple(name for name in names if name not in left),
            left=tuple(name for name in names if name in left),
            rolling=now.waits,
        )

    @activity.defn(name="deployments.rollback.read")
    async def rollback_read(self, order: Rollback) -> RollbackBefore:
        """Keep which release and which pods run, and try the order without carrying it out."""
        self._app.check(order.app)
        deployment = await self._kubernetes.deployment()
        sets = await self._kubernetes.sets(deployment)
        target = self._possible(order, deployment, sets)
        if _name(sets[0]) != order.to:
            await self._undo(order, deployment, target, dry_run=True)
        present = await self._app.processes()
        logs = await self._app.logs()
        return RollbackBefore(running=_name(sets[0]), instances=present.instances, logs=logs)

    @activity.defn(name="deployments.rollback")
    async def rollback(self, order: Rollback, before: RollbackBefore) -> Done:
        """Go back to the ordered release, and wait until every pod is one of it."""
        self._app.check(order.app)
        with attempt() as this:
            async with self._app.one_change(f"rolling {order.app} back to {order.to}"):
                if before.running == order.to:
                    return Done(said=f"{order.to} ran already: somebody was quicker", changed=False)
                await self._want(order, this)
                done = await self._app.until_out(f"rolled {order.app} back to {order.to}")
        starts = [each.started_at for each in done.instances if each.started_at]
        last = before.logs.splitlines()[-1][:200] if before.logs else ""
        return Done(
            said=f"{order.app} went back from {order.leaving} to {order.to}"
            + (f"; the last line that {order.leaving} wrote: {last}" if last else ""),
            changed=not this.untouched,
            at=max(starts, default=None),
        )

    async def _want(self, order: Rollback, this: Attempt) -> None:
        for _ in range(_TRIES):
            deployment = await self._kubernetes.deployment()
            sets = await self._kubernetes.sets(deployment)
            target = self._possible(order, deployment, sets)
            if _name(sets[0]) == order.to or _same(deployment, target):
                return
            try:
                await self._undo(order, deployment, target)
            except Changed:  # by a status mostly: what runs is looked at again
                continue
            this.acted()
            return
        raise Unavailable(f"{order.app} changes all the time")

    def _possible(
        self, order: Rollback, deployment: Deployment, sets: list[ReplicaSet]
    ) -> ReplicaSet:
        """Find the release to go back to; what somebody else does meanwhile is refused."""
        self._app.running(deployment)
        found = {_name(each): each for each in sets}
        now = _name(sets[0]) if sets else ""
        if now not in {order.leaving, order.to}:
            raise Refused(
                f"{now or 'no release that is known'} runs, not {order.leaving}: somebody has "
                "deployed meanwhile, so it is left to a person"
            )
        waits = rollout(deployment).waits
        if waits and now == order.leaving and not _same(deployment, found.get(order.to)):
            raise Refused(f"not while a rollout is under way: {waits}")
        if order.to not in found:
            raise Refused(f"{order.to} is not kept by the cluster any more")
        if order.to in _left(deployment):
            raise Refused(f"{order.to} was rolled back from earlier")
        return found[order.to]

    async def _undo(
        self,
        order: Rollback,
        deployment: Deployment,
        target: ReplicaSet,
        *,
        dry_run: bool = False,
    ) -> None:
        """Do as ``kubectl rollout undo --to-revision`` does, if nothing changed meanwhile."""
        meta = deployment.metadata
        present = (meta and meta.annotations) or {}
        earlier = (target.metadata and target.metadata.annotations) or {}
        annotations = {name: text for name, text in earlier.items() if name not in _KEPT}
        annotations |= {name: text for name, text in present.items() if name in _KEPT}
        left = [*(each for each in _left(deployment) if each != order.leaving), order.leaving]
        annotations[LEFT] = json.dumps(left[-_MOST_LEFT:])
        version = (meta and meta.resourceVersion) or ""
        template = _without_hash(await self._kubernetes.template(_name(target)))
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]
        await self._kubernetes.replace(operations, dry_run=dry_run)


def _name(made: ReplicaSet) -> str:
    return (made.metadata and made.metadata.name) or ""


def _left(deployment: Deployment) -> list[str]:
    annotations = (deployment.metadata and deployment.metadata.annotations) or {}
    try:
        named = json.loads(annotations.get(LEFT, "[]"))
    except ValueError:
        return []
    return [str(each) for each in named] if isinstance(named, list) else []


def _without_hash(template: dict[str, Any]) -> dict[str, Any]:
    """Give a ReplicaSet's template without the label that the controller adds."""
    template.get("metadata", {}).get("labels", {}).pop(_HASH, None)
    return template


def _same(deployment: Deployment, target: ReplicaSet | None) -> bool:
    """Judge whether the Deployment wants what *target* has, though no pod may have it yet."""
    if target is None or target.spec is None or deployment.spec is None:
        return False
    kept = target.spec.template
    return bool(kept and deployment.spec.template.to_dict() == _without_hash(kept.to_dict()))


def _release(
    made: ReplicaSet, before: ReplicaSet | None, *, left: bool, under_way: bool
) -> Release:
    meta = made.metadata
    if meta is None or meta.creationTimestamp is None:
        raise Unavailable("a ReplicaSet without a time of its making")
    told = meta.annotations or {}
    return Release(
        name=_name(made),
        at=meta.creationTimestamp,
        commit=_commit(made),
        migrations=_TOLD.get(told.get(MIGRATIONS, "")),
        schema_changed=_TOLD.get(told.get(SCHEMA, "")),
        environment_changed=None if before is None else _environment(made) != _environment(before),
        under_way=under_way,
        ready=not left,
        left=left,
    )


def _commit(made: ReplicaSet) -> str:
    """Read the commit that images are tagged with, where they are."""
    tags = [(each.image or "").rpartition(":")[2] for each in _containers(made)]
    return next((tag for tag in tags if re.fullmatch(r"[0-9a-f]{7,40}", tag)), "")


def _containers(made: ReplicaSet) -> list[Any]:
    template: PodTemplateSpec | None = made.spec.template if made.spec else None
    return list(template.spec.containers) if template and template.spec else []


def _environment(made: ReplicaSet) -> list[Any]:
    return [
        (each.name, [env.to_dict() for env in each.env or []],
         [source.to_dict() for source in each.envFrom or []])
        for each in _containers(made)
    ]  # fmt: skip
