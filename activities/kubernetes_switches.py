"""The switches of an application under Kubernetes: variables of its container.

The same activities as `activities.switches` has. The Deployment's template is what counts: it is
what every pod will have once it is rolled out, and a variable that was not there is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightkube.models.apps_v1 import Deployment
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.errors import Refused, Unavailable
from activities.kubernetes import Changed
from activities.kubernetes_app import KubernetesApp
from activities.kubernetes_rollout import rollout
from activities.switches import DECLARED, Declared, SetSwitches, Switch, SwitchValues
from activities.words import Done

_TRIES = 5


class KubernetesSwitches:
    """Sets the switches of one Deployment, all of an order in one rollout."""

    def __init__(
        self, app: KubernetesApp, *, declared: Mapping[Switch, Declared] = DECLARED
    ) -> None:
        self._app = app
        self._kubernetes = app.kubernetes
        self._declared = dict(declared)

    @activity.defn(name="switches.set.read")
    async def set_read(self, order: SetSwitches) -> SwitchValues:
        """Read what the ordered switches are now, and try the order without carrying it out."""
        self._app.check(order.app)
        deployment = await self._app.still()
        values = self._values(deployment, order)
        await self._set(deployment, dict(order.values), dry_run=True)
        return SwitchValues(values=values)

    @activity.defn(name="switches.set")
    async def set(self, order: SetSwitches, before: SwitchValues) -> Done:
        """Set the switches, where they are still as *before*."""
        with attempt() as this:
            return await self._change(order, this, mine=before.values, wanted=dict(order.values))

    @activity.defn(name="switches.set.undo")
    async def set_undo(self, order: SetSwitches, before: SwitchValues) -> Done:
        """Put back what was there, where it is still what we set."""
        with attempt() as this:
            return await self._change(order, this, mine=dict(order.values), wanted=before.values)

    async def _change(
        self,
        order: SetSwitches,
        this: Attempt,
        *,
        mine: Mapping[Switch, str | None],
        wanted: Mapping[Switch, str | None],
    ) -> Done:
        self._app.check(order.app)
        said = _said(wanted)
        async with self._app.one_change(f"setting {said}"):
            await self._want(order, this, mine, wanted)
            done = await self._app.until_out(f"set {said}")
        newest = max((i.started_at for i in done.instances if i.started_at), default=None)
        changed = not this.untouched and dict(mine) != dict(wanted)
        return Done(
            said=f"{'set' if changed else 'already set'}: {said}", changed=changed, at=newest
        )

    async def _want(
        self,
        order: SetSwitches,
        this: Attempt,
        mine: Mapping[Switch, str | None],
        wanted: Mapping[Switch, str | None],
    ) -> None:
        for _ in range(_TRIES):
            deployment = await self._kubernetes.deployment()
            present = self._values(deployment, order)
            if present == dict(wanted):
                return
            for switch, value in present.items():
                if value not in {mine.get(switch), wanted.get(switch)}:
                    raise Refused(
                        f"{switch} is {_shown(value)} and was {_shown(mine.get(switch))}: "
                        "somebody changed it, so it is left to a person"
                    )
            if waits := rollout(deployment).waits:
                raise Refused(f"a rollout of {order.app} is under way: {waits}")
            self._app.running(deployment)
            try:
                await self._set(deployment, wanted)
            except Changed:  # by a status mostly: the values are looked at again
                continue
            this.acted()
            return
        raise Unavailable(f"{order.app} changes all the time")

    async def _set(
        self,
        deployment: Deployment,
        wanted: Mapping[Switch, str | None],
        *,
        dry_run: bool = False,
    ) -> None:
        environment: list[dict[str, Any]] = []
        for switch, value in wanted.items():
            name = self._declared[switch].variable
            gone = {"name": name, "$patch": "delete"}
            environment.append(gone if value is None else {"name": name, "value": value})
        container = {"name": self._kubernetes.container(deployment).name, "env": environment}
        version = (deployment.metadata and deployment.metadata.resourceVersion) or ""
        template = {"spec": {"containers": [container]}}
        await self._kubernetes.patch_template(template, version, dry_run=dry_run)

    def _values(self, deployment: Deployment, order: SetSwitches) -> dict[Switch, str | None]:
        """Read the ordered switches; one that comes from elsewhere cannot be put back."""
        listed = self._kubernetes.container(deployment).env or []
        variables = {each.name: each for each in listed}
        values: dict[Switch, str | None] = {}
        for switch in order.values:
            variable = variables.get(self._declared[switch].variable)
            if variable is not None and variable.valueFrom is not None:
                raise Refused(f"{switch} is kept in a Secret or a ConfigMap: it is set there")
            values[switch] = None if variable is None else variable.value or ""
        return values


def _said(values: Mapping[Switch, str | None]) -> str:
    return ", ".join(f"{switch} = {_shown(value)}" for switch, value in sorted(values.items()))


def _shown(value: str | None) -> str:
    return "not set" if value is None else value[:40]
