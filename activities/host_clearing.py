"""Clearing the old logs of the API's host, and archiving them elsewhere before.

Only files called ``*.log`` under the one folder of the settings, older than the order says, are
ever deleted; links are not followed, and no other file system is entered. What goes is bound to
what was listed, by inode: a file that somebody writes to, moves or makes anew meanwhile stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities import commands, host_commands
from activities.changes import Attempt, Targets, attempt, heartbeats
from activities.errors import Refused, Unwell
from activities.host import last_lines
from activities.host_commands import MOST_FILES
from activities.host_logs import LogFile, LogPlaces, LogReader, disk_at, in_words
from activities.ssh import Session, Ssh
from activities.words import Answer, Done, Name, Order

_EVIDENCE_BYTES = 6 * 1024
_NAMES_BYTES = 16 * 1024
_ARCHIVE_SECONDS = 300


class ClearLogs(Order):
    """An order to delete old logs and to empty the application's own."""

    app: Name = "pravado-api"
    folder: str = Field(min_length=1, max_length=300)
    older_than_days: int = Field(default=7, ge=7, le=3650)
    requested_at: AwareDatetime


class ArchiveLogs(Order):
    """An order to copy old logs, and the application's own, into an archive elsewhere."""

    app: Name = "pravado-api"
    folder: str = Field(min_length=1, max_length=300)
    to: str = Field(min_length=1, max_length=300)
    older_than_days: int = Field(default=7, ge=7, le=3650)
    requested_at: AwareDatetime
    """By the workflow's clock: it names the archive."""


class LogsBefore(Answer):
    """What there was: the last lines that were said, and a list of what goes."""

    files: tuple[LogFile, ...] = ()
    count: int = 0
    """Of all old logs; those that are not listed stay."""
    app_files: tuple[LogFile, ...] = ()
    last_lines: str = ""
    free_bytes: int | None = None


class LogClearing:
    """Clears the logs of one host."""

    def __init__(self, ssh: Ssh, places: LogPlaces, *, targets: Targets) -> None:
        self._ssh = ssh
        self._places = places
        self._logs = LogReader(places)
        self._targets = targets

    @activity.defn(name="host.clear_logs.read")
    async def clear_logs_read(self, order: ClearLogs) -> LogsBefore:
        """Keep the last lines, and the list of what goes."""
        self._check(order.app, order.folder)
        return await self._before(order.older_than_days)

    @activity.defn(name="host.clear_logs")
    async def clear_logs(self, order: ClearLogs, before: LogsBefore) -> Done:
        """Delete the files of *before* that are as they were, and empty the application's own."""
        with attempt() as this:
            self._check(order.app, order.folder)
            target = f"{self._ssh.host}/logs"
            async with (
                self._targets.one_at_a_time(target),
                heartbeats("clearing logs"),
                self._ssh.session() as session,
            ):
                await self._logs.real_folder(session)
                deleted, left = await self._delete(session, order, before, this)
                flushed = await self._flush(session, before, this)
                free = (await disk_at(session, order.folder))[0]
        gone = [file for file in before.files if file.inode in deleted]
        size = sum(file.bytes for file in gone)
        flushed_bytes = sum(file.bytes for file in before.app_files) if flushed else 0
        freed = "" if before.free_bytes is None else f", {in_words(before.free_bytes)} before"
        said = (
            f"deleted {len(gone)} logs older than {order.older_than_days} days ({in_words(size)}), "
            f"emptied those of {order.app} ({in_words(flushed_bytes)}); "
            f"{in_words(free)} are free{freed}"
        )
        if left:
            raise Unwell(f"{said}, but {len(left)} logs could not be deleted: may this account?")
        return Done(said=said, changed=bool(gone) or flushed)

    @activity.defn(name="host.archive_logs.read")
    async def archive_logs_read(self, order: ArchiveLogs) -> LogsBefore:
        """List what is copied, and see that there is room."""
        self._check(order.app, order.folder, order.to)
        before = await self._before(order.older_than_days)
        async with self._ssh.session() as session:
            await self._check_room(session, order, before)
        return before

    @activity.defn(name="host.archive_logs")
    async def archive_logs(self, order: ArchiveLogs, before: LogsBefore) -> Done:
        """Copy what *before* lists into an archive of this order's own; nothing is deleted."""
        with attempt() as this:
            self._check(order.app, order.folder, order.to)
            stamp = f"{order.requested_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            file = host_commands.archive_name(order.to, order.app, stamp)
            target = f"{self._ssh.host}/logs"
            async with (
                self._targets.one_at_a_time(target),
                heartbeats("archiving logs"),
                self._ssh.session() as session,
            ):
                if there := await _size_of(session, file):
                    return Done(said=f"{file} is there already ({in_words(there)})", changed=False)
                await self._check_room(session, order, before)
                await self._archive(session, file, before, this)
                size = await _size_of(session, file)
            if size is None:
                raise Unwell(f"{file} was written and is not there")
            copied = (*before.files, *before.app_files)
            whole = in_words(sum(each.bytes for each in copied))
            said = f"copied {len(copied)} logs ({whole}) to {file} ({in_words(size)})"
            return Done(said=said)

    async def _archive(
        self, session: Session, file: str, before: LogsBefore, this: Attempt
    ) -> None:
        part = f"{file}.part"
        paths = [each.path for each in (*before.files, *before.app_files)]
        if not paths:
            raise Refused("there are no logs to archive")
        (await session.run(host_commands.make_private(part))).must()
        this.acted()
        ran = await session.run(host_commands.archive(part, paths, _ARCHIVE_SECONDS))
        checked = None
        if ran.status <= 1:  # 1: a file grew while it was read
            checked = await session.run(host_commands.check_archive(part, _ARCHIVE_SECONDS))
        if checked is None or checked.status:
            await session.run(host_commands.remove_part(part))
            raise Unwell(f"the archive was not finished, and is removed: {ran.said}")
        (await session.run(host_commands.put_in_place(part, file))).must()

    async def _delete(
        self, session: Session, order: ClearLogs, before: LogsBefore, this: Attempt
    ) -> tuple[set[int], set[int]]:
        """Delete the listed files; give the inodes of those that went, and of those that did not.

        One that is not as old any more counts as neither: somebody writes to it, and it stays.
        """
        folder, days = order.folder, order.older_than_days
        inodes = [file.inode for file in before.files]
        if not inodes:
            return set(), set()
        there = await _remaining(session, folder, days, inodes)
        if there:
            await session.run(host_commands.delete_logs(folder, days, sorted(there)))
            this.acted()
        left = await _remaining(session, folder, days, inodes)
        # What an earlier attempt has deleted is not there any more to be counted.
        return (there if this.first else set(inodes)) - left, left

    async def _flush(self, session: Session, before: LogsBefore, this: Attempt) -> bool:
        """Empty the application's logs once: what was said since an earlier attempt stays."""
        held = {file.inode: file.bytes for file in before.app_files}
        if not any(held.values()):
            return False
        now = await self._logs.own(session)
        # A log only ever grows, but for a flush and a rotation.
        if not this.first and any(file.bytes < held.get(file.inode, 0) for file in now):
            return True
        (await session.run(host_commands.flush_logs(self._places.app))).must()
        this.acted()
        return True

    async def _before(self, days: int) -> LogsBefore:
        async with self._ssh.session() as session:
            await self._logs.real_folder(session)
            old, count, _ = await self._logs.old(session, days)
            own = await self._logs.own(session)
            ran = await session.run(commands.logs(self._places.app))
            free = (await disk_at(session, self._places.folder))[0]
        lines = await asyncio.to_thread(last_lines, ran, _EVIDENCE_BYTES)
        return LogsBefore(
            files=tuple(_that_fit(old)),
            count=count,
            app_files=own,
            last_lines=lines.text,
            free_bytes=free,
        )

    async def _check_room(self, session: Session, order: ArchiveLogs, before: LogsBefore) -> None:
        mount = (await disk_at(session, order.folder))[2]
        room = await self._logs.room(session, mount) or 0
        # As they lie there: how well they compress is not known.
        needed = sum(file.bytes for file in (*before.files, *before.app_files))
        if needed > room:
            raise Refused(
                f"{order.to} has room for {in_words(room)} of archives, and these logs take "
                f"{in_words(needed)}"
            )

    def _check(self, app: str, folder: str, archive: str | None = None) -> None:
        self._logs.configured()
        places = self._places
        if app != places.app:
            raise Refused(f"{app} is not the application of the settings ({places.app})")
        if folder != places.folder or archive not in {None, places.archive}:
            raise Refused("the order names another folder than the settings do")


async def _remaining(session: Session, folder: str, days: int, inodes: Sequence[int]) -> set[int]:
    ran = await session.run(host_commands.remaining(folder, days, inodes))
    return {int(line) for line in ran.must().splitlines() if line.isdigit()}


async def _size_of(session: Session, file: str) -> int | None:
    ran = await session.run(host_commands.sizes([file]))
    size = ran.out.partition("\t")[0]
    return int(size) if ran.status == 0 and size.isdigit() else None


def _that_fit(files: list[LogFile]) -> list[LogFile]:
    """Keep the largest, as many as one command takes and a history should hold."""
    kept, room = [], _NAMES_BYTES
    for file in files[:MOST_FILES]:
        room -= len(file.path.encode()) + 60
        if room < 0:
            break
        kept.append(file)
    return kept
