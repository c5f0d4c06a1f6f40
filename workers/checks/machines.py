"""Looks at the API's host and at who keeps its processes: what may be run, running nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack

from activities import commands, host_commands
from activities.errors import Failed, Refused
from activities.pm2 import Pm2
from activities.ssh import Command, Session
from workers import clients
from workers.checks.check import Check, Seen
from workers.kubernetes_parts import KUBERNETES, PM2, cluster
from workers.settings import Settings, variable

_PROGRAMS = ("redis-cli", "curl")
"""What is run on the host beside what every system has."""


class HostCheck(Check):
    """Whether the API's host lets us in, and what it lets us run."""

    name = "the API's host"
    setting = variable("host", "address")

    @property
    def configured(self) -> bool:
        """Whether it has an address."""
        return bool(self.settings.host.address)

    async def look(self) -> Seen:
        """Enter it, look for programs, and ask sudo what it would let us do."""
        section = self.settings.host
        if (ssh := clients.ssh(section)) is None:
            raise Refused("the API's host has no address")
        async with ssh.session() as session:
            (await session.run(commands.load())).must()
            lacks = [
                f"{program} is not on PATH there: install it"
                for program in _programs(self.settings)
                if (await session.run(commands.where(program))).status
            ]
            for what, setting, command in _read(self.settings):
                if (ran := await session.run(command)).status:
                    lacks.append(f"{what} cannot be read there ({ran.said}): {setting}")
            units = [await _unit(session, unit, section.user) for unit in section.units]
        named = f"{section.user} is let in; may restart {', '.join(section.units)}"
        none = f"{section.user} is let in; no service is named in {variable('host', 'units')}"
        return Seen(named if section.units else none, tuple(lacks), tuple(filter(None, units)))


class Pm2Check(Check):
    """Whether pm2 keeps the application."""

    name = "pm2"
    setting = variable("host", "address")

    @property
    def configured(self) -> bool:
        """Whether there is a host, and pm2 on it."""
        return bool(self.settings.host.address) and self.settings.processes.kind == PM2

    async def look(self) -> Seen:
        """List the instances."""
        if (ssh := clients.ssh(self.settings.host)) is None:
            raise Refused("the API's host has no address")
        listed = await Pm2(ssh, self.settings.given.app).processes()
        return Seen(f"keeps {len(listed.instances)} instances of {listed.app}")


class KubernetesCheck(Check):
    """What our service account may do to the Deployment, by dry runs that change nothing."""

    name = "Kubernetes"
    setting = f"{variable('processes', 'kind')}={KUBERNETES}"

    @property
    def configured(self) -> bool:
        """Whether the platform is in a cluster."""
        return self.settings.processes.kind == KUBERNETES

    async def look(self) -> Seen:
        """Read what is read, and order what is there already."""
        async with AsyncExitStack() as stack:
            kubernetes = cluster(self.settings, stack)
            found = await kubernetes.deployment()
            count, version = await kubernetes.replicas()
            lacks, may_not = [], []
            for what, reading in (("pods", kubernetes.pods), ("replicasets", kubernetes.sets)):
                try:
                    await reading(found)
                except Refused as refused:
                    lacks.append(f"may not list {what} ({_ROLES}): {refused.message}")
            try:
                await kubernetes.set_replicas(count, version, dry_run=True)
            except Refused as refused:
                may_not.append(f"may not patch deployments/scale ({_ROLES}): {refused.message}")
            try:
                await kubernetes.patch_template({"metadata": {}}, dry_run=True)
            except Refused as refused:
                may_not.append(f"may not patch deployments ({_ROLES}): {refused.message}")
        name = f"{kubernetes.namespace}/{kubernetes.name}"
        return Seen(f"{name} wants {count} pods", tuple(lacks), tuple(may_not))


_ROLES = "deploy/kubernetes/platform"


def _programs(settings: Settings) -> tuple[str, ...]:
    asked = (*_PROGRAMS, *(("pm2",) if settings.processes.kind == PM2 else ()))
    return (*asked, *(("pg_isready",) if settings.reach.database_host else ()))


def _read(settings: Settings) -> list[tuple[str, str, Command]]:
    """List what is read there by its path: how it is called, its setting, and how it is read."""
    log, folder, root = settings.host.deploy_log, settings.disk.log_folder, settings.releases.root
    found = []
    if log:
        found.append((log, variable("host", "deploy_log"), commands.deployments(log, 1)))
    if folder:
        found.append((folder, variable("disk", "log_folder"), host_commands.kind_of_file(folder)))
    if root:
        found.append((root, variable("releases", "root"), commands.current_release(root)))
    return found


async def _unit(session: Session, unit: str, user: str) -> str:
    """Say what keeps us from restarting a service; empty is nothing."""
    try:
        told = (await session.run(commands.unit(unit))).must()
        if "LoadState=not-found" in told:
            return f"there is no service {unit} there: {variable('host', 'units')} names it"
        allowed = await session.run(commands.may_restart_unit(unit))
    except Failed as failed:
        return failed.message
    if allowed.status == 0:
        return ""
    return (
        f"{user} may not restart {unit}: add to sudoers `{user} ALL=(root) NOPASSWD: "
        f"/usr/bin/systemctl restart {unit}`"
    )
