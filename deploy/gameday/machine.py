"""The machine that the API server is, modelled: all engineers of a game day share the real one.

What runs on it is real, and really measured: the processes below the one that stands for the
machine. What they are measured against is a small machine, so that one process can fill it.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

import psutil

PROCESSORS = 1
SPEED = 0.3
"""Of a processor of the real machine."""
MEMORY_BYTES = 1280 * 2**20
YOUNG_SECONDS = 5.0
"""So long a process starts up: what Python takes for that, no Node does."""
PID_FILE = "pid"
"""In the folder of the API server: the process that stands for it."""


class Use(NamedTuple):
    """What one process takes."""

    pid: int
    parent: int
    name: str
    user: str
    seconds: float
    """Of a processor of this machine, since it started."""
    bytes: int
    age: float


def tree(root: int) -> list[Use]:
    """Measure a process and all below it."""
    found: list[Use] = []
    try:
        whole = psutil.Process(root)
        processes = [whole, *whole.children(recursive=True)]
    except psutil.Error:
        return found
    for process in processes:
        try:
            with process.oneshot():
                times = process.cpu_times()
                found.append(
                    Use(
                        pid=process.pid,
                        parent=process.ppid(),
                        name=process.name(),
                        user=process.username(),
                        seconds=(times.user + times.system) / SPEED,
                        bytes=process.memory_info().rss,
                        age=time.time() - process.create_time(),
                    )
                )
        except psutil.Error:  # it ended meanwhile
            continue
    return found


def available(used: list[Use]) -> int:
    """Give the memory that is left."""
    return max(MEMORY_BYTES - sum(each.bytes for each in used), 0)


class Processors:
    """What the machine's processors did since this was first asked."""

    def __init__(self) -> None:
        self.busy = self.idle = 0.0
        """Seconds."""
        self._seen: dict[int, float] = {}
        self._at = 0.0

    def look(self, used: list[Use]) -> dict[int, float]:
        """Count what was done since the last look; give each process's share of a processor."""
        now, since = time.monotonic(), self._at
        spent = {
            each.pid: max(each.seconds - self._seen[each.pid], 0.0)
            for each in used
            if each.pid in self._seen and each.age > YOUNG_SECONDS
        }
        self._seen, self._at = {each.pid: each.seconds for each in used}, now
        if not since:
            return {}
        passed = now - since
        whole = PROCESSORS * passed
        # More than there is cannot be had: all that want it get less.
        fair = min(1.0, whole / total) if (total := sum(spent.values())) else 1.0
        busy = total * fair
        self.busy += busy
        self.idle += whole - busy
        return {pid: seconds * fair / passed for pid, seconds in spent.items()}


class Quota:
    """One disk: a real folder with real files, and the size that it may have."""

    def __init__(self, mount: str, root: Path, size: int, device: str) -> None:
        self.mount = mount
        self.root = root
        self.size = size
        self.device = device

    def used(self) -> int:
        """Measure what the files take."""
        found: dict[int, int] = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    about = (Path(folder) / name).lstat()
                except OSError:  # it went meanwhile
                    continue
                found[about.st_ino] = about.st_blocks * 512
        return sum(found.values())

    def free(self) -> int:
        """Give what is left."""
        return max(self.size - self.used(), 0)


def disks(host_folder: Path) -> tuple[Quota, Quota]:
    """Give the machine's disks: the one with everything on it, and another for archives."""
    return (
        Quota("/", host_folder / "disk", 200 * 2**20, "/dev/vda1"),
        Quota("/mnt/archive", host_folder / "archive", 400 * 2**20, "/dev/vdb1"),
    )


LOGS = "var/log/pravado"
"""Of the first disk: where the instances log to."""


def furnish(host_folder: Path) -> None:
    """Put on the disks what is on them on a normal day: a system, and logs of the last month."""
    first, other = disks(host_folder)
    for each in (first, other):
        each.root.mkdir(parents=True, exist_ok=True)
    logs = first.root / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    fill(first.root / "usr" / "lib" / "system.img", 40)
    for days in (9, 16, 23, 30):
        old = logs / f"access-{days}.log"
        fill(old, 2)
        then = time.time() - days * 86_400
        os.utime(old, (then, then))


def fill(file: Path, mebibytes: int) -> None:
    """Write real bytes: a hole in a file takes no place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    line = b"10.0.0.1 GET /api/orgs 200 12 ms\n" * 32
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write((line * 1024)[: 2**20])
