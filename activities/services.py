"""The services of systemd on a host: what state they are in, and how one is restarted once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import AwareDatetime
from temporalio import activity

from activities import commands
from activities.changes import Targets, attempt, heartbeats
from activities.errors import Failed, NotConfigured, NotYet, Refused, Unavailable, Unwell
from activities.pace import Pace
from activities.ssh import Session, Ssh
from activities.words import Answer, Done, Name, Order

_MOVING = {"activating", "deactivating", "reloading", "refreshing"}


class Unit(Answer):
    """A unit of systemd as its host describes it."""

    loaded: bool
    state: str
    sub_state: str = ""
    result: str = ""
    pid: int
    """0 while no main process runs."""
    since: AwareDatetime | None = None
    """When it last became active, by the host's clock, where the host writes it in UTC."""
    self_hosted: bool
    """Whether the service is one of this host, which a restart here would reach."""

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self.state == "active" and self.pid > 0

    @classmethod
    def parsed(cls, shown: str) -> Self:
        """Read what ``systemctl show`` says."""
        pairs = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if "LoadState" not in pairs:
            raise Refused("the host's systemctl says nothing of the unit: is it systemd?")
        loaded = pairs["LoadState"] == "loaded"
        pid = pairs.get("MainPID", "0")
        return cls(
            loaded=loaded,
            state=pairs.get("ActiveState", ""),
            sub_state=pairs.get("SubState", ""),
            result=pairs.get("Result", ""),
            pid=int(pid) if pid.isdigit() else 0,
            since=_since(pairs.get("ActiveEnterTimestamp", "")),
            self_hosted=loaded,
        )


class RestartService(Order):
    """An order to restart a unit once."""

    unit: Name = "redis"
    requested_at: AwareDatetime
    """By the workflow's clock: it makes this restart a different one from the next."""


class ServiceBefore(Answer):
    """What ran before a restart."""

    pid: int
    state: str
    since: AwareDatetime | None = None
    clock: AwareDatetime
    """The host's own, to which `since` is compared: no other clock is."""


class Services:
    """Restarts the units that the settings allow."""

    def __init__(
        self, ssh: Ssh, *, units: Collection[str], targets: Targets, pace: Pace | None = None
    ) -> None:
        self._ssh = ssh
        self._units = frozenset(units)
        self._targets = targets
        self._pace = pace or Pace()

    @activity.defn(name="host.restart_service.read")
    async def restart_service_read(self, order: RestartService) -> ServiceBefore:
        """Read which process runs now."""
        unit = self._allowed(order.unit)
        async with self._ssh.session() as session:
            clock = await host_clock(session)
            present = await read_unit(session, unit)
        if not present.loaded:
            raise Refused(f"{unit} is not a service of {self._ssh.host}")
        return ServiceBefore(pid=present.pid, state=present.state, since=present.since, clock=clock)

    @activity.defn(name="host.restart_service")
    async def restart_service(self, order: RestartService, before: ServiceBefore) -> Done:
        """Restart the unit, unless its process is no longer the one of *before*."""
        with attempt() as this:
            unit = self._allowed(order.unit)
            async with (
                self._targets.one_at_a_time(f"{self._ssh.host}/{unit}"),
                heartbeats(f"restarting {unit}"),
            ):
                present = await self._look(unit)
                if not this.first and not _replaced(present, before):
                    # The order of the attempt before may be on its way still.
                    await asyncio.sleep(self._pace.settle_seconds)
                    present = await self._look(unit)
                if not _replaced(present, before) and present.state not in _MOVING:
                    await self._restart(unit, before)
                    this.acted()
                present = await self._until_active(unit, before)
        ours = not this.untouched
        who = "" if ours else " by itself or by somebody else since it was read"
        return Done(
            said=f"{unit} was restarted{who}: process {before.pid} → {present.pid}",
            changed=ours,
            at=present.since,
        )

    async def _restart(self, unit: str, before: ServiceBefore) -> None:
        try:
            (await self._ssh.run(commands.restart_unit(unit))).must()
        except Unwell as complaint:
            # systemctl complains when it did nothing, and when the service did not stay up.
            present = await self._look(unit)
            if present.state == "failed":
                said = f"{unit} was restarted, but it is failed: {present.result}"
                raise Unwell(said) from complaint
            if present.active and present.pid == before.pid:
                raise Refused(complaint.message) from None

    async def _until_active(self, unit: str, before: ServiceBefore) -> Unit:
        deadline = time.monotonic() + self._pace.ready_seconds
        while True:
            present: Unit | None = None
            lost: Failed | None = None
            try:
                present = await self._look(unit)
            except Unavailable as unavailable:  # a busy host is asked again
                lost = unavailable
            if present and present.active and _replaced(present, before):
                return present
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(self._pace.poll_seconds)
        if present is None:
            raise lost or Unavailable(f"{self._ssh.host} does not answer")
        said = f"{unit} is {present.state} ({present.sub_state}): {present.result or 'no result'}"
        if present.state in _MOVING:
            # As Redis is while it loads its data: what comes next must not begin meanwhile.
            raise NotYet(said, wait=timedelta(seconds=self._pace.poll_seconds))
        raise Refused(f"restarted, but {said}")

    async def _look(self, unit: str) -> Unit:
        async with self._ssh.session() as session:
            return await read_unit(session, unit)

    def _allowed(self, unit: str) -> str:
        if not self._units:
            raise NotConfigured("restarting a service", "the units that may be restarted")
        if unit not in self._units:
            raise Refused(f"{unit} is not among the units that the settings allow to be restarted")
        return unit


async def read_unit(session: Session, name: str) -> Unit:
    """Read the state of a unit; one that does not exist is not loaded."""
    return Unit.parsed((await session.run(commands.unit(name))).must())


async def host_clock(session: Session) -> datetime:
    """Read what time it is on the host."""
    said = (await session.run(commands.clock())).must().strip()
    try:
        return datetime.fromtimestamp(float(said), UTC)
    except (ValueError, OverflowError, OSError):
        raise Refused("the host's clock cannot be read") from None


def _replaced(present: Unit, before: ServiceBefore) -> bool:
    """Judge whether the process of *before* is gone and another has taken its place."""
    if present.pid in {0, before.pid}:
        return False
    # Its clock shows whole seconds.
    return present.since is None or present.since >= before.clock.replace(microsecond=0)


def _since(shown: str) -> datetime | None:
    # An abbreviation of another zone than UTC cannot be read for certain: CST is three zones.
    try:
        return datetime.strptime(shown, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None
