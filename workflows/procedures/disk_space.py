"""Runbook, "Infrastructure Incidents": a disk of the API's host is nearly full."""

from __future__ import annotations

from collections.abc import Sequence

from activities.alerts import Alert
from activities.host_disks import Disk, HostDisks
from activities.prometheus import Prometheus, Query
from activities.record import Asks
from activities.verification import Below
from activities.words import Nothing, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step
from workflows.procedures.disk import PrunesImages
from workflows.procedures.host_use import SeesHostUse
from workflows.procedures.measured import mebibytes, number

_MOST = 5
_WORTH_A_RESTART = 0.01
"""Of a disk: so much must be held in deleted files for a restart to let go of them."""
_LONG = 7 * 24.0
"""Hours after which "full in" says nothing."""


class DiskSpaceLow(PrunesImages):
    """Less than 10 % of a disk of the API's host is free."""

    severity = Severity.CRITICAL
    impact = "Once the disk is full nothing can be written: the API, Redis and logs fail."
    section = "disk-space-critically-low--10"
    recovered = Below(expression=promql.DISK_USED, threshold=0.9, unit="%")

    used = Probe(
        Prometheus.value, Query(expression=promql.DISK_USED), why="used share of the fullest disk"
    )
    full_in = Probe(
        Prometheus.value, Query(expression=promql.DISK_FULL_IN), why="hours until it is full"
    )
    folders = Probe(
        HostDisks.largest_folders, Nothing(), why="largest folders of that disk", seconds=25
    )
    deleted = Probe(
        HostDisks.deleted_files, Nothing(), why="deleted files that are still open", seconds=20
    )

    # A restart loses it: a short profile of what the processors do stands in the record first.
    busiest = SeesHostUse.busiest

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Clear old logs under their folder, let go of deleted files, propose to prune images."""
        used, free = number(seen[self.used]), 1 - self.threshold
        full, findings = self.fuller_than(seen, free), self._findings(seen)
        if seen[self.disks] is not None and not full:
            fine = f"the host itself sees at least {free:.0%} left on each of its disks"
            return Ladder(fine, (), findings, f"{fine}: nothing was changed.")
        clear, cleared = self.free_disk(seen, full)
        letting_go, held = self._let_go(seen, full)
        prune, pruned = self.prune(seen, full)
        where = ", ".join(f"{disk.mount} ({_left(disk)})" for disk in full)
        much = "" if used is None else f"{used:.0%} of a disk is used: "
        return Ladder(
            cause=f"{much}{where or 'which one could not be read'}",
            steps=(*clear, *letting_go, *prune),
            findings=(*cleared, *held, *pruned, *findings),
            when_out="The disk is still nearly full and no step is left: please enlarge it at the "
            "provider, or delete what the largest folders hold.",
        )

    def _let_go(
        self, seen: Evidence, full: Sequence[Disk]
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Restart our own instances where they hold deleted files; name who else holds some."""
        deleted, running = seen[self.deleted], seen[self.instances]
        if deleted is None or not deleted.files:
            return (), ()
        ours = {each.pid for each in running.instances} if running else set()
        mine = sum(each.bytes for each in deleted.files if each.pid in ours)
        others = [each for each in deleted.files if each.pid not in ours]
        named = tuple(
            f"{each.name} (process {each.pid}) holds {mebibytes(each.bytes)} of {each.path}, "
            "deleted: it is freed when that process ends"
            for each in others[:_MOST]
        )
        worth = _WORTH_A_RESTART * min((disk.size_bytes for disk in full), default=0)
        if not mine or mine < worth:
            return (), named
        steps, against = self.rolling_restart(
            seen,
            why=f"they hold {mebibytes(mine)} of deleted files, which a restart lets go of",
            asks=Asks.POLICY if full else Asks.ALWAYS,
            expect="the room of the deleted files is free",
        )
        return steps, (*named, *against)

    def _findings(self, seen: Evidence) -> tuple[str, ...]:
        hours, folders = number(seen[self.full_in]), seen[self.folders]
        full = hours is not None and 0 <= hours < _LONG
        part = "" if folders is None or folders.whole else ", as far as it was measured"
        listed = ", ".join(
            f"{each.path} {mebibytes(each.bytes)}" for each in folders.folders[:_MOST]
        ) if folders else ""  # fmt: skip
        deleted = seen[self.deleted]
        partly = deleted is not None and not deleted.whole
        return (
            *([f"full in {hours:.1f} hours at the pace of the last half hour"] if full else []),
            *([f"largest folders of {folders.mount}{part}: {listed}"] if folders else []),
            *(
                ["deleted files of other accounts cannot be seen: `sudo lsof +L1`"]
                if partly
                else []
            ),
            *seen.unread((self.used, self.disks, self.folders, self.deleted)),
        )


def _left(disk: Disk) -> str:
    if disk.tightest_ratio < disk.free_ratio:
        return f"{disk.tightest_ratio:.1%} of its files left, {disk.free_ratio:.0%} of its bytes"
    return f"{mebibytes(disk.free_bytes)}, {disk.free_ratio:.1%} left"
