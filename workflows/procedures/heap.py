"""The heap limit of the API's instances, and when a larger one is safe."""

from __future__ import annotations

import re

from activities.host import Host
from activities.record import Asks
from activities.switches import Switch
from activities.words import Nothing
from workflows.procedures.base import Evidence, Probe, Step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import mebibytes

_HEAP = re.compile(r"heap out of memory|Reached heap limit", re.IGNORECASE)


class RaisesHeap(ActsOnInstances):
    """Knows the instances' heap limit, and plans to raise it where the host has the memory."""

    logs = Probe(Host.logs, Nothing(), why="last 100 lines that the API wrote")
    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")

    def raise_heap(self, seen: Evidence) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan a larger heap limit, only if all instances at their limit fit into the host."""
        running, host, wanted = seen[self.instances], seen[self.capacity], self.given
        limit = wanted.node_heap_megabytes
        present = self.present(seen, Switch.NODE_HEAP_MB)
        total = host.memory_total_bytes if host else None
        if running is None or not total or not present.isdecimal():
            return (), ("the heap limit stays: instances, their limit or memory could not be read",)
        if int(present) >= limit:
            return (), (f"the heap limit is {present} MB already",)
        count, room = len(running.instances), wanted.memory_high_ratio * total
        if count * limit * 2**20 > room:
            against = f"{count} instances of {limit} MB do not fit into {mebibytes(room)}"
            return (), (f"the heap limit stays at {present} MB: {against}",)
        short = self.heap_ran_out(seen)
        why = (
            "instances ended for lack of heap, and the host has the memory"
            if short
            else "it gains time where the heap is what is short; nothing in the logs says so"
        )
        step = self.set_switches(
            seen,
            {Switch.NODE_HEAP_MB: str(limit)},
            why=why,
            expect="instances are not ended at their old limit",
            asks=Asks.POLICY if short else Asks.ALWAYS,
        )
        return (step,), ()

    def heap_ran_out(self, seen: Evidence) -> bool:
        """Whether the API wrote that its heap ran out."""
        logs = seen[self.logs]
        return logs is not None and _HEAP.search(logs.text) is not None
