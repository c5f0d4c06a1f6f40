"""What the API server says of itself: its processors, its memory and its processes."""

import asyncio
import os
import time
from pathlib import Path

import httpx
import psutil

from deploy.gameday import machine
from deploy.gameday.disk_commands import DiskCommands
from deploy.gameday.said import Said

_SAMPLE_SECONDS = 1.0
_HERTZ = 100
_HEAD = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"


class MachineCommands:
    """Commands that tell of the real processes, measured against the modelled machine."""

    def __init__(self, folder: Path) -> None:
        self.disks = DiskCommands(folder)
        self._processors = machine.Processors()

    async def run(self, words: list[str]) -> Said | None:
        """Carry out one command; None is one of somebody else's."""
        plain = words[2:] if words[:2] == ["env", "LC_ALL=C"] else words
        text = await self._told(plain)
        if text is not None:
            return Said(text)
        match plain:
            case ["curl", *_, "--max-time", seconds, "--write-out", "%{http_code}", url]:
                return await _health(url, float(seconds))
        return await self.disks.run(plain)

    async def _told(self, words: list[str]) -> str | None:
        """Tell of the processes; None is asked of something else."""
        match words:
            case ["nproc"]:
                text = f"{machine.PROCESSORS}\n"
            case ["free", "-b"]:
                text = _memory(machine.available(_tree()))
            case ["cat", "/proc/stat"]:
                text = await asyncio.to_thread(self._stat)
            case ["top", "-b", *_]:
                text = await self._top()
            case ["top", "-H", "-b", *_, "-p", pids]:
                text = await self._threads([int(pid) for pid in pids.split(",")])
            case ["ps", "-eo", *_]:
                text = "".join(_listed(each) for each in _by_memory())
            case ["ps", "-o", "pid=,comm=", "-p", pids]:
                named = {f"{each.pid}": each.name for each in _tree()}
                text = "".join(f"{p} {named[p]}\n" for p in pids.split(",") if p in named)
            case ["find", "/proc", *_]:
                text = "".join(await asyncio.to_thread(_deleted))
            case _:
                return None
        return text

    def _stat(self) -> str:
        self._processors.look(_tree())
        busy, idle = (
            int(seconds * _HERTZ) for seconds in (self._processors.busy, self._processors.idle)
        )
        return f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nprocs_running 1\nprocs_blocked 0\n"

    async def _top(self) -> str:
        """Tell of two rounds, the first of which says nothing."""
        processors = machine.Processors()
        processors.look(await asyncio.to_thread(_tree))
        await asyncio.sleep(_SAMPLE_SECONDS)
        used = await asyncio.to_thread(_tree)
        took = processors.look(used)
        used.sort(key=lambda each: took.get(each.pid, 0.0), reverse=True)
        rows = (_row(each.pid, each, 100 * took.get(each.pid, 0.0), each.name) for each in used)
        return f"{_HEAD}\n{_HEAD}" + "".join(rows)

    async def _threads(self, pids: list[int]) -> str:
        before, began = _thread_seconds(pids), time.monotonic()
        await asyncio.sleep(_SAMPLE_SECONDS)
        after, passed = _thread_seconds(pids), time.monotonic() - began
        used = {each.pid: each for each in _tree()}
        rows = [
            (100 * min((seconds - before[key]) / machine.SPEED / passed, 1.0), *key)
            for key, seconds in after.items()
            if key in before and key[0] in used
        ]
        rows.sort(reverse=True)
        shown = (_row(tid, used[pid], percent, used[pid].name) for percent, pid, tid in rows)
        return f"{_HEAD}\n{_HEAD}" + "".join(shown)


def _tree() -> list[machine.Use]:
    return machine.tree(os.getpid())


def _by_memory() -> list[machine.Use]:
    return sorted(_tree(), key=lambda each: each.bytes, reverse=True)


def _listed(each: machine.Use) -> str:
    kibibytes, age = each.bytes // 1024, int(each.age)
    return f"{each.pid} {each.parent} {each.user} {kibibytes} {age} {each.name}\n"


def _row(number: int, each: machine.Use, percent: float, name: str) -> str:
    kibibytes, share = each.bytes // 1024, 100 * each.bytes / machine.MEMORY_BYTES
    return (
        f"{number:>7} {each.user:<8} 20 0 {kibibytes} {kibibytes} 0 R {percent:.1f} {share:.1f} "
        f"0:00.00 {name}\n"
    )


def _thread_seconds(pids: list[int]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for pid in pids:
        try:
            threads = psutil.Process(pid).threads()
        except psutil.Error:
            continue
        found |= {(pid, each.id): each.user_time + each.system_time for each in threads}
    return found


def _deleted() -> list[str]:
    """List what the machine's processes have open and was deleted."""
    found: list[str] = []
    for each in _tree():
        folder = Path(f"/proc/{each.pid}/fd")
        try:
            links = [(link, str(link.readlink())) for link in folder.iterdir()]
        except OSError:  # it ended, or this is no Linux
            continue
        found += [f"{link}\t{path}\0" for link, path in links if path.endswith(" (deleted)")]
    return found


async def _health(url: str, seconds: float) -> Said:
    """Ask as curl does, and end as it does."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
            answer = await client.get(url)
    except httpx.ConnectError:
        return Said("000", code=7)
    except httpx.TimeoutException:
        return Said("000", code=28)
    except httpx.HTTPError:
        return Said("000", code=52)
    return Said(f"{answer.status_code}")


def _memory(left: int) -> str:
    total, used = machine.MEMORY_BYTES, machine.MEMORY_BYTES - left
    rows = [
        ("", "total", "used", "free", "shared", "buff/cache", "available"),
        ("Mem:", total, used, left, 0, 0, left),
        ("Swap:", 0, 0, 0),
    ]
    return "".join(
        f"{row[0]:<6}" + " ".join(f"{value:>14}" for value in row[1:]) + "\n" for row in rows
    )
