"""The instances of the API: listed, scaled, and restarted one at a time."""

from __future__ import annotations

import asyncio

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.errors import Refused, Unavailable
from activities.supervised import Running, Supervised
from activities.supervisor import Process, Processes
from activities.words import Answer, Done, Name, Order


class App(Order):
    """A question about an application."""

    app: Name = "pravado-api"


class Scale(Order):
    """An order to have at least *replicas* instances, and never more than *most*."""

    app: Name = "pravado-api"
    replicas: int = Field(ge=1, le=100)
    most: int = Field(ge=1, le=100)

    def wanted(self, present: int) -> int:
        """Give the number to set where there are *present*: it never goes down."""
        return max(present, min(self.replicas, self.most))


class Replicas(Answer):
    """How many instances there were."""

    count: int


class RollingRestart(Order):
    """An order to restart every instance once."""

    app: Name = "pravado-api"
    requested_at: AwareDatetime
    """By the workflow's clock: it makes this restart a different one from the next."""


class ProcessManager(Supervised):
    """Asks one process manager, and changes what it keeps."""

    @activity.defn(name="processes.list")
    async def processes(self, ask: App) -> Processes:
        """List the instances of the application."""
        self._check(ask.app)
        return await self._supervisor.processes()

    @activity.defn(name="processes.scale.read")
    async def scale_read(self, order: Scale) -> Replicas:
        """Count the instances."""
        self._check(order.app)
        present = await self._supervisor.processes()
        # In fork mode a second copy finds the port taken, and crashes for ever.
        if order.wanted(len(present.instances)) > len(present.instances) and any(
            each.mode == "fork" for each in present.instances
        ):
            raise Refused(f"{order.app} runs in fork mode: a second copy could not have its port")
        return Replicas(count=len(present.instances))

    @activity.defn(name="processes.scale")
    async def scale(self, order: Scale, before: Replicas) -> Done:
        """Have the ordered number of instances, all of them online and healthy."""
        with attempt() as this:
            return await self._scaled(order.app, before.count, order.wanted(before.count), this)

    @activity.defn(name="processes.scale.undo")
    async def scale_undo(self, order: Scale, before: Replicas) -> Done:
        """Go back to the number of before, where the present one is still ours."""
        with attempt() as this:
            return await self._scaled(order.app, order.wanted(before.count), before.count, this)

    @activity.defn(name="processes.rolling_restart.read")
    async def rolling_restart_read(self, order: RollingRestart) -> Running:
        """Keep which processes run and what they said last."""
        self._check(order.app)
        present = await self._supervisor.processes()
        return Running(instances=present.instances, logs=await self._logs())

    @activity.defn(name="processes.rolling_restart")
    async def rolling_restart(self, order: RollingRestart, before: Running) -> Done:
        """Restart each instance of *before* that still runs: one at a time while any is healthy."""
        with attempt() as this:
            return await self._restarted(order, before, this)

    async def _restarted(self, order: RollingRestart, before: Running, this: Attempt) -> Done:
        self._check(order.app)
        async with self._one_change(f"restarting {order.app}"):
            present = await self._supervisor.processes()
            left = _left(present, before)
            if left and not this.first:
                # The order of the attempt before may be on its way still.
                await asyncio.sleep(self._pace.settle_seconds)
                present = await self._supervisor.processes()
                left = _left(present, before)
            one_at_a_time = await self._any_healthy(present)
            for position, old in enumerate(left):
                if position and one_at_a_time:
                    await asyncio.sleep(self._pace.ramp_seconds)
                await self._supervisor.restart(old.id)
                this.acted()
                if one_at_a_time:
                    await self._back(old, f"restarted {position + 1} of {len(left)} and stopped")
            done = await self._all_online(present, f"restarted all of {order.app}")
        changed = not this.untouched
        how = "one at a time" if one_at_a_time else "all at once, for none was healthy"
        pids = ", ".join(f"{old.id}: {old.pid} → {_pid(done, old.id)}" for old in before.instances)
        said = f"restarted {order.app}, {how} ({pids})" if changed else "all were restarted already"
        earlier = Processes(app=order.app, instances=before.instances).summary
        last_line = before.last_line
        return Done(
            said=f"{said}; before: {earlier}" + (f"; last line: {last_line}" if last_line else ""),
            changed=changed,
            at=max((each.started_at for each in done.instances if each.started_at), default=None),
        )

    async def _scaled(self, app: str, mine: int, wanted: int, this: Attempt) -> Done:
        """Go from *mine* to *wanted*; any other number is somebody else's."""
        self._check(app)
        if mine == wanted:
            return Done(said=f"{app} has {wanted} already", changed=False)
        async with self._one_change(f"scaling {app} to {wanted}"):
            count = await self._count() if this.first else await self._settled_count()
            between = not this.first and min(mine, wanted) < count < max(mine, wanted)
            if count not in {mine, wanted} and not between:
                raise Refused(f"{app} has {count} instances now, not {mine}: left to a person")
            if count != wanted:
                await self._supervisor.scale(wanted)
                this.acted()
            done = await self._ready(
                lambda seen: _wrong(seen, wanted),
                done=f"scaled {app} from {mine} to {wanted}",
            )
        changed = not this.untouched
        said = f"{app} scaled from {mine} to {wanted}" if changed else f"{app} has {wanted} already"
        newest = max((i.started_at for i in done.instances if i.started_at), default=None)
        return Done(said=said, changed=changed, at=newest if changed else None)

    async def _count(self) -> int:
        return len((await self._supervisor.processes()).instances)

    async def _settled_count(self) -> int:
        """Count until it stands still: pm2 scales by a difference, and two at once add up."""
        count = await self._count()
        for _ in range(5):
            await asyncio.sleep(self._pace.settle_seconds)
            earlier, count = count, await self._count()
            if count == earlier:
                return count
        raise Unavailable(f"the number of instances of {self._supervisor.app} does not stand still")

    async def _back(self, old: Process, done: str) -> None:
        def missing(seen: Processes) -> str:
            new = next((each for each in seen.instances if each.id == old.id), None)
            if new is None:
                return f"instance {old.id} is gone"
            return "" if new.online and new.replaces(old) else f"instance {old.id} is {new.status}"

        await self._ready(missing, done=done)

    async def _all_online(self, present: Processes, done: str) -> Processes:
        wanted = len(present.instances)
        return await self._ready(lambda seen: _wrong(seen, wanted), done=done)

    async def _any_healthy(self, present: Processes) -> bool:
        if not present.online:
            return False
        if self._health is None:
            return True
        for _ in range(3):  # the address is shared: each time another instance may answer
            if not await self._health.complaint():
                return True
        return False


def _left(present: Processes, before: Running) -> list[Process]:
    """List the processes of *before* that still run; one that is gone needs no restart."""
    now = {each.id: each for each in present.instances}
    return [old for old in before.instances if old.id in now and not now[old.id].replaces(old)]


def _wrong(seen: Processes, wanted: int) -> str:
    if len(seen.instances) != wanted:
        return f"{len(seen.instances)} instances instead of {wanted}"
    return "" if seen.online == wanted else f"{seen.online} of {wanted} online ({seen.summary})"


def _pid(seen: Processes, instance: int) -> str:
    return next((str(each.pid) for each in seen.instances if each.id == instance), "gone")
