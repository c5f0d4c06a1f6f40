"""What fills the disks of the API's host."""

from __future__ import annotations

import re
from typing import Self

from temporalio import activity

from activities import host_commands
from activities.changes import heartbeats
from activities.errors import Refused
from activities.redaction import beginning
from activities.ssh import Session, Ssh
from activities.words import Answer, Nothing

_NOT_A_DISK = {"tmpfs", "devtmpfs", "overlay", "squashfs", "ramfs", "efivarfs", "iso9660"}
_NOT_ON_DISK = re.compile(r"/(?:memfd:|dev/|SYSV|proc/|\[)")
_DELETED = " (deleted)"
_MOST = 10
_PATH_CHARACTERS = 200
_TIMED_OUT = 124
_PASSED_ON = 0.9
"""A folder that lies with so much of itself in one folder below it only leads there."""


class Disk(Answer):
    """One file system."""

    mount: str
    kind: str = ""
    size_bytes: int
    free_bytes: int
    """For those who are not root."""
    files_free_ratio: float | None = None
    """Of the files that it can have; None where there is no such limit."""

    @property
    def free_ratio(self) -> float:
        """Free share of it."""
        return self.free_bytes / self.size_bytes if self.size_bytes else 0.0

    @property
    def tightest_ratio(self) -> float:
        """Free share of bytes or of files, whichever is smaller."""
        files = self.files_free_ratio
        return self.free_ratio if files is None else min(self.free_ratio, files)

    @classmethod
    def parsed(cls, line: str) -> Self:
        """Read one line of ``df``."""
        _, kind, size, free, files, files_free, mount = line.split(maxsplit=6)
        most = int(files) if files.isdigit() else 0
        return cls(
            mount=mount[:_PATH_CHARACTERS],
            kind=kind,
            size_bytes=int(size),
            free_bytes=int(free),
            files_free_ratio=int(files_free) / most if most else None,
        )


class Disks(Answer):
    """The host's own file systems, the fullest first."""

    disks: tuple[Disk, ...]


class Folder(Answer):
    """What one folder holds, all that is below it included."""

    path: str
    bytes: int


class LargestFolders(Answer):
    """The largest folders of the fullest disk."""

    mount: str
    folders: tuple[Folder, ...]
    whole: bool
    """False where the time was up before everything was measured, or not all may be read."""


class OpenFile(Answer):
    """A file that was deleted and still takes its place, for a process has it open."""

    pid: int
    name: str
    """Of the program."""
    path: str
    bytes: int


class DeletedFiles(Answer):
    """Deleted files that are still open, the largest first."""

    files: tuple[OpenFile, ...]
    bytes: int
    whole: bool
    """False where this account may not look into every process."""


class HostDisks:
    """Asks the API's host what fills its disks; changes nothing."""

    def __init__(self, ssh: Ssh) -> None:
        self._ssh = ssh

    @activity.defn(name="host.disks")
    async def disks(self, ask: Nothing) -> Disks:  # noqa: ARG002
        """List the host's own disks, the fullest first."""
        async with self._ssh.session() as session:
            return Disks(disks=tuple((await own_disks(session))[:_MOST]))

    @activity.defn(name="host.largest_folders")
    async def largest_folders(self, ask: Nothing) -> LargestFolders:  # noqa: ARG002
        """Measure the folders of the fullest disk, gently and for a limited time."""
        async with self._ssh.session() as session, heartbeats("measuring folders"):
            mount = (await own_disks(session))[0].mount
            ran = await session.run(host_commands.folder_sizes(mount))
        measured = folders(ran.out, mount)
        if not measured:
            raise Refused(f"no folder of {mount} could be measured: {ran.said}")
        return LargestFolders(
            mount=mount, folders=measured, whole=ran.status == 0 and not ran.truncated
        )

    @activity.defn(name="host.deleted_files")
    async def deleted_files(self, ask: Nothing) -> DeletedFiles:  # noqa: ARG002
        """List what was deleted and takes its place until a process lets go of it."""
        async with self._ssh.session() as session:
            ran = await session.run(host_commands.deleted_files())
            links = _links(ran.out)
            files = await self._measured(session, links)
            pids = sorted({file.pid for file in files})
            named = (await session.run(host_commands.names_of(pids))).out if pids else ""
        names = dict(pair for line in named.splitlines() if (pair := _name(line)))
        named_files = [each.model_copy(update={"name": names.get(each.pid, "?")}) for each in files]
        return DeletedFiles(
            files=tuple(named_files[:_MOST]),
            bytes=sum(each.bytes for each in files),
            whole="Permission denied" not in ran.err and not ran.truncated,
        )

    async def _measured(self, session: Session, links: dict[str, str]) -> list[OpenFile]:
        if not links:
            return []
        # What was closed meanwhile is complained of, and the rest is told.
        ran = await session.run(host_commands.sizes(list(links)))
        found: dict[str, OpenFile] = {}
        for line in ran.out.split("\0"):
            size, _, rest = line.partition("\t")
            identity, _, link = rest.partition("\t")
            if link in links and size.isdigit():
                found.setdefault(  # several descriptors may be of one file
                    identity,
                    OpenFile(
                        pid=int(link.split("/")[2]),
                        name="?",
                        path=shown(links[link]),
                        bytes=int(size),
                    ),
                )
        return sorted(found.values(), key=lambda file: file.bytes, reverse=True)


async def own_disks(session: Session) -> list[Disk]:
    """List the disks, the fullest first."""
    ran = await session.run(host_commands.disks())
    found: list[Disk] = []
    for line in ran.out.splitlines()[1:]:
        try:
            disk = Disk.parsed(line)
        except ValueError:
            continue
        if disk.size_bytes and (disk.kind not in _NOT_A_DISK or disk.mount == "/"):
            found.append(disk)
    if not found:
        raise Refused(f"the host's disks cannot be read: {ran.said}")
    return sorted(found, key=lambda disk: disk.tightest_ratio)


def folders(said: str, mount: str) -> tuple[Folder, ...]:
    """Read what du measured; of a chain of folders only the one that holds the bytes."""
    sizes: dict[str, int] = {}
    for line in said.split("\0"):
        size, _, path = line.partition("\t")
        if size.isdigit() and path.startswith("/"):
            sizes[path] = int(size)
    ends = {
        path: size
        for path, size in sizes.items()
        if path != mount and not _leads_on(path, size, sizes)
    }
    largest = sorted(ends.items(), key=lambda item: item[1], reverse=True)
    return tuple(Folder(path=shown(path), bytes=size) for path, size in largest[:_MOST])


def shown(path: str) -> str:
    """Give a path fit for people: one line, and without what looks like a credential."""
    return beginning("".join(c if c.isprintable() else "?" for c in path), _PATH_CHARACTERS)


def _leads_on(path: str, size: int, sizes: dict[str, int]) -> bool:
    below = f"{path.rstrip('/')}/"
    return any(
        other.startswith(below) and held >= _PASSED_ON * size for other, held in sizes.items()
    )


def _links(said: str) -> dict[str, str]:
    pairs = (line.partition("\t") for line in said.split("\0") if line)
    return {
        link: path.removesuffix(_DELETED)
        for link, _, path in pairs
        if not _NOT_ON_DISK.match(path) and link.split("/")[2].isdigit()
    }


def _name(line: str) -> tuple[int, str] | None:
    pid, _, name = line.strip().partition(" ")
    return (int(pid), name.strip()[:60]) if pid.isdigit() else None
