"""What every change of the application's instances needs, whichever change it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from activities.changes import Targets, heartbeats
from activities.errors import Refused
from activities.health import Health
from activities.pace import Pace
from activities.supervisor import Process, Processes, Supervisor, ready
from activities.words import Answer


class Running(Answer):
    """What ran before a change, and the last that it said: a restart loses both."""

    instances: tuple[Process, ...]
    logs: str = ""

    @property
    def last_line(self) -> str:
        """The last line of the logs, as much of it as is worth repeating."""
        return self.logs.splitlines()[-1][:200] if self.logs else ""


class Supervised:
    """Changes the one application of a process manager; no two changes at a time."""

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        targets: Targets,
        health: Health | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._targets = targets
        self._health = health
        self._pace = pace or Pace(ready_seconds=60.0)

    def _check(self, app: str) -> None:
        if app != self._supervisor.app:
            raise Refused(f"{app} is not the application of the settings ({self._supervisor.app})")

    async def _logs(self) -> str:
        """Give the last lines; where they cannot be read, why: that stops no change."""
        try:
            return await self._supervisor.logs()
        except Refused as refused:
            return f"could not be read: {refused.message}"

    @asynccontextmanager
    async def _one_change(self, note: str) -> AsyncIterator[None]:
        target = f"{self._supervisor.host}/{self._supervisor.app}"
        async with self._targets.one_at_a_time(target), heartbeats(note):
            yield

    async def _ready(self, missing: Callable[[Processes], str], *, done: str) -> Processes:
        return await ready(self._supervisor, self._health, self._pace, missing, done=done)
