"""Whether the API answers: through its public address, and on its own host instance by instance.

A single failure is a blip, and a place may be cut off itself: three tries, "down" is what both say.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import httpx
from temporalio import activity

from activities import host_commands
from activities.changes import heartbeats
from activities.errors import Failed, NotConfigured
from activities.ssh import Session, Ssh
from activities.supervisor import Process, Supervisor
from activities.verification import Sample, unknown
from activities.words import Answer, Nothing

TRIES = 3
_SECONDS = 3.0
_LOCAL_SECONDS = 2.0
_AT_ONCE = 4
_CURL = {6: "DNS", 7: "REFUSED", 28: "TIMEOUT", 35: "TLS", 52: "CLOSED", 56: "CLOSED", 60: "TLS"}


class Trouble(StrEnum):
    """How a health check failed."""

    NONE = ""
    REFUSED = "refused"
    """Nobody listens there."""
    TIMEOUT = "no answer in time"
    CLOSED = "closed without an answer"
    SERVER_ERROR = "an error of the server (5xx)"
    STATUS = "another status than 200"
    """4xx or a redirect: the address is wrong, or somebody stands in front of it."""
    DNS = "its name cannot be resolved"
    TLS = "its certificate cannot be trusted"
    STOPPED = "the instance does not run"
    NOT_READY = "its readiness check fails"
    """As the node of a pod sees it."""

    @property
    def means_down(self) -> bool:
        """Whether the API itself may be why; a name or a certificate is a finding of its own."""
        return self not in {Trouble.NONE, Trouble.STATUS, Trouble.DNS, Trouble.TLS}


class Reached(Answer):
    """What three health checks through the public address found."""

    failures: int
    tries: int = TRIES
    trouble: Trouble = Trouble.NONE
    """Of the last one that failed."""
    said: str = ""
    took_seconds: float = 0.0

    @property
    def answers(self) -> bool:
        """Whether each was answered with 200."""
        return self.failures == 0

    @property
    def down(self) -> bool:
        """Whether each failed in a way that the API itself may be the cause of."""
        return self.failures >= self.tries and self.trouble.means_down


class InstanceHealth(Answer):
    """How one instance answers on its own host."""

    id: int
    status: str
    port: int | None = None
    failures: int = 0
    trouble: Trouble = Trouble.NONE

    @property
    def answers(self) -> bool:
        """Whether it runs, and each health check was answered with 200."""
        return self.failures == 0 and self.trouble is Trouble.NONE


class HostHealth(Answer):
    """How the instances answer on their own host."""

    instances: tuple[InstanceHealth, ...]
    tries: int = TRIES

    @property
    def answers(self) -> bool:
        """Whether every instance answers."""
        return bool(self.instances) and all(each.answers for each in self.instances)

    @property
    def down(self) -> bool:
        """Whether none of them has answered even once."""
        return bool(self.instances) and all(
            each.failures >= self.tries and each.trouble.means_down for each in self.instances
        )

    @property
    def summary(self) -> str:
        """The instances in a line."""
        first = self.instances[:12]
        return ", ".join(
            f"instance {each.id} " + (f"fails: {each.trouble.value}" if each.trouble else "answers")
            for each in first
        )


class ApiHealth:
    """Asks the public address of the API, as its users do."""

    def __init__(self, http: httpx.AsyncClient, url: str, *, pause_seconds: float = 1.0) -> None:
        self._http = http
        self._url = url
        self._pause = pause_seconds

    @activity.defn(name="api.health")
    async def reached(self, ask: Nothing) -> Reached:  # noqa: ARG002
        """Ask three times, a moment apart."""
        if not self._url:
            raise NotConfigured("the API's public health address", "api.health_url")
        began = time.monotonic()
        failures, trouble, said = 0, Trouble.NONE, ""
        async with heartbeats("asking the API for its health"):
            for position in range(TRIES):
                if position:
                    await asyncio.sleep(self._pause)
                found, text = await self._once()
                if found:
                    failures, trouble, said = failures + 1, found, text
        took = round(time.monotonic() - began, 2)
        return Reached(failures=failures, trouble=trouble, said=said, took_seconds=took)

    async def _once(self) -> tuple[Trouble, str]:
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._http.stream("GET", self._url, timeout=_SECONDS) as answer,
            ):
                return _of_status(answer.status_code)
        except (TimeoutError, httpx.TimeoutException):
            return Trouble.TIMEOUT, f"no answer within {_SECONDS:g} s"
        except httpx.HTTPError as error:
            return _of_error(error), type(error).__name__


class OnHost(Protocol):
    """Looks at every instance where it runs."""

    async def on_host(self, ask: Nothing) -> HostHealth:
        """Look at each three times."""


class ApiOnHost:
    """Asks every instance of the API on its own host."""

    def __init__(
        self,
        ssh: Ssh,
        supervisor: Supervisor,
        *,
        path: str,
        port_variable: str,
        port: int = 0,
        pause_seconds: float = 1.0,
    ) -> None:
        """Take what is asked; nothing is connected to yet.

        Args:
            ssh: The way to the host.
            supervisor: Knows the instances; must let *port_variable* be looked at.
            path: Of the health check.
            port_variable: The variable that tells an instance its port.
            port: That of all instances where the variable is not set; 0 where it always is.
            pause_seconds: Between one try and the next.
        """
        self._ssh = ssh
        self._supervisor = supervisor
        self._path = path
        self._variable = port_variable
        self._port = port
        self._pause = pause_seconds

    @activity.defn(name="host.api_health")
    async def on_host(self, ask: Nothing) -> HostHealth:  # noqa: ARG002
        """Ask each instance three times; one that does not run has failed as often."""
        if not self._path:
            raise NotConfigured("the API's health on its host", "api.local_path")
        async with heartbeats("asking the instances for their health"):
            listed = (await self._supervisor.processes()).instances
            ports = {each.id: port for each in listed if (port := self._port_of(each))}
            tried: list[dict[int, Trouble]] = []
            async with self._ssh.session() as session:
                for position in range(TRIES):
                    if position:
                        await asyncio.sleep(self._pause)
                    tried.append(await self._round(session, set(ports.values())))
        if not ports and any(each.online for each in listed):
            raise NotConfigured("the port of the instances", "api.port_variable or api.port")
        return HostHealth(
            instances=tuple(_instance(each, ports.get(each.id), tried) for each in listed)
        )

    async def _round(self, session: Session, ports: Collection[int]) -> dict[int, Trouble]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def ask(port: int) -> Trouble:
            async with places:
                command = host_commands.local_health(port, self._path, _LOCAL_SECONDS)
                ran = await session.run(command)
            if ran.status == 127:
                raise ran.failure()
            if ran.status:
                return Trouble[_CURL.get(ran.status, "CLOSED")]
            status = ran.out.strip()
            return _of_status(int(status))[0] if status.isdigit() else Trouble.STATUS

        return dict(zip(ports, await asyncio.gather(*map(ask, ports)), strict=True))

    def _port_of(self, instance: Process) -> int | None:
        said = instance.environment.get(self._variable, "")
        return int(said) if said.isdecimal() else self._port or None


async def everywhere(outside: ApiHealth, host: OnHost | None) -> Sample:
    """Take one sample of "the API is healthy on every instance", from both places."""
    now = datetime.now(UTC)
    looks = [_from_outside(outside), *([_from_host(host)] if host is not None else [])]
    seen = await asyncio.gather(*looks)
    verdicts = [good for good, _ in seen]
    alone = () if host else ("API host: not set up, so not asked",)
    note = "; ".join((*(note for _, note in seen), *alone))
    if False not in verdicts and None in verdicts:
        return unknown(now, note)
    return Sample(at=now, good=False not in verdicts, note=note)


async def _from_outside(outside: ApiHealth) -> tuple[bool | None, str]:
    try:
        found = await outside.reached(Nothing())
    except Failed as failed:
        return None, f"public address: could not be read: {failed.message}"
    if found.answers:
        return True, "public address: 200"
    note = f"public address: {found.failures} of {found.tries} failed: {found.trouble} {found.said}"
    return (False if found.trouble.means_down else None), note


async def _from_host(host: OnHost) -> tuple[bool | None, str]:
    try:
        found = await host.on_host(Nothing())
    except Failed as failed:
        return None, f"API host: could not be read: {failed.message}"
    return found.answers, f"API host: {found.summary or 'no instance'}"


def _instance(
    instance: Process, port: int | None, tried: list[dict[int, Trouble]]
) -> InstanceHealth:
    found = [each[port] for each in tried if port in each] if port else []
    failed = [trouble for trouble in found if trouble]
    failures, trouble = len(failed), failed[-1] if failed else Trouble.NONE
    if not instance.online:
        failures, trouble = TRIES, Trouble.STOPPED
    elif not found:  # its port is not known: neither well nor down
        trouble = Trouble.STATUS
    return InstanceHealth(
        id=instance.id, status=instance.status, port=port, failures=failures, trouble=trouble
    )


def _of_status(status: int) -> tuple[Trouble, str]:
    if status == 200:
        return Trouble.NONE, ""
    return Trouble.SERVER_ERROR if status >= 500 else Trouble.STATUS, f"health answers {status}"


def _of_error(error: BaseException) -> Trouble:
    causes, at = [error], error.__cause__ or error.__context__
    while at is not None and at not in causes:
        causes.append(at)
        at = at.__cause__ or at.__context__
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return Trouble.TLS
    if any(isinstance(each, socket.gaierror) for each in causes):
        return Trouble.DNS
    return Trouble.REFUSED if isinstance(error, httpx.ConnectError) else Trouble.CLOSED
