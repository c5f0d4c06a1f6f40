"""Reading what was measured: no data is neither slow nor fine."""

from __future__ import annotations

from activities.host import Capacity
from activities.prometheus import Series, SeriesAnswer, Value


def number(answer: Value | None) -> float | None:
    """Give a value that was read and is one."""
    return answer.value if answer else None


def known(answer: SeriesAnswer | None) -> list[Series]:
    """List the series that have a value."""
    return [each for each in answer.series if each.value is not None] if answer else []


def slower(answer: SeriesAnswer | None, seconds: float) -> list[Series]:
    """List the series over *seconds*."""
    return [each for each in known(answer) if each.value is not None and each.value > seconds]


def over(answer: SeriesAnswer | None, seconds: float) -> str:
    """Name the series over *seconds*, each with its value."""
    return ", ".join(
        f"{'/'.join(each.labels.values()) or 'all'} {each.value:.2f} s"
        for each in slower(answer, seconds)
    )


def load_ratio(host: Capacity | None) -> float | None:
    """Give the load for each processor; over 1 something waits."""
    return host.load_1m / host.cores if host and host.cores and host.load_1m is not None else None


def memory_free_ratio(host: Capacity | None) -> float | None:
    """Give the share of the host's memory that a new process could have."""
    if host is None or not host.memory_total_bytes or host.memory_available_bytes is None:
        return None
    return host.memory_available_bytes / host.memory_total_bytes


def mebibytes(size: float) -> str:
    """Give bytes for people."""
    return f"{size / 2**20:.0f} MiB"
