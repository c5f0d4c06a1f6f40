"""What the API's host says of itself, and how Redis looks from there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import AwareDatetime, Field, ValidationError
from temporalio import activity

from activities import commands
from activities.errors import Failed, NotConfigured, Refused, Unavailable
from activities.redaction import ending
from activities.redis_findings import Finding, finding
from activities.redis_pings import Pinged, Pings, insisting
from activities.services import Unit, host_clock, read_unit
from activities.ssh import Command, Ran, Session, Ssh
from activities.verification import Sample, unknown
from activities.words import CUT_BYTES, Answer, Nothing, Order

_UNRESOLVED = ("name or service not known", "name resolution", "nodename nor servname")
_SAID = 200
T = TypeVar("T")


class Capacity(Answer):
    """What the host has and what is left of it; None is "could not be read"."""

    cores: int | None = None
    load_1m: float | None = None
    """Processes that ran or waited, for a processor or a disk, over the last minute."""
    cpu_busy_ratio: float | None = None
    """An estimate: the load for each core, at most 1."""
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    """What a new process could have, caches given back."""
    disk_total_bytes: int | None = None
    disk_free_ratio: float | None = None
    """Of the root file system, for those who are not root."""
    unread: tuple[str, ...] = ()
    """What could not be read, and why."""


class HostPong(Pinged):
    """Whether Redis answered a ping from the API's host."""


class RecentDeployments(Order):
    """A question for the last deployments."""

    most: int = Field(default=5, ge=1, le=50)


class Deployment(Answer):
    """One line of the host's log of deployments."""

    at: AwareDatetime
    release: str
    author: str = ""
    commit: str = ""
    migrations: bool | None = None
    """Whether it has migrations; None is not told, which is not "no"."""
    schema_changed: bool | None = None
    """Whether it changed the schema otherwise; None is not told."""
    environment_changed: bool | None = None
    """Whether it changed settings of the environment; None is not told."""
    healthy_minutes: float | None = None
    """Minutes of traffic that it carried well, where whoever wrote the log has measured them."""


class Deployments(Answer):
    """The last deployments, newest first."""

    last: tuple[Deployment, ...]
    newest_minutes_ago: float | None
    """By the host's clock, which also wrote the log; None when there was none."""
    unreadable_lines: int = 0


class Logs(Answer):
    """The last lines that the application wrote, without what looks like a credential."""

    text: str
    lines: int
    left_out: int = 0
    """Earlier lines that were too many."""


@dataclass(frozen=True)
class HostNames:
    """What things are called on the host; from the settings."""

    app: str = "pravado-api"
    redis_host: str = "127.0.0.1"
    redis_port: int = 6379
    redis_seconds: float = 5.0
    """After these a ping has failed."""
    redis_unit: str = "redis"
    """Empty where Redis is somebody else's."""
    deployments: str = ""
    """Absolute path of the log of deployments, JSON lines; empty where none is kept."""


class Host:
    """Asks the API's host; changes nothing."""

    def __init__(self, ssh: Ssh, names: HostNames) -> None:
        self._ssh = ssh
        self._names = names

    @activity.defn(name="host.capacity")
    async def capacity(self, ask: Nothing) -> Capacity:  # noqa: ARG002
        """Read processors, memory and disk."""
        unread: list[str] = []
        async with self._ssh.session() as session:
            cores = await _part(session, commands.cores(), int, unread)
            load = await _part(session, commands.load(), lambda out: float(out.split()[0]), unread)
            memory = await _part(session, commands.memory(), _memory, unread)
            disk = await _part(session, commands.disk(), _disk, unread)
        return Capacity(
            cores=cores,
            load_1m=load,
            cpu_busy_ratio=min(load / cores, 1.0) if cores and load is not None else None,
            memory_total_bytes=memory and memory[0],
            memory_available_bytes=memory and memory[1],
            disk_total_bytes=disk and disk[0],
            disk_free_ratio=disk[1] / disk[0] if disk and disk[0] else None,
            unread=tuple(unread),
        )

    @activity.defn(name="host.redis_ping")
    async def redis_ping(self, ask: Pings) -> HostPong:
        """Ping Redis from where the API runs; a Redis that does not answer is an answer too."""
        return await insisting(ask, self._redis_ping)

    async def _redis_ping(self) -> HostPong:
        names = self._names
        command = commands.redis_ping(names.redis_host, names.redis_port, names.redis_seconds)
        async with self._ssh.session() as session:
            try:
                ran = await session.run(command)
            except Unavailable as unavailable:
                # It is Redis that redis-cli waits for, unless the host itself says nothing more.
                await host_clock(session)
                return HostPong(answered=False, finding=Finding.TIMEOUT, said=unavailable.message)
        return _pong(ran)

    async def redis_look(self) -> Sample:
        """Take one sample of "Redis answers" from the vantage point of the API's host."""
        now = datetime.now(UTC)
        try:
            pong = await self._redis_ping()
        except Failed as failed:
            return unknown(now, f"API host: could not be read: {failed.message}")
        if pong.answered:
            return Sample(at=now, good=True, note="API host: Redis answers")
        note = f"API host: Redis: {pong.finding}: {pong.said}"
        return Sample(at=now, good=None if pong.finding.blind else False, note=note)

    @activity.defn(name="host.redis_service")
    async def redis_service(self, ask: Nothing) -> Unit:  # noqa: ARG002
        """Read whether Redis is a service of this host, and how it is."""
        if not self._names.redis_unit:
            return Unit(loaded=False, state="not here", pid=0, self_hosted=False)
        async with self._ssh.session() as session:
            return await read_unit(session, self._names.redis_unit)

    @activity.defn(name="host.recent_deployment")
    async def recent_deployment(self, ask: RecentDeployments) -> Deployments:
        """Read the last deployments and how long ago the newest was."""
        if not self._names.deployments:
            raise NotConfigured("the log of deployments", "its path on the API's host")
        async with self._ssh.session() as session:
            now = await host_clock(session)
            ran = await session.run(commands.deployments(self._names.deployments, ask.most))
        found: list[Deployment] = []
        unreadable = 0
        for line in filter(str.strip, ran.must().splitlines()):
            try:
                found.append(Deployment.model_validate(json.loads(line)))
            except (ValueError, ValidationError):
                unreadable += 1
        found.sort(key=lambda each: each.at, reverse=True)
        return Deployments(
            last=tuple(found),
            newest_minutes_ago=_minutes(found[0].at, now) if found else None,
            unreadable_lines=unreadable,
        )

    @activity.defn(name="host.logs")
    async def logs(self, ask: Nothing) -> Logs:  # noqa: ARG002
        """Read the last lines that the application wrote."""
        ran = await self._ssh.run(commands.logs(self._names.app))
        return await asyncio.to_thread(last_lines, ran)


def last_lines(ran: Ran, limit: int = CUT_BYTES - 1024) -> Logs:
    """Keep as many of the last lines as fit into *limit* bytes: the end says what happened."""
    out = ran.must()
    if ran.truncated:
        out = out.rpartition("\n")[0]  # the last line may end within a credential
    count = out.count("\n") + (not out.endswith("\n"))
    lines = ending(out, 2 * limit).splitlines()
    kept: list[str] = []
    room = limit
    for line in reversed(lines):
        short = line[:2000]
        room -= len(json.dumps(short))  # as it stands in the history
        if room < 0:
            break
        kept.append(short)
    return Logs(text="\n".join(reversed(kept)), lines=len(kept), left_out=count - len(kept))


async def _part(
    session: Session, command: Command, read: Callable[[str], T], unread: list[str]
) -> T | None:
    """Read one part of the evidence; one that cannot be read does not take the others with it."""
    try:
        return read((await session.run(command)).must())
    except Refused as refused:
        unread.append(refused.message)
    except (ValueError, IndexError, StopIteration):
        unread.append(f"`{command.title}` says something that is not understood")
    return None


def _minutes(then: datetime, now: datetime) -> float:
    return round((now - then).total_seconds() / 60, 2)


def _memory(shown: str) -> tuple[int, int]:
    heads = shown.splitlines()[0].split()
    row = next(line.split() for line in shown.splitlines() if line.startswith("Mem:"))
    return int(row[1 + heads.index("total")]), int(row[1 + heads.index("available")])


def _disk(shown: str) -> tuple[int, int]:
    _, size, free = shown.splitlines()[1].split()
    return int(size), int(free)


def _pong(ran: Ran) -> HostPong:
    if ran.status == 127:
        raise ran.failure()
    # redis-cli puts the server's error on stdout, its own on stderr; its exit status says neither.
    if ran.out.strip() == "PONG":
        return HostPong(answered=True)
    text = ran.said[:_SAID]
    lowered = text.lower()
    if any(words in lowered for words in _UNRESOLVED):
        # Not its text: that quotes the host name, which in a mistyped one is half of the password.
        return HostPong(answered=False, finding=Finding.DNS, said="its name cannot be resolved")
    return HostPong(answered=False, finding=finding(OSError(text)), said=text)
