"""What probes find on a usual day, for every situation to differ from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from activities.host import Capacity
from activities.host_processes import Busiest, Largest, ProcessUse, ThreadUse
from activities.postgres import Connections
from activities.prometheus import Series, SeriesAnswer, Value
from activities.supervisor import Process, Processes
from workflows.situations.base import AT

MIB = 2**20
GIB = 2**30


def value(number: float | None) -> Value:
    """Make a value that Prometheus gave."""
    return Value(value=number, at=AT)


def series(label: str, values: Mapping[str, float | None]) -> SeriesAnswer:
    """Make series that Prometheus gave, by one label."""
    return SeriesAnswer(
        series=tuple(Series(labels={label: name}, value=each) for name, each in values.items())
    )


def instances(
    count: int = 2,
    *,
    up: timedelta = timedelta(days=1),
    status: str = "online",
    restarts: int = 1,
    memory: int = 200 * MIB,
    environment: Mapping[str, str] | None = None,
) -> Processes:
    """Make the instances of the API, all alike."""
    return Processes(
        app="pravado-api",
        instances=tuple(
            Process(
                id=number,
                pid=4100 + number,
                status=status,
                restarts=restarts,
                started_at=AT - up,
                memory_bytes=memory,
                environment=dict(environment or {}),
            )
            for number in range(count)
        ),
    )


def capacity(*, load: float = 1.0, memory_left: int = 4 * GIB, memory: int = 8 * GIB) -> Capacity:
    """Make the API's host: four processors, and 8 GiB where nothing else is said."""
    return Capacity(
        cores=4,
        load_1m=load,
        cpu_busy_ratio=0.25,
        memory_total_bytes=memory,
        memory_available_bytes=memory_left,
        disk_free_ratio=0.6,
    )


def connections(used: int = 50, most: int = 200) -> Connections:
    """Make the database's connections."""
    return Connections(used=used, max=most, reserved=3, used_ratio=used / most)


def busiest(*percents: float, other: float | None = None) -> Busiest:
    """Make what the instances of the API take of a processor each, and *other* for a back-up."""
    processes = [
        ProcessUse(pid=4100 + number, user="app", name="node", cpu_percent=percent)
        for number, percent in enumerate(percents)
    ]
    if other is not None:
        processes.append(ProcessUse(pid=9001, user="root", name="backup", cpu_percent=other))
    processes.sort(key=lambda process: process.cpu_percent or 0, reverse=True)
    thread = ThreadUse(id=4100, name="node", cpu_percent=max(percents))
    return Busiest(processes=tuple(processes), threads=(thread,), cores=4, runnable=3)


def largest(*, node: int = 200 * MIB) -> Largest:
    """Make what takes the memory of the API's host: an instance of the API, and Redis."""
    return Largest(
        processes=(
            ProcessUse(pid=4100, user="app", name="node", memory_bytes=node),
            ProcessUse(pid=812, user="redis", name="redis", memory_bytes=60 * MIB),
        ),
        counted=120,
    )
