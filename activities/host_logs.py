"""Old logs of the API's host, what the application logs to now, and the room elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities import commands, host_commands
from activities.errors import NotConfigured, Refused
from activities.host_commands import MOST_FILES
from activities.host_disks import shown
from activities.pm2 import log_files
from activities.ssh import Session, Ssh
from activities.words import Answer, Nothing

SETTING = "disk.log_folder"
_ROOM_LEFT = 0.1
"""Of the archive's disk, what stays free."""


@dataclass(frozen=True)
class LogPlaces:
    """Where logs are, and where they may be kept; from the settings."""

    app: str = "pravado-api"
    folder: str = ""
    """Empty where no log may be touched."""
    archive: str = ""
    """A folder on another disk; empty where there is none."""
    days: int = 7
    archive_most_bytes: int = 8 * 2**30
    """Copying more takes longer than a full disk can wait."""


class LogFile(Answer):
    """One old log."""

    path: str
    bytes: int
    inode: int


class OldLogs(Answer):
    """What clearing the logs would free."""

    app: str
    folder: str
    mount: str
    """Of the disk that the folder is on."""
    days: int
    files: tuple[LogFile, ...] = ()
    """The largest."""
    count: int = 0
    bytes: int = 0
    """Of all old logs."""
    app_bytes: int = 0
    """Of what the application logs to now, which a flush empties."""
    app_mounts: tuple[str, ...] = ()
    """Of the disks that these are on."""
    archive: str = ""
    archive_room_bytes: int | None = None
    """What may be put there; None where there is no archive, or none on another disk."""
    unread: tuple[str, ...] = ()


class LogReader:
    """Reads what logs there are, in a visit to the host."""

    def __init__(self, places: LogPlaces) -> None:
        self.places = places

    def configured(self) -> None:
        """Refuse to look anywhere where no folder is set."""
        if not self.places.folder:
            raise NotConfigured("the folder of logs", SETTING)

    async def old(self, session: Session, days: int) -> tuple[list[LogFile], int, int]:
        """List the old logs, the largest first, with their number and their bytes."""
        ran = await session.run(host_commands.old_logs(self.places.folder, days))
        found = [file for line in ran.out.split("\0") if (file := _listed(line))]
        if not found and ran.status:
            raise ran.failure()
        found.sort(key=lambda file: file.bytes, reverse=True)
        return found, len(found), sum(file.bytes for file in found)

    async def own(self, session: Session) -> tuple[LogFile, ...]:
        """List what the application logs to now, each file once."""
        ran = await session.run(commands.process_list())
        paths = log_files(ran.must(), self.places.app)
        if not paths:
            return ()
        found: dict[str, LogFile] = {}
        for line in (await session.run(host_commands.sizes(paths))).out.split("\0"):
            size, _, rest = line.partition("\t")
            identity, _, path = rest.partition("\t")
            if path in paths and size.isdigit():
                inode = int(identity.partition(":")[2])
                found.setdefault(identity, LogFile(path=path, bytes=int(size), inode=inode))
        return tuple(found.values())[:MOST_FILES]

    async def real_folder(self, session: Session) -> None:
        """Refuse a folder that is not one itself: a link would lead elsewhere."""
        folder = self.places.folder
        kind = (await session.run(host_commands.kind_of_file(folder))).must().strip()
        if kind != "directory":
            raise Refused(f"{folder} is a {kind}, so nothing is touched there")

    async def room(self, session: Session, mount: str) -> int | None:
        """Give the bytes that may be archived; None where that would help nothing."""
        if not self.places.archive:
            return None
        free, size, elsewhere = await disk_at(session, self.places.archive)
        if elsewhere == mount:
            raise Refused(f"{self.places.archive} is on the same disk as the logs")
        return max(0, min(int(free - _ROOM_LEFT * size), self.places.archive_most_bytes))


class HostLogs:
    """Looks at the logs of one host; changes nothing."""

    def __init__(self, ssh: Ssh, places: LogPlaces) -> None:
        self._ssh = ssh
        self._logs = LogReader(places)

    @activity.defn(name="host.old_logs")
    async def old_logs(self, ask: Nothing) -> OldLogs:  # noqa: ARG002
        """Count the old logs, what the application's own take, and the room elsewhere."""
        places, unread = self._logs.places, list[str]()
        self._logs.configured()
        async with self._ssh.session() as session:
            await self._logs.real_folder(session)
            mount = (await disk_at(session, places.folder))[2]
            old, count, size = await self._logs.old(session, places.days)
            own: tuple[LogFile, ...] = ()
            mounts: list[str] = []
            try:
                own = await self._logs.own(session)
                folders = sorted({file.path.rpartition("/")[0] for file in own})[:3]
                mounts = [(await disk_at(session, folder))[2] for folder in folders]
            except Refused as refused:
                unread.append(f"the application's own logs: {refused.message}")
            try:
                room = await self._logs.room(session, mount)
            except Refused as refused:
                room = None
                unread.append(f"the archive: {refused.message}")
        return OldLogs(
            app=places.app,
            folder=places.folder,
            mount=mount,
            days=places.days,
            files=tuple(old[:8]),
            count=count,
            bytes=size,
            app_bytes=sum(file.bytes for file in own),
            app_mounts=tuple(sorted(set(mounts))),
            archive=places.archive,
            archive_room_bytes=room,
            unread=tuple(unread),
        )


async def disk_at(session: Session, folder: str) -> tuple[int, int, str]:
    """Read free bytes, size and mount of the file system of a folder."""
    line = (await session.run(host_commands.disk_of(folder))).must().splitlines()[-1]
    try:
        size, free, mount = line.split(maxsplit=2)
        return int(free), int(size), shown(mount)
    except ValueError:
        raise Refused(f"the disk of {folder} cannot be read") from None


def _listed(line: str) -> LogFile | None:
    size, _, rest = line.partition("\t")
    inode, _, rest = rest.partition("\t")
    path = rest.partition("\t")[2]
    # A name with a line break in it, say, is left to a person.
    if not (size.isdigit() and inode.isdigit() and path.isprintable()):
        return None
    return LogFile(path=path, bytes=int(size), inode=int(inode))


def in_words(size: float) -> str:
    """Give bytes for people."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
