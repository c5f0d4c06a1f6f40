"""Restarting the one instance that runs away, and leaving the others to answer."""

from __future__ import annotations

import asyncio

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.errors import Refused
from activities.supervised import Running, Supervised
from activities.supervisor import Process, Processes
from activities.words import Done, Name, Order


class RestartInstance(Order):
    """An order to restart one instance, as long as it is the process that was seen."""

    app: Name = "pravado-api"
    instance: int = Field(ge=0)
    pid: int = Field(gt=0)
    """Of the process that runs away; another one in its place is left alone."""
    requested_at: AwareDatetime


class Runaways(Supervised):
    """Restarts single instances of one application; a process of anybody else it cannot reach."""

    @activity.defn(name="processes.restart_instance.read")
    async def restart_instance_read(self, order: RestartInstance) -> Running:
        """Keep the process, and what the application said last."""
        present = await self._present(order)
        if present is None or present.pid != order.pid:
            raise Refused(f"process {order.pid} is not instance {order.instance} any more")
        return Running(instances=(present,), logs=await self._logs())

    @activity.defn(name="processes.restart_instance")
    async def restart_instance(self, order: RestartInstance, before: Running) -> Done:
        """Restart the instance, unless another process has taken its place."""
        with attempt() as this:
            async with self._one_change(f"restarting instance {order.instance}"):
                return await self._restarted(order, before.instances[0], this)

    async def _restarted(self, order: RestartInstance, old: Process, this: Attempt) -> Done:
        present = await self._present(order)
        if not this.first and present is not None and not present.replaces(old):
            # The order of the attempt before may be on its way still.
            await asyncio.sleep(self._pace.settle_seconds)
            present = await self._present(order)
        if present is None:
            raise Refused(f"instance {order.instance} is gone: left to a person")
        if not present.replaces(old):
            await self._supervisor.restart(order.instance)
            this.acted()

        def missing(seen: Processes) -> str:
            new = _instance(seen, order.instance)
            if new is None:
                return f"instance {order.instance} is gone"
            return "" if new.online and new.replaces(old) else f"it is {new.status}"

        done = f"restarted instance {order.instance}"
        seen = await self._ready(missing, done=done)
        new = _instance(seen, order.instance)
        changed = not this.untouched
        said = f"{done} of {order.app}: process {old.pid} → {new.pid if new else '?'}"
        if not changed:
            said = f"instance {order.instance} was restarted already"
        return Done(said=said, changed=changed, at=new.started_at if new and changed else None)

    async def _present(self, order: RestartInstance) -> Process | None:
        self._check(order.app)
        return _instance(await self._supervisor.processes(), order.instance)


def _instance(seen: Processes, number: int) -> Process | None:
    return next((each for each in seen.instances if each.id == number), None)
