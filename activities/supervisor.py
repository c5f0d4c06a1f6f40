"""What a process manager can tell and do: the interface that `activities.pm2` fills."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import AwareDatetime, Field

from activities.errors import Refused, Unavailable
from activities.health import Health
from activities.pace import Pace
from activities.words import Answer

CLUSTER = "kubernetes"
"""The mode of an instance that is a pod."""


class Process(Answer):
    """One instance of an application."""

    id: int
    pid: int
    """0 while it does not run."""
    status: str
    """online, launching, stopping, stopped or errored"""
    restarts: int
    """By hand and by crash alike."""
    started_at: AwareDatetime | None = None
    """By its host's clock."""
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    mode: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    """Of the platform's known switches only; a variable that is not here is not set."""

    @property
    def online(self) -> bool:
        """Whether it runs."""
        return self.status == "online" and self.pid > 0

    def replaces(self, before: Process) -> bool:
        """Judge whether this is a newer process than *before* in the same place."""
        if self.pid in {0, before.pid}:
            return False
        return not (self.started_at and before.started_at and self.started_at < before.started_at)


class Processes(Answer):
    """The instances of an application."""

    app: str
    instances: tuple[Process, ...]
    environment: dict[str, str] = Field(default_factory=dict)
    """The values of known switches on which all instances agree."""
    notes: tuple[str, ...] = ()
    """What else people should know of them: who else sets what we set, what went wrong."""

    @property
    def on_cluster(self) -> bool:
        """Whether a cluster finds room for them, and not one host."""
        return any(each.mode == CLUSTER for each in self.instances)

    @property
    def online(self) -> int:
        """How many instances run."""
        return sum(each.online for each in self.instances)

    @property
    def summary(self) -> str:
        """The list in a line for a timeline."""
        states = (
            f"{each.id}: {each.status}, {each.restarts} restarts"
            + (f", {each.memory_bytes / 2**20:.0f} MiB" if each.memory_bytes else "")
            for each in self.instances[:10]
        )
        return "; ".join(states)


class Releases(Answer):
    """The releases that can be run without building anything, and the one that runs."""

    running: str
    """Empty where that cannot be told."""
    since: AwareDatetime | None = None
    """Since when what is started is that one, by the same clock as the processes' starts."""
    ready: tuple[str, ...] = ()
    """Built, and no incident has left them; in no order."""
    left: tuple[str, ...] = ()
    """Built, but an incident has rolled back from them."""
    rolling: str = ""
    """The rollout that is under way, in words; empty is none."""


class Keeper(Protocol):
    """Keeps releases: a host's folders, a cluster's revisions."""

    async def releases(self) -> Releases:
        """List the releases that are built."""


class Supervisor(Protocol):
    """A process manager with one application."""

    @property
    def app(self) -> str:
        """Name of the application."""

    @property
    def host(self) -> str:
        """Where it runs."""

    async def processes(self) -> Processes:
        """List the instances; an application that is not known is `Refused`."""

    async def scale(self, instances: int) -> None:
        """Set the number of instances."""

    async def restart(self, instance: int) -> None:
        """Restart one instance."""

    async def restart_with(self, environment: Mapping[str, str]) -> None:
        """Replace all instances, never all of them at a time, with other values of variables."""

    async def logs(self) -> str:
        """Give the last lines that were written, without credentials."""

    async def releases(self) -> Releases:
        """List the releases that are built: folders of a host, revisions of a Deployment."""

    async def switch_release(self, to: str, *, leaving: str) -> None:
        """Run *to* from now on, and mark *leaving* as one not to go back to; safe to repeat."""


async def ready(
    supervisor: Supervisor,
    health: Health | None,
    pace: Pace,
    missing: Callable[[Processes], str],
    *,
    done: str,
) -> Processes:
    """Wait until nothing is *missing*, twice in a row with the same processes, and it is healthy.

    Args:
        supervisor: Asked each time.
        health: Asked as well, where there is one.
        pace: How often, and how long.
        missing: What is still wrong with the list, in words; empty when nothing is.
        done: What was done before, for the error: "scaled from 4 to 5".
    """
    deadline = time.monotonic() + pace.ready_seconds
    pids: list[int] | None = None
    while True:
        try:
            present = await supervisor.processes()
        except Unavailable as lost:  # a busy host is asked again
            wrong, pids, unanswered = lost.message, None, True
        else:
            unanswered = False
            wrong = missing(present) or (await health.complaint() if health else "")
            # A process that crashes while it starts is online for a moment each time.
            if not wrong and pids == [each.pid for each in present.instances]:
                return present
            pids = None if wrong else [each.pid for each in present.instances]
        if time.monotonic() >= deadline:
            said = f"{done}, but after {pace.ready_seconds:g} s: {wrong or 'it keeps restarting'}"
            raise Unavailable(said) if unanswered else Refused(said)
        await asyncio.sleep(pace.poll_seconds)
