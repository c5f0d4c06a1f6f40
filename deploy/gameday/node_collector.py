"""What the API server's processors, memory and disks do, as node_exporter tells it."""

import asyncio

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as Source

from deploy.gameday import machine
from deploy.gameday.collector import Collector, Settings


class Node(Collector):
    """The job "api-host": the modelled machine, and what really runs on it."""

    job = "api-host"
    path = "/node"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._source = _Node(settings)
        self.registry = CollectorRegistry()
        self.registry.register(self._source)

    async def look(self) -> None:
        """Measure everything once; without the machine there are no series."""
        await asyncio.to_thread(self._source.look)


class _Node(Source):
    """The series of the last look."""

    def __init__(self, settings: Settings) -> None:
        self._pid = settings.host_folder / machine.PID_FILE
        self._disks = machine.disks(settings.host_folder)
        self._processors = machine.Processors()
        self._available = 0
        self._free: dict[str, int] = {}

    def look(self) -> None:
        used = machine.tree(int(self._pid.read_text()))
        if not used:
            raise ProcessLookupError("the API server does not run")
        self._processors.look(used)
        self._available = machine.available(used)
        self._free = {disk.mount: disk.free() for disk in self._disks}

    def collect(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        if not self._free:
            return []
        seconds = CounterMetricFamily(
            "node_cpu_seconds_total", "Seconds of each mode.", labels=["cpu", "mode"]
        )
        seconds.add_metric(["0", "user"], self._processors.busy)
        seconds.add_metric(["0", "idle"], self._processors.idle)
        labels = ["device", "fstype", "mountpoint"]
        size = GaugeMetricFamily("node_filesystem_size_bytes", "Size.", labels=labels)
        left = GaugeMetricFamily("node_filesystem_avail_bytes", "Left.", labels=labels)
        for disk in self._disks:
            size.add_metric([disk.device, "ext4", disk.mount], disk.size)
            left.add_metric([disk.device, "ext4", disk.mount], self._free[disk.mount])
        total = GaugeMetricFamily(
            "node_memory_MemTotal_bytes", "Memory.", value=machine.MEMORY_BYTES
        )
        available = GaugeMetricFamily(
            "node_memory_MemAvailable_bytes", "Memory that is left.", value=self._available
        )
        return [seconds, size, left, total, available]
