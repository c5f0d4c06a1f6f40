"""A disk of the API's host that is full, and what makes room on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from activities.host import Host, RecentDeployments
from activities.host_clearing import ArchiveLogs, ClearLogs, LogClearing
from activities.host_disks import Disk, HostDisks
from activities.host_images import HostImages, Image, Images, LookAtImages, PruneImages
from activities.host_logs import HostLogs, OldLogs
from activities.host_rotation import LogRotation, RotateLogs
from activities.record import Asks
from activities.words import Nothing, Risk
from workflows.procedures.base import Evidence, Probe, Step, step
from workflows.procedures.instances import ActsOnInstances
from workflows.procedures.measured import mebibytes

_DOCKER = "/var/lib/docker"
_RELEASES = 5
"""Whose images always stay."""


class FreesDisk(ActsOnInstances):
    """Knows the disks of the API's host and the logs on them, and plans to make room."""

    disks = Probe(HostDisks.disks, Nothing(), why="disks of the API host")
    old_logs = Probe(HostLogs.old_logs, Nothing(), why="old logs, and room for them elsewhere")
    rotation = Probe(LogRotation.look, Nothing(), why="rotation of the logs")

    def fuller_than(self, seen: Evidence, free: float) -> tuple[Disk, ...]:
        """List the disks that have less than the share *free* left, in bytes or in files."""
        disks = seen[self.disks]
        return tuple(d for d in disks.disks if d.tightest_ratio < free) if disks else ()

    def free_disk(
        self, seen: Evidence, full: Sequence[Disk]
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan to archive, clear and rotate logs, where they lie on a *full* disk."""
        logs = seen[self.old_logs]
        if logs is None:
            return (), (f"no log is cleared: {seen.why_not(self.old_logs)}",)
        unread = tuple(f"not read: {why}" for why in logs.unread)
        blind = seen[self.disks] is None
        mounts = {disk.mount for disk in full}
        frees = _frees(logs, None if blind else mounts)
        if not frees:
            return (), (_no_help(logs, mounts), *unread)
        rotate, said = self._rotate(seen)
        clear = self._clear(seen, logs, frees, asks=blind, last=not rotate)
        rotate = tuple(replace(each, needs=clear.key) for each in rotate)
        return (*self._archive(seen, logs), clear, *rotate), (*said, *unread)

    def _archive(self, seen: Evidence, logs: OldLogs) -> tuple[Step, ...]:
        size = logs.bytes + logs.app_bytes
        if not logs.archive or (logs.archive_room_bytes or 0) < size:
            return ()
        archive = step(
            LogClearing.archive_logs,
            ArchiveLogs(
                app=logs.app,
                folder=logs.folder,
                to=logs.archive,
                older_than_days=logs.days,
                requested_at=seen.at,
            ),
            target="host-logs",
            why="what is cleared next can be read there later",
            effect=f"copy {mebibytes(size)} of logs to an archive in {logs.archive}",
            expect="a compressed archive on another disk",
            risk=Risk.REVERSIBLE,
            apply_seconds=900,
            mends=False,
        )
        return (archive,)

    def _clear(self, seen: Evidence, logs: OldLogs, frees: int, *, asks: bool, last: bool) -> Step:
        largest = (f"{mebibytes(each.bytes)} {each.path}" for each in logs.files)
        more = logs.count - len(logs.files)
        return step(
            LogClearing.clear_logs,
            ClearLogs(
                app=logs.app,
                folder=logs.folder,
                older_than_days=logs.days,
                requested_at=seen.at,
            ),
            target="host-logs",
            why="they are old, and the disk is full",
            effect=(
                f"delete {logs.count} logs older than {logs.days} days under {logs.folder} "
                f"({mebibytes(logs.bytes)}) and empty those of {logs.app} "
                f"({mebibytes(logs.app_bytes)}), which frees {mebibytes(frees)}"
            ),
            details=(
                *largest,
                *([f"and {more} smaller ones"] if more > 0 else []),
                f"the last lines of {logs.app} are kept in the incident's record",
            ),
            expect="room on the disk within seconds",
            risk=Risk.DESTRUCTIVE,
            # Pre-approved in the folder of the settings, and nowhere else.
            asks=Asks.ALWAYS if asks else Asks.NEVER,
            mends=last,
            apply_seconds=300,
        )

    def _rotate(self, seen: Evidence) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        rotation = seen[self.rotation]
        if rotation is None:
            return (), (seen.why_not(self.rotation),)
        if not rotation.installed:
            missing = "logs are not rotated, and will fill the disk again"
            return (), (f"{missing}: `pm2 install pm2-logrotate` is for a person",)
        if rotation.on:
            return (), (f"logs are rotated already, at {rotation.values['max_size']}",)
        given = self.given
        rotate = step(
            LogRotation.rotate,
            RotateLogs(max_size=given.log_max_size, retain=given.log_retain),
            target="host-logs",
            why="without it the logs fill the disk again",
            effect=(
                f"have pm2 cut each log at {given.log_max_size} and keep {given.log_retain}, "
                "from now on"
            ),
            expect="no log grows without bound",
            risk=Risk.REVERSIBLE,
        )
        return (rotate,), ()


class PrunesImages(FreesDisk):
    """Knows the images of Docker on the API's host, and proposes to remove old ones."""

    images = Probe(HostImages.unused, LookAtImages(), why="images that nothing uses", seconds=20)
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def prune(
        self, seen: Evidence, full: Sequence[Disk]
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Plan to remove exactly the named images, once a person agrees; never recent ones."""
        images, disks = seen[self.images], seen[self.disks]
        if images is None:
            return (), ()  # most hosts have no Docker
        if not images.unused:
            return (), (f"none of the {images.count} images of Docker can go",)
        if disks is not None:
            mount = _mount_of(_DOCKER, [disk.mount for disk in disks.disks])
            if mount not in {disk.mount for disk in full}:
                return (), (f"images of Docker are on {mount}, which is not full",)
        deployed = seen[self.deployment]
        releases = [each.release for each in deployed.last[:_RELEASES]] if deployed else []
        going = [each for each in images.unused if not _tags(each) & set(releases)]
        if not going:
            return (), ("every unused image of Docker is of one of the last releases",)
        return (self._prune(images, going, releases, known=deployed is not None),), ()

    def _prune(
        self, images: Images, going: Sequence[Image], releases: Sequence[str], *, known: bool
    ) -> Step:
        shown = (f"{each.size} {_named(each.names, each.id)}" for each in going[:15])
        doubt = () if known else ("which releases are the last could not be read from their log",)
        return step(
            HostImages.prune,
            PruneImages(images=tuple(each.id for each in going), keep_tags=tuple(releases)),
            target="host-docker",
            why="no container uses them, and no release of late was made of them",
            effect=f"remove {len(going)} of {images.count} images of Docker from the API host",
            details=(
                *shown,
                *([f"and {len(going) - 15} more"] if len(going) > 15 else []),
                f"the newest {_RELEASES} of each name stay, and what a container uses",
                *doubt,
            ),
            expect="room on the disk",
            risk=Risk.DESTRUCTIVE,
            asks=Asks.ALWAYS,
            apply_seconds=300,
        )


def _frees(logs: OldLogs, mounts: set[str] | None) -> int:
    """Give the bytes that clearing frees on these disks; on any, where they are not known."""
    here = mounts is None or logs.mount in mounts
    own = mounts is None or bool(set(logs.app_mounts) & mounts)
    return (logs.bytes if here else 0) + (logs.app_bytes if own else 0)


def _no_help(logs: OldLogs, mounts: set[str]) -> str:
    if logs.mount in mounts:
        return f"no log under {logs.folder} is older than {logs.days} days: none is cleared"
    return (
        f"logs are not cleared: they are on {logs.mount}, and that frees nothing on "
        f"{', '.join(sorted(mounts))}"
    )


def _mount_of(path: str, mounts: Sequence[str]) -> str:
    above = [mount for mount in mounts if f"{path}/".startswith(f"{mount.rstrip('/')}/")]
    return max(above, key=len, default="/")


def _tags(image: Image) -> set[str]:
    return {name.rpartition(":")[2] for name in image.names}


def _named(names: Sequence[str], id_: str) -> str:
    return ", ".join(names[:3]) or f"nameless, {id_[7:19]}"
