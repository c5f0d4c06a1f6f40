"""Which processes of the API's host take its processors and its memory.

Programs are named and never their arguments, which may hold passwords. Inside a running Node
there is no profile to be had from outside: opening its inspector would change the process. What
its threads do over a second says half of it: a busy first thread is JavaScript, busy workers are
garbage collection, compression or cryptography.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field
from temporalio import activity

from activities import commands, host_commands
from activities.errors import Refused, Unavailable
from activities.ssh import Command, Session, Ssh
from activities.words import Answer, Nothing

_MOST = 8
_PROFILED = 3
_WORTH_A_LOOK_PERCENT = 20.0
_KIB = 1024
_COLUMNS = 12
"""Of top; the last is the program's name, which may have spaces."""


class ProcessUse(Answer):
    """What one process takes."""

    pid: int
    parent: int | None = None
    user: str
    name: str
    cpu_percent: float | None = None
    """Of one processor, over the last two seconds."""
    memory_bytes: int | None = None
    age_seconds: int | None = None


class ThreadUse(Answer):
    """What one thread of a busy process takes."""

    id: int
    """That of its process for the first thread, which runs the JavaScript of a Node."""
    name: str
    cpu_percent: float


class Busiest(Answer):
    """What keeps the processors busy: a sample of about two seconds."""

    processes: tuple[ProcessUse, ...] = ()
    threads: tuple[ThreadUse, ...] = ()
    """Of the busiest processes; the short profile that can be had from outside."""
    cores: int | None = None
    shares: dict[str, float] = Field(default_factory=dict)
    """Of all processors' time: user, system, iowait, steal, idle."""
    runnable: int | None = None
    """Processes that ran or waited for a processor."""
    blocked: int | None = None
    """Processes that waited for a disk."""
    unread: tuple[str, ...] = ()


class Largest(Answer):
    """What takes the memory."""

    processes: tuple[ProcessUse, ...]
    counted: int
    """How many processes there are."""
    unread: tuple[str, ...] = ()


class HostProcesses:
    """Asks the API's host for its processes; changes nothing."""

    def __init__(self, ssh: Ssh) -> None:
        self._ssh = ssh

    @activity.defn(name="host.busiest_processes")
    async def busiest(self, ask: Nothing) -> Busiest:  # noqa: ARG002
        """Sample what the processors do, by process, and by thread for the busiest."""
        unread: list[str] = []
        async with self._ssh.session() as session:
            cores = await said(session, commands.cores(), unread)
            before = await said(session, host_commands.processor_times(), unread)
            listed = top(await said(session, host_commands.busiest(), unread))
            after = await said(session, host_commands.processor_times(), unread)
            busy = [
                p.pid for p in listed[:_PROFILED] if (p.cpu_percent or 0) > _WORTH_A_LOOK_PERCENT
            ]
            profile = await said(session, host_commands.threads(busy), unread) if busy else ""
        if not listed and not any("top" in each for each in unread):
            unread.append("`top` says something that is not understood")
        waiting = counters(after)
        return Busiest(
            processes=tuple(listed[:_MOST]),
            threads=tuple(
                ThreadUse(id=each.pid, name=each.name, cpu_percent=each.cpu_percent or 0.0)
                for each in top(profile)[:_MOST]
                if each.cpu_percent
            ),
            cores=int(cores) if cores.strip().isdigit() else None,
            shares=shares(before, after),
            runnable=waiting.get("procs_running"),
            blocked=waiting.get("procs_blocked"),
            unread=tuple(unread),
        )

    @activity.defn(name="host.largest_processes")
    async def largest(self, ask: Nothing) -> Largest:  # noqa: ARG002
        """List the processes by their memory."""
        ran = await self._ssh.run(host_commands.largest_processes())
        found = [each for line in ran.must().splitlines() if (each := _listed(line))]
        if not found:
            raise Refused("`ps` on the host says something that is not understood")
        return Largest(processes=tuple(found[:_MOST]), counted=len(found))


async def said(session: Session, command: Command, unread: list[str]) -> str:
    """Run one part of a look; one that cannot be read does not take the others with it."""
    try:
        return (await session.run(command)).must()
    except (Refused, Unavailable) as failed:
        unread.append(failed.message)
        return ""


def top(shown: str) -> list[ProcessUse]:
    """Read the last round of ``top -b``: the first one tells of the time since the start."""
    found: list[ProcessUse] = []
    for line in shown.splitlines():
        words = line.split(maxsplit=_COLUMNS - 1)
        if words[:1] == ["PID"]:
            found = []
        elif len(words) == _COLUMNS and words[0].isdigit():
            found += _of_top(words)
    return found


def _of_top(words: list[str]) -> Iterable[ProcessUse]:
    try:
        yield ProcessUse(
            pid=int(words[0]),
            user=words[1][:40],
            name=words[11].strip()[:60],
            cpu_percent=float(words[8]),
            memory_bytes=int(words[5]) * _KIB if words[5].isdigit() else None,
        )
    except ValueError:
        return


def _listed(line: str) -> ProcessUse | None:
    words = line.split(maxsplit=5)
    if len(words) != 6 or not all(words[place].isdigit() for place in (0, 1, 3, 4)):
        return None
    return ProcessUse(
        pid=int(words[0]),
        parent=int(words[1]),
        user=words[2][:40],
        name=words[5].strip()[:60],
        memory_bytes=int(words[3]) * _KIB,
        age_seconds=int(words[4]),
    )


def counters(stat: str) -> Mapping[str, int]:
    """Read the plain numbers of ``/proc/stat``."""
    pairs = (line.split() for line in stat.splitlines())
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdigit()}


def shares(before: str, after: str) -> dict[str, float]:
    """Give what the processors did between two readings, as shares of their time."""
    first, second = _times(before), _times(after)
    spent = {name: second[name] - first[name] for name in second if name in first}
    whole = sum(spent.values())
    if whole <= 0:
        return {}
    grouped = {
        "user": spent["user"] + spent["nice"],
        "system": spent["system"] + spent["irq"] + spent["softirq"],
        **{name: spent[name] for name in ("iowait", "steal", "idle")},
    }
    return {name: round(value / whole, 3) for name, value in grouped.items()}


def _times(stat: str) -> dict[str, int]:
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    for line in stat.splitlines():
        words = line.split()
        # What guests take stands in "user" already.
        if words[:1] == ["cpu"] and len(words) > len(names):
            return dict(zip(names, map(int, words[1 : len(names) + 1]), strict=True))
    return {}
