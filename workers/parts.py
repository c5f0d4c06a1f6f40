"""Activities sorted onto their task queues; those of a system that is not set up say so."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, TypeVar

from temporalio import activity

from activities.changes import READ, RENEW, STAGE, UNDO, attempt
from activities.errors import NotConfigured
from workers.looks import Check
from workflows.efforts import Queue
from workflows.procedures.base import activity_name

Activity = Callable[..., Any]
System = TypeVar("System")


class Parts:
    """Activities by queue, and the checks that a verification can name."""

    def __init__(self) -> None:
        self.activities: dict[Queue, list[Activity]] = {queue: [] for queue in Queue}
        self.checks: dict[str, Check] = {}
        self._systems: list[object] = []

    def add(self, *systems: object, queue: Queue | None = None) -> None:
        """Put the activities of *systems* on *queue*; without one, changes go apart from probes."""
        for system in systems:
            self._systems.append(system)
            self._sort(activities_of(system), queue)

    def find(self, kind: type[System]) -> System | None:
        """Give the system of *kind* that was added; None where it is not set up."""
        return next((each for each in self._systems if isinstance(each, kind)), None)

    def lack(self, name: str, setting: str, *kinds: type, queue: Queue | None = None) -> None:
        """Have every activity that one of *kinds* would have say that *name* is not configured."""
        for kind in kinds:
            self._sort(absent(kind, name, setting), queue)

    def _sort(self, activities: Iterable[Activity], queue: Queue | None) -> None:
        named = {activity_name(each): each for each in activities}
        for name, each in named.items():
            # A change is known by what is read before it.
            parts = (READ, UNDO, RENEW, STAGE)
            whole = next((name.removesuffix(e) for e in parts if name.endswith(e)), name)
            change = whole + READ in named
            self.activities[queue or (Queue.CHANGES if change else Queue.PROBES)].append(each)


def activities_of(system: object) -> list[Activity]:
    """List the activities that *system*, an object or its class, has."""
    members = inspect.getmembers(system, inspect.isroutine)
    return [each for _, each in members if hasattr(each, "__temporal_activity_definition")]


def absent(kind: type, system: str, setting: str) -> list[Activity]:
    """Make an activity that raises `NotConfigured` for each that *kind* would have."""

    def refusing(name: str) -> Activity:
        # Two arguments, for a change has them, and three for a stage; a probe's one is enough.
        @activity.defn(name=name)
        async def refuse(ask: Any, before: Any = None, share: float = 0) -> Any:  # noqa: ARG001
            # A worker that had it set up may have begun a change that comes to this one now.
            with attempt() if before is not None else nullcontext():
                raise NotConfigured(system, setting)

        return refuse

    return [refusing(activity_name(each)) for each in activities_of(kind)]
