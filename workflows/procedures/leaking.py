"""Memory of the API that grows, and the restart that frees it."""

from __future__ import annotations

from activities.host import Host
from activities.prometheus import Prometheus, Query
from activities.words import Nothing
from workflows import promql
from workflows.procedures.base import Cause, Evidence, Probe
from workflows.procedures.instances import ActsOnInstances, warming_up
from workflows.procedures.measured import mebibytes, memory_free_ratio, number

_HOUR = 3600


class FreesMemory(ActsOnInstances):
    """Knows how the API's memory goes, and plans the restart that frees it."""

    memory = Probe(
        Prometheus.value, Query(expression=promql.MEMORY_BYTES), why="memory of the API now"
    )
    slope = Probe(
        Prometheus.value, Query(expression=promql.MEMORY_SLOPE), why="growth of the API's memory"
    )
    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")

    def memory_grows(self, seen: Evidence) -> Cause | None:
        """Restart one instance after the other, where memory grows fast or the host is short."""
        memory, slope = number(seen[self.memory]), number(seen[self.slope])
        if not memory or slope is None or slope <= 0 or warming_up(seen[self.instances], seen.at):
            return None
        free = memory_free_ratio(seen[self.capacity])
        short = free is not None and 1 - free > self.given.memory_high_ratio
        growth = slope * _HOUR / memory
        if growth < self.given.memory_growth_ratio and not short:
            return None
        steps, findings = self.rolling_restart(
            seen, why="it frees what has piled up; the leak itself is for people to find"
        )
        words = f"memory grows by {growth:.0%} an hour, {mebibytes(memory)} now"
        return Cause(words, steps, (*findings, "find the leak: a restart only gains time"))
