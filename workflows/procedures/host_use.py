"""What takes the processors and the memory of the API's host, and which of it is ours."""

from __future__ import annotations

from collections.abc import Sequence

from activities.host_processes import Busiest, HostProcesses, Largest, ProcessUse
from activities.runaway import RestartInstance, Runaways
from activities.supervisor import Process
from activities.words import Nothing, Risk
from workflows.procedures.base import Cause, Evidence, Probe, Step, step
from workflows.procedures.instances import ActsOnInstances, crash_looping
from workflows.procedures.measured import mebibytes

_WAITING = 0.2
"""Of the processors' time: so much waiting for disks, or taken by the hypervisor, is a finding."""
_MOST = 3


class SeesHostUse(ActsOnInstances):
    """Knows which processes take what, and plans to restart the one instance that runs away."""

    busiest = Probe(
        HostProcesses.busiest, Nothing(), why="what keeps the processors busy", seconds=20
    )
    largest = Probe(HostProcesses.largest, Nothing(), why="what takes the memory")

    def runaway(self, seen: Evidence) -> Process | None:
        """Find the one instance that is busy while the others are not."""
        running, busiest = seen[self.instances], seen[self.busiest]
        if running is None or busiest is None or len(running.instances) < 2:
            return None
        used = {each.pid: each.cpu_percent or 0.0 for each in busiest.processes}
        ranked = sorted(running.instances, key=lambda i: used.get(i.pid, 0.0), reverse=True)
        first, second = (used.get(each.pid, 0.0) for each in ranked[:2])
        limit = self.given.runaway_percent
        return ranked[0] if ranked[0].online and first >= limit and second < limit / 2 else None

    def restart_runaway(self, seen: Evidence, runaway: Process) -> Cause:
        """Restart that one instance, unless it crashes over and over."""
        percent = self._percent(seen, runaway.pid)
        words = f"instance {runaway.id} takes {percent:.0f} % of a processor, the others do not"
        if looping := crash_looping(seen[self.instances], seen.at):
            return Cause(words, (), (f"not restarted: {looping}",))
        return Cause(words, (self._restart(seen, runaway, percent),))

    def _restart(self, seen: Evidence, runaway: Process, percent: float) -> Step:
        app = self.given.app
        return step(
            Runaways.restart_instance,
            RestartInstance(app=app, instance=runaway.id, pid=runaway.pid, requested_at=seen.at),
            target=app,
            why="it runs away; the other instances answer meanwhile",
            effect=f"restart instance {runaway.id} of {app} (process {runaway.pid}) alone",
            details=(f"it takes {percent:.0f} % of a processor", *self.profile(seen)),
            expect="the processors are free once it is back",
            risk=Risk.DISRUPTIVE,
            restarts=True,
        )

    def strangers(self, seen: Evidence, found: Busiest | Largest | None) -> list[ProcessUse]:
        """List the processes that are not the API's, the one that takes most first."""
        running = seen[self.instances]
        ours = {each.pid for each in running.instances} if running else set()
        return [each for each in found.processes if each.pid not in ours] if found else []

    def profile(self, seen: Evidence) -> tuple[str, ...]:
        """Say what the busy threads are: as much of a profile as can be had from outside."""
        busiest = seen[self.busiest]
        threads = busiest.threads[:_MOST] if busiest else ()
        named = ", ".join(f"{each.name} {each.cpu_percent:.0f} %" for each in threads)
        return (f"busiest threads: {named}",) if named else ()

    def who(self, found: Busiest | Largest | None) -> tuple[str, ...]:
        """Name what takes most."""
        if found is None:
            return ()
        named = ", ".join(map(_use, found.processes[:_MOST]))
        kind = "busiest" if isinstance(found, Busiest) else "largest"
        return (f"{kind}: {named}",) if named else ()

    def waiting(self, seen: Evidence) -> tuple[str, ...]:
        """Say what the processors' time is lost to besides work, and how long the queue is."""
        busiest = seen[self.busiest]
        if busiest is None:
            return ()
        lost = {
            "iowait": "of the processors' time is waiting for disks: look there",
            "steal": "of the processors' time is taken by the provider's other guests",
        }
        said = [
            f"{share:.0%} {words}"
            for name, words in lost.items()
            if (share := busiest.shares.get(name, 0.0)) > _WAITING
        ]
        if busiest.runnable is not None and busiest.cores:
            said.append(f"run queue: {busiest.runnable} for {busiest.cores} processors")
        return tuple(said)

    def _percent(self, seen: Evidence, pid: int) -> float:
        busiest = seen[self.busiest]
        listed = busiest.processes if busiest else ()
        return next((each.cpu_percent or 0.0 for each in listed if each.pid == pid), 0.0)


def memory_of(instances: Sequence[Process]) -> int | None:
    """Add up what instances take; None where one of them could not be measured."""
    sizes = [each.memory_bytes for each in instances]
    return sum(size or 0 for size in sizes) if sizes and all(sizes) else None


def _use(process: ProcessUse) -> str:
    percent = "" if process.cpu_percent is None else f" {process.cpu_percent:.0f} %"
    size = "" if process.memory_bytes is None else f" {mebibytes(process.memory_bytes)}"
    return f"{process.name} ({process.user}, {process.pid}){percent or size}"
