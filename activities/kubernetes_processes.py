"""The API's pods: listed, scaled, and restarted by a rollout.

The same activities as `activities.processes` has, for a Deployment: pods have no names that last,
so what is changed is the Deployment's wish, and the cluster's controller does the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lightkube.models.apps_v1 import Deployment
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.errors import Refused, Unavailable
from activities.kubernetes import Changed
from activities.kubernetes_app import KubernetesApp
from activities.processes import App, Replicas, RollingRestart, Scale
from activities.supervised import Running
from activities.supervisor import Processes
from activities.words import Done

_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_TRIES = 5


class KubernetesProcesses:
    """Asks for one Deployment's pods, and changes how many there are and when they began."""

    def __init__(self, app: KubernetesApp) -> None:
        self._app = app
        self._kubernetes = app.kubernetes

    @activity.defn(name="processes.list")
    async def processes(self, ask: App) -> Processes:
        """List the pods of the application."""
        self._app.check(ask.app)
        return await self._app.processes()

    @activity.defn(name="processes.scale.read")
    async def scale_read(self, order: Scale) -> Replicas:
        """Read how many pods are wanted, and try the order without carrying it out."""
        self._app.check(order.app)
        count, version = await self._kubernetes.replicas()
        wanted = order.wanted(count)
        if wanted != count:
            autoscaler = await self._kubernetes.autoscaler()
            if autoscaler is not None and autoscaler.spec is not None:
                raise Refused(
                    f"an autoscaler sets the number of pods of {order.app}, up to "
                    f"{autoscaler.spec.maxReplicas}: raise its minimum instead"
                )
            await self._kubernetes.set_replicas(wanted, version, dry_run=True)
        return Replicas(count=count)

    @activity.defn(name="processes.scale")
    async def scale(self, order: Scale, before: Replicas) -> Done:
        """Have the ordered number of pods, all of them available."""
        with attempt() as this:
            return await self._scaled(order.app, before.count, order.wanted(before.count), this)

    @activity.defn(name="processes.scale.undo")
    async def scale_undo(self, order: Scale, before: Replicas) -> Done:
        """Go back to the number of before, where the present one is still ours."""
        with attempt() as this:
            return await self._scaled(order.app, order.wanted(before.count), before.count, this)

    @activity.defn(name="processes.rolling_restart.read")
    async def rolling_restart_read(self, order: RollingRestart) -> Running:
        """Keep which pods run and what one said last, and try the order."""
        self._app.check(order.app)
        await self._app.still()
        present = await self._app.processes()
        await self._restart(order, dry_run=True)
        return Running(instances=present.instances, logs=await self._app.logs())

    @activity.defn(name="processes.rolling_restart")
    async def rolling_restart(self, order: RollingRestart, before: Running) -> Done:
        """Have every pod begin anew, as ``kubectl rollout restart`` does, and wait for the last."""
        self._app.check(order.app)
        with attempt() as this:
            async with self._app.one_change(f"restarting {order.app}"):
                present = await self._kubernetes.deployment()
                if _restarted_at(present) < _stamp(order.requested_at):
                    await self._app.still()
                    await self._restart(order)
                    this.acted()
                done = await self._app.until_out(f"restarted {order.app}")
        earlier = Processes(app=order.app, instances=before.instances).summary
        last = before.logs.splitlines()[-1][:200] if before.logs else ""
        said = f"restarted all {len(done.instances)} pods of {order.app} by a rollout"
        return Done(
            said=f"{said}; before: {earlier}" + (f"; last line: {last}" if last else ""),
            changed=not this.untouched,
            at=max((each.started_at for each in done.instances if each.started_at), default=None),
        )

    async def _restart(self, order: RollingRestart, *, dry_run: bool = False) -> None:
        annotations = {_RESTARTED_AT: _stamp(order.requested_at)}
        template = {"metadata": {"annotations": annotations}}
        await self._kubernetes.patch_template(template, dry_run=dry_run)

    async def _scaled(self, app: str, mine: int, wanted: int, this: Attempt) -> Done:
        """Go from *mine* to *wanted*; any other number is somebody else's."""
        self._app.check(app)
        if mine == wanted:
            return Done(said=f"{app} has {wanted} already", changed=False)
        async with self._app.one_change(f"scaling {app} to {wanted}"):
            await self._want(mine, wanted, this)
            done = await self._app.until_out(f"scaled {app} from {mine} to {wanted}")
        changed = not this.untouched
        said = f"{app} scaled from {mine} to {wanted}" if changed else f"{app} has {wanted} already"
        newest = max((i.started_at for i in done.instances if i.started_at), default=None)
        return Done(said=said, changed=changed, at=newest if changed else None)

    async def _want(self, mine: int, wanted: int, this: Attempt) -> None:
        for _ in range(_TRIES):
            count, version = await self._kubernetes.replicas()
            if count == wanted:
                return
            if count != mine:
                name = self._kubernetes.name
                raise Refused(f"{name} has {count} pods now, not {mine}: left to a person")
            try:
                await self._kubernetes.set_replicas(wanted, version)
            except Changed:  # by a status mostly: the number is looked at again
                continue
            this.acted()
            return
        raise Unavailable(f"{self._kubernetes.name} changes all the time")


def _stamp(at: datetime) -> str:
    """Write a time as kubectl does: by the second, so that texts compare as times do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _restarted_at(deployment: Deployment) -> str:
    template = deployment.spec.template if deployment.spec else None
    meta = template.metadata if template else None
    written = ((meta and meta.annotations) or {}).get(_RESTARTED_AT, "")
    try:
        # By hand it is written in the time zone of whoever did it.
        return _stamp(datetime.fromisoformat(written)) if written else ""
    except ValueError:
        return ""
