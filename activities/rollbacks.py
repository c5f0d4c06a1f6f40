"""Going back to an earlier release that is built already; nothing is built on a sick host."""

from __future__ import annotations

import asyncio
from datetime import datetime

from pydantic import AwareDatetime
from temporalio import activity

from activities.changes import Attempt, attempt
from activities.errors import Refused
from activities.supervised import Running, Supervised
from activities.supervisor import Process, Processes, Releases
from activities.words import Done, Name, Order


class Rollback(Order):
    """An order to leave one release for an earlier one."""

    app: Name = "pravado-api"
    to: Name
    leaving: Name
    """What must be running still: another deployment meanwhile is somebody's decision."""
    requested_at: AwareDatetime
    """By the workflow's clock: it makes this rollback a different one from the next."""


class RollbackBefore(Running):
    """What ran before a rollback, and of which release."""

    running: str


class Rollbacks(Supervised):
    """Switches one application to another of its releases.

    There is no undo: going forward again is a deployment, of a release that people have mended.
    """

    @activity.defn(name="deployments.rollback.read")
    async def rollback_read(self, order: Rollback) -> RollbackBefore:
        """Keep which release and which processes run, and what these said last."""
        self._check(order.app)
        releases = await self._supervisor.releases()
        _must_be_possible(order, releases)
        present = await self._supervisor.processes()
        return RollbackBefore(
            running=releases.running, instances=present.instances, logs=await self._logs()
        )

    @activity.defn(name="deployments.rollback")
    async def rollback(self, order: Rollback, before: RollbackBefore) -> Done:
        """Switch to the ordered release, and wait until no process of *before* is left."""
        self._check(order.app)
        with attempt() as this:
            async with self._one_change(f"rolling {order.app} back to {order.to}"):
                return await self._switched(order, before, this)

    async def _switched(self, order: Rollback, before: RollbackBefore, this: Attempt) -> Done:
        if before.running == order.to:
            return Done(said=f"{order.to} ran already: somebody was quicker", changed=False)
        now, present = await self._look(order)
        if not _switched(order, before, now, present):
            if not this.first:
                # The order of the attempt before may be on its way still.
                await asyncio.sleep(self._pace.settle_seconds)
                now, present = await self._look(order)
            if not _switched(order, before, now, present):
                await self._supervisor.switch_release(order.to, leaving=order.leaving)
                this.acted()
                now, _ = await self._look(order)
        wanted = len(present.instances)
        running = await self._ready(
            lambda seen: _missing(seen, before, now.since, wanted),
            done=f"switched {order.app} to {order.to}",
        )
        starts = [each.started_at for each in running.instances if each.started_at]
        last = before.last_line
        return Done(
            said=f"{order.app} went back from {order.leaving} to {order.to}"
            + (f"; the last line that {order.leaving} wrote: {last}" if last else ""),
            at=max(starts, default=None),
        )

    async def _look(self, order: Rollback) -> tuple[Releases, Processes]:
        """Look at what runs; what somebody else does meanwhile is refused."""
        releases = await self._supervisor.releases()
        _must_be_possible(order, releases)
        return releases, await self._supervisor.processes()


def _must_be_possible(order: Rollback, now: Releases) -> None:
    if now.running not in {order.leaving, order.to}:
        raise Refused(
            f"{now.running or 'no release that is known'} runs, not {order.leaving}: somebody has "
            "deployed meanwhile, so it is left to a person"
        )
    if now.rolling:
        raise Refused(f"not while a rollout is under way: {now.rolling}")
    if order.to not in now.ready:
        how = "was rolled back from earlier" if order.to in now.left else "is not built here"
        raise Refused(f"{order.to} {how}, and nothing is built on a host in trouble")


def _switched(order: Rollback, before: RollbackBefore, now: Releases, present: Processes) -> bool:
    return now.running == order.to and not _old(present, before, now.since)


def _old(present: Processes, before: RollbackBefore, since: datetime | None) -> list[Process]:
    """List the processes that run what ran *before*.

    One that crashed before the switch was begun anew from the old release: its start counts, and
    not its number alone.
    """
    then = {each.id: each for each in before.instances}
    return [
        each
        for each in present.instances
        if (each.id in then and not each.replaces(then[each.id]))
        or (since is not None and each.started_at is not None and each.started_at <= since)
    ]


def _missing(seen: Processes, before: RollbackBefore, since: datetime | None, wanted: int) -> str:
    if old := _old(seen, before, since):
        return f"instance {old[0].id} is still that of before"
    if len(seen.instances) != wanted:
        return f"{len(seen.instances)} instances instead of {wanted}"
    return "" if seen.online == wanted else f"{seen.online} of {wanted} online ({seen.summary})"
