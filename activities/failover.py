"""Fencing the old database before the platform is switched to its backup.

How a database is fenced is the platform's business: a program on the API's host, prepared and
tried by its team, which takes ``status`` (says ``open`` or ``fenced``) and ``fence``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from temporalio import activity

from activities import commands
from activities.changes import Targets, attempt, heartbeats
from activities.errors import NotConfigured, Refused, Unwell
from activities.ssh import Ssh
from activities.verification import Sample
from activities.words import Answer, Done, Order

TARGET = "primary database"
State = Literal["open", "fenced"]


class Fence(Order):
    """An order to keep every writer away from the database that the platform uses now."""


class BeforeFence(Answer):
    """Whether the old database took writers."""

    state: State


class Failover:
    """Runs the platform's own program for fencing, and believes only what it then says."""

    def __init__(self, ssh: Ssh, program: str, targets: Targets) -> None:
        self._ssh = ssh
        self._program = program
        self._targets = targets

    @activity.defn(name="failover.fence.read")
    async def fence_read(self, order: Fence) -> BeforeFence:  # noqa: ARG002
        """Ask whether it is fenced already."""
        return BeforeFence(state=await self._state())

    @activity.defn(name="failover.fence")
    async def fence(self, order: Fence, before: BeforeFence) -> Done:  # noqa: ARG002
        """Fence it, unless it is fenced; nothing else may follow before it says so."""
        with attempt() as this:
            async with self._targets.one_at_a_time(TARGET), heartbeats("fencing"):
                if await self._state() == "fenced":
                    said = "the old database was fenced already"
                    return Done(said=said, changed=not this.first)
                this.acted()
                (await self._ssh.run(commands.fence(self._program, "fence"))).must()
                if await self._state() != "fenced":
                    raise Unwell("the old database still takes writers: nothing is switched")
        return Done(said="the old database is fenced: nobody can write to it")

    async def fenced_sample(self) -> Sample:
        """Look once whether the old database is fenced."""
        fenced = await self._state() == "fenced"
        note = "" if fenced else "the old database takes writers"
        return Sample(at=datetime.now(UTC), good=fenced, note=note)

    async def _state(self) -> State:
        if not self._program:
            raise NotConfigured("fencing the old database", "failover.fence_program")
        said = (await self._ssh.run(commands.fence(self._program, "status"))).must().strip()
        if said == "open":
            return "open"
        if said == "fenced":
            return "fenced"
        raise Refused("the fencing program says neither open nor fenced")
