"""pm2 on a host, over SSH."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from activities import commands
from activities.errors import Refused
from activities.host import last_lines
from activities.redaction import plain
from activities.ssh import Ssh
from activities.supervisor import Process, Processes

_LOG_BYTES = 4 * 1024


class Pm2:
    """One application under pm2."""

    def __init__(self, ssh: Ssh, app: str, *, variables: Collection[str] = ()) -> None:
        """Take the application, and the *variables* of its environment that may be looked at."""
        self._ssh = ssh
        self._app = app
        self._variables = frozenset(variables)

    @property
    def app(self) -> str:
        """Name of the application."""
        return self._app

    @property
    def host(self) -> str:
        """Where it runs."""
        return self._ssh.host

    async def processes(self) -> Processes:
        """List the instances."""
        ran = await self._ssh.run(commands.process_list())
        if ran.truncated:
            raise Refused("pm2's list of processes is larger than is read")
        listed = parsed(ran.must(), self._app, self._variables)
        if not listed.instances:
            raise Refused(f"pm2 on {self.host} has no application named {self._app}")
        return listed

    async def scale(self, instances: int) -> None:
        """Set the number of instances."""
        ran = await self._ssh.run(commands.scale(self._app, instances))
        # Asked for the number that there is, pm2 says "Nothing to do" and exits with 1.
        if "Nothing to do" not in plain(ran.out + ran.err):
            ran.must()

    async def restart(self, instance: int) -> None:
        """Restart one instance."""
        (await self._ssh.run(commands.restart_instance(instance))).must()

    async def restart_with(self, environment: Mapping[str, str]) -> None:
        """Restart all instances, with other values of some variables."""
        (await self._ssh.run(commands.restart_with(self._app, environment))).must()

    async def logs(self) -> str:
        """Give the last lines that were written, without credentials."""
        ran = await self._ssh.run(commands.logs(self._app))
        return (await asyncio.to_thread(last_lines, ran, _LOG_BYTES)).text


def parsed(shown: str, app: str, variables: Collection[str]) -> Processes:
    """Read ``pm2 jlist``; of each environment only *variables* are kept."""
    instances = tuple(
        _process(each, variables) for each in _listed(shown) if each.get("name") == app
    )
    shared = dict(instances[0].environment) if instances else {}
    for each in instances:
        shared = {k: v for k, v in shared.items() if each.environment.get(k) == v}
    return Processes(
        app=app, instances=tuple(sorted(instances, key=lambda i: i.id)), environment=shared
    )


def _listed(shown: str) -> list[dict[str, Any]]:
    # A pm2 that has to start its daemon first says so in lines that begin with "[PM2]".
    for line in plain(shown).splitlines():
        if line.startswith(("[{", "[]")):
            try:
                listed = json.loads(line)
            except ValueError:
                break
            if all(isinstance(each, dict) for each in listed):
                return list(listed)
    # Nothing of the text: it is full of environments.
    raise Refused("pm2's list of processes cannot be read")


def _process(raw: Mapping[str, Any], variables: Collection[str]) -> Process:
    pm2 = raw.get("pm2_env") or {}
    # Set by --update-env in both places; the outer one also has what pm2 itself adds.
    environment = {**(pm2.get("env") or {}), **pm2}
    monitored = raw.get("monit") or {}
    uptime = pm2.get("pm_uptime")
    status = str(pm2.get("status", "unknown"))
    try:
        return Process(
            id=raw["pm_id"],
            pid=raw.get("pid") or 0,
            status=status,
            restarts=pm2.get("restart_time") or 0,
            started_at=datetime.fromtimestamp(uptime / 1000, UTC) if uptime else None,
            memory_bytes=monitored.get("memory"),
            cpu_percent=monitored.get("cpu"),
            mode=str(pm2.get("exec_mode", "")).removesuffix("_mode"),
            environment={
                name: str(environment[name])
                for name in variables
                if isinstance(environment.get(name), str | int | float | bool)
            },
        )
    except (KeyError, TypeError, ValueError):
        raise Refused("pm2's list of processes cannot be read: an entry is not as usual") from None
