"""Whether PostgreSQL can be reached from the worker and from the API host, and how surely not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pydantic import Field
from temporalio import activity

from activities import commands
from activities.changes import heartbeats
from activities.errors import Failed, NotConfigured, Unavailable
from activities.postgres import Postgres
from activities.postgres_connection import Database
from activities.postgres_findings import Finding
from activities.services import host_clock
from activities.ssh import Ran, Ssh
from activities.verification import Sample, unknown
from activities.words import Answer, Nothing, Order

SECONDS = 5.0
"""After these a SELECT has failed."""
_SAID = 200


class Selected(Answer):
    """Whether the database answered from one vantage point."""

    answered: bool
    finding: Finding = Finding.NONE
    """Why not; wrong credentials, a name that cannot be resolved and too many connections are
    findings of their own, and not "down"."""
    said: str = ""
    took_seconds: float = 0.0
    failures: int = 0
    """How many looks in a row found it down."""

    @property
    def means_down(self) -> bool:
        """Whether it speaks for an outage."""
        return not self.answered and self.finding.means_down


class Looks(Order):
    """A question to look again where it seems down: one failure is a blip, three are not."""

    times: int = Field(default=3, ge=1, le=10)
    apart_seconds: float = Field(default=5.0, ge=0.0, le=30.0)
    """From the start of one look to that of the next."""


class PostgresReach:
    """Asks PostgreSQL for the time, as the worker reaches it."""

    def __init__(self, database: Database, *, seconds: float = SECONDS) -> None:
        self._postgres = Postgres(database)
        self._seconds = seconds

    @activity.defn(name="postgres.select")
    async def select(self, ask: Nothing) -> Selected:
        """Select the time once, on a new connection; an unreachable database is an answer too."""
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds):
                answered = await self._postgres.answers(ask)
        except TimeoutError:
            late = f"no answer to SELECT now() within {self._seconds:g} s"
            return Selected(
                answered=False, finding=Finding.TIMEOUT, said=late, took_seconds=_since(begun)
            )
        return Selected(
            answered=answered.reachable,
            finding=answered.finding,
            said=answered.said,
            took_seconds=_since(begun),
        )

    @activity.defn(name="postgres.select_again")
    async def select_again(self, ask: Looks) -> Selected:
        """Select the time, and again while it seems down: as many failures as were asked for."""
        return await look_again(lambda: self.select(Nothing()), ask)

    async def select_sample(self) -> Sample:
        """Look once whether the database answers the worker."""
        return _sample("the worker", await self.select(Nothing()))


class HostDatabase:
    """Asks PostgreSQL, as the API's host reaches it."""

    def __init__(self, ssh: Ssh, host: str, port: int, *, seconds: int = 3) -> None:
        self._ssh = ssh
        self._host = host
        self._port = port
        self._seconds = seconds

    @activity.defn(name="host.database_ping")
    async def database_ping(self, ask: Nothing) -> Selected:  # noqa: ARG002
        """Ask whether it takes connections; it is not logged in, so credentials do not matter."""
        if not self._host:
            raise NotConfigured("the database as the API's host reaches it", "reach.database_host")
        begun = time.perf_counter()
        command = commands.database_ready(self._host, self._port, self._seconds)
        async with self._ssh.session() as session:
            try:
                ran = await session.run(command)
            except Unavailable as silent:
                # It is the database that is waited for, unless the host itself says nothing more.
                await host_clock(session)
                ran = Ran(command, 2, "", silent.message)
            found = _ready(ran)
            if found.means_down:
                # pg_isready says "no response" to a name that nobody knows, too.
                resolved = await session.run(commands.resolve(self._host))
                if resolved.status == 2:
                    text = "its name cannot be resolved on the API's host"
                    found = Selected(answered=False, finding=Finding.DNS, said=text)
        return found.model_copy(update={"took_seconds": _since(begun)})

    @activity.defn(name="host.database_ping_again")
    async def database_ping_again(self, ask: Looks) -> Selected:
        """Ask, and again while it seems down: as many failures as were asked for."""
        return await look_again(lambda: self.database_ping(Nothing()), ask)

    async def database_sample(self) -> Sample:
        """Look once whether the database answers the API's host."""
        try:
            return _sample("the API host", await self.database_ping(Nothing()))
        except Failed as failed:
            return unknown(datetime.now(UTC), f"API host: could not be read: {failed.message}")


async def look_again(look: Callable[[], Awaitable[Selected]], ask: Looks) -> Selected:
    """Look until it answers, says something else than "down", or was down as often as asked."""
    failures = 0
    async with heartbeats("looking again"):
        while True:
            next_at = time.monotonic() + ask.apart_seconds
            found = await look()
            failures = failures + 1 if found.means_down else 0
            if not failures or failures >= ask.times:
                return found.model_copy(update={"failures": failures})
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))


def _ready(ran: Ran) -> Selected:
    said = ran.said[:_SAID]
    match ran.status:
        case 0:
            return Selected(answered=True)
        case 1:
            return Selected(answered=False, finding=Finding.STARTING, said=said)
        case 2:
            return Selected(answered=False, finding=Finding.TIMEOUT, said=said)
        case 3:
            return Selected(answered=False, finding=Finding.OTHER, said=said)
    raise ran.failure()


def _sample(where: str, found: Selected) -> Sample:
    return Sample(
        at=datetime.now(UTC),
        good=None if found.finding.blind else found.answered,
        value=found.took_seconds if found.answered else None,
        note=f"PostgreSQL from {where}: {found.finding}: {found.said}" if found.finding else "",
    )


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
