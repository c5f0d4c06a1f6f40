"""Runbook, "Infrastructure Incidents": the API does not answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from activities.alerts import Alert
from activities.api_health import ApiHealth, ApiOnHost, HostHealth, Reached
from activities.host import Logs
from activities.host_disks import Disk
from activities.postgres_reach import PostgresReach
from activities.record import Asks
from activities.verification import Answering
from activities.words import Nothing, Severity
from workflows.procedures.base import Cause, Evidence, Ladder, Probe
from workflows.procedures.deployments import RollsBack
from workflows.procedures.disk import FreesDisk
from workflows.procedures.heap import RaisesHeap
from workflows.procedures.host_use import SeesHostUse, memory_of
from workflows.procedures.instances import crash_looping
from workflows.procedures.measured import mebibytes, memory_free_ratio

_NO_ROOM = re.compile(r"ENOSPC|No space left on device", re.IGNORECASE)
_MOST_LINES = 3


class APIDown(FreesDisk, RollsBack, RaisesHeap, SeesHostUse):
    """The API does not answer at all."""

    severity = Severity.CRITICAL
    impact = "Nobody can use the service: dashboard and mobile apps get no answer."
    section = "api-down"
    recovered = Answering(checks=("api.healthy_everywhere",))
    uses = ("disk_full_ratio", "memory_high_ratio", "rollback_within_minutes",
            "rollback_healthy_minutes", "node_heap_megabytes")  # fmt: skip

    outside = Probe(
        ApiHealth.reached, Nothing(), why="the API's public address, three tries", seconds=20
    )
    inside = Probe(
        ApiOnHost.on_host, Nothing(), why="each instance on its host, three tries", seconds=40
    )
    reach = Probe(PostgresReach.select, Nothing(), why="SELECT now() from the worker")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        """Restart what both sides see down: with room on the disk, and not in a crash loop."""
        outside, inside = seen[self.outside], seen[self.inside]
        findings = self._findings(alert, seen)
        if self._host_gone(seen):
            words = "its host cannot be entered either" if _down(outside) else "its host is silent"
            cause = f"{_said(outside)}, and {words}: the machine may be gone"
            return Ladder(cause, (), findings, self._move(seen))
        if outside and outside.answers and inside and inside.answers:
            cause = "every instance answers, from outside and on its host: nothing is restarted"
            look = "Look at Prometheus: it cannot scrape what answers. Nothing was changed."
            return Ladder(cause, (), findings, look)
        if inside and inside.answers:
            cause = (
                f"every instance answers on its host, and {_said(outside)}: nothing is restarted"
            )
            look = "Look at what is between: balancer, firewall, name, certificate."
            return Ladder(cause, (), findings, look)
        agreed = _down(outside) and inside is not None and inside.down
        found = self._cause(alert, seen, agreed=agreed)
        words = "it answers neither from outside nor on its host"
        if not agreed:
            words = f"not certain: {_said(outside)}; {_told(inside)}"
        return Ladder(
            cause=f"{words}; {found.words}" if found.words else words,
            steps=found.steps,
            findings=(*found.findings, *findings),
            when_out=self._move(seen),
        )

    def _cause(self, alert: Alert, seen: Evidence, *, agreed: bool) -> Cause:
        """Make room first; a crash loop gets another release or limit, never one more restart."""
        full = self.fuller_than(seen, self.given.disk_full_ratio)
        room, said = self.free_disk(seen, full) if full else ((), ())
        # The restart follows at once: room alone brings nobody back.
        room = tuple(replace(each, mends=False) for each in room)
        looping = crash_looping(seen[self.instances], seen.at)
        words = [*([f"{_mounts(full)} is full"] if full else []), *([looping] if looping else [])]
        if looping and not room:
            return self._another(alert, seen, looping, "; ".join(words), said)
        doubt = self._doubt(seen) or ("" if agreed else "not both sides see it down for certain")
        steps, against = self.rolling_restart(
            seen,
            why=f"asked because {doubt}" if doubt else "both sides see it down",
            asks=Asks.ALWAYS if doubt else Asks.POLICY,
            expect="every instance answers its health check again",
            cured="the disk has room again" if room else "",
        )
        if looping:  # without the room it would crash once more
            steps = tuple(replace(each, needs=room[-1].key) for each in steps)
        return Cause("; ".join(words), (*room, *steps), (*said, *against))

    def _another(
        self, alert: Alert, seen: Evidence, looping: str, words: str, said: tuple[str, ...]
    ) -> Cause:
        """Give what crashes over and over another release, or another limit; or a person."""
        back, why = self.roll_back(alert, seen, seen[self.reach])
        heap, kept = self.raise_heap(seen) if self.heap_ran_out(seen) else ((), ())
        never = f"not restarted: {looping}; one more restart cures nothing"
        return Cause(words, (*back, *heap), (never, *why, *kept, *said))

    def _doubt(self, seen: Evidence) -> str:
        """Say why a person decides about a restart, whatever both sides see."""
        running, database = seen[self.instances], seen[self.reach]
        states = {each.status for each in running.instances} if running else set()
        if states == {"stopped"}:  # pm2 itself never leaves an instance so
            return "somebody has stopped every instance by hand"
        if database is not None and database.means_down:
            return "the database does not answer: a restart would not help"
        return ""

    def _host_gone(self, seen: Evidence) -> bool:
        """Whether nothing at all could be read from the API's host."""
        asked = (self.inside, self.instances, self.capacity, self.disks, self.logs)
        return all(seen.why_not(probe) for probe in asked)

    def _move(self, seen: Evidence) -> str:
        """Say what to do where no step brings it back: what a new machine needs."""
        running, host = seen[self.instances], seen[self.capacity]
        count = len(running.instances) if running else None
        size = memory_of(running.instances) if running else None
        needs = [
            f"{count} instances" if count else "its instances",
            *([f"{mebibytes(size)} of memory"] if size else []),
            *([f"{host.cores} processors"] if host and host.cores else []),
            *([f"{self.given.redis_unit} with its data"] if self.given.redis_unit else []),
            "the environment of the instances",
            "the balancer's list of hosts",
        ]
        return (
            "Deploy the API to a new machine if you suspect the hardware: this one is not brought "
            f"back by any step. To move: {', '.join(needs)}."
        )

    def _findings(self, alert: Alert, seen: Evidence) -> tuple[str, ...]:
        """Say what each side saw, what the host lacks, and what the API wrote last."""
        outside, inside, host = seen[self.outside], seen[self.inside], seen[self.capacity]
        logs, database = seen[self.logs], seen[self.reach]
        free = memory_free_ratio(host)
        short = free is not None and 1 - free > self.given.memory_high_ratio
        room = logs is not None and _NO_ROOM.search(logs.text)
        return (
            *([_said(outside)] if outside else []),
            *([f"on its host: {inside.summary}"] if inside and inside.instances else []),
            *([f"only {free:.0%} of the host's memory is left"] if short else []),
            *(["the API wrote that there is no space left on a disk"] if room else []),
            *(
                [f"the database does not answer ({database.finding})"]
                if database and not database.answered
                else []
            ),
            *self.who(seen[self.busiest]),
            *self.who(seen[self.largest]),
            *(f"the API wrote: {line[:200]}" for line in _last(logs)),
            *self.deployed(alert, seen),
            *seen.unread(
                (self.outside, self.inside, self.instances, self.capacity, self.disks, self.logs)
            ),
        )


def _down(outside: Reached | None) -> bool:
    return outside is not None and outside.down


def _said(outside: Reached | None) -> str:
    if outside is None:
        return "from outside it could not be asked"
    if outside.answers:
        return "it answers from outside"
    failed = f"{outside.failures} of {outside.tries} health checks from outside failed"
    return f"{failed} ({outside.said or outside.trouble})"


def _told(inside: HostHealth | None) -> str:
    return f"on its host {inside.summary}" if inside else "its host could not be asked"


def _mounts(disks: Sequence[Disk]) -> str:
    return ", ".join(disk.mount for disk in disks)


def _last(logs: Logs | None) -> list[str]:
    return [line for line in (logs.text.splitlines() if logs else []) if line][-_MOST_LINES:]
