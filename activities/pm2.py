"""pm2 on a host, over SSH."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from activities import commands
from activities.errors import Ambiguous, NotConfigured, Refused
from activities.host import last_lines
from activities.redaction import plain
from activities.ssh import Ran, Ssh
from activities.supervisor import Process, Processes, Releases

_LOG_BYTES = 4 * 1024
_UNDER_WAY = "already in progress"
_LOCKED = timedelta(seconds=15)


@dataclass(frozen=True)
class ReleaseFolders:
    """Where releases lie on the host: ``releases/<name>``, and ``current``, a link to one."""

    root: str
    """Absolute path."""
    ready: str = ".ready"
    """A file that a deployment writes into the folder last, once it is built."""
    left: str = ".rolled-back"
    """A file that we write into a folder which an incident has left."""
    lock: str = "deploy.lock"
    """A file in the root while a deployment is under way."""


class Pm2:
    """One application under pm2."""

    def __init__(
        self,
        ssh: Ssh,
        app: str,
        *,
        variables: Collection[str] = (),
        folders: ReleaseFolders | None = None,
    ) -> None:
        """Take the application; nothing is asked yet.

        Args:
            ssh: The way to the host.
            app: Its name.
            variables: Those of its environment that may be looked at.
            folders: Where its releases lie, if they are prebuilt.
        """
        self._ssh = ssh
        self._app = app
        self._variables = frozenset(variables)
        self._folders = folders

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
        """Replace all instances, with other values of some variables."""
        # A restart ends the next one as soon as the one before is started, which nobody answers
        # yet: with two instances there would be a moment without any.
        self._replaced(await self._ssh.run(commands.reload(self._app, environment)))

    async def logs(self) -> str:
        """Give the last lines that were written, without credentials."""
        ran = await self._ssh.run(commands.logs(self._app))
        return (await asyncio.to_thread(last_lines, ran, _LOG_BYTES)).text

    async def releases(self) -> Releases:
        """List the release folders that are built, and read to which of them the link goes."""
        at = self._where
        async with self._ssh.session() as session:
            current = await session.run(commands.current_release(at.root))
            listed = await session.run(commands.releases(at.root, at.ready, at.left, at.lock))
        if listed.truncated:
            raise Refused("the list of releases is larger than is read")
        found = _found(listed.must())
        left = {path[1] for path in found if path[-1] == at.left}
        ready = {path[1] for path in found if path[-1] == at.ready}
        return Releases(
            running=_named(current.must().strip(), at.root),
            since=found.get(("current",)),
            ready=tuple(sorted(ready - left)),
            left=tuple(sorted(ready & left)),
            rolling=f"{at.lock} is there: a deployment is under way" if (at.lock,) in found else "",
        )

    async def switch_release(self, to: str, *, leaving: str) -> None:
        """Point the link to another folder and reload; each part may be done twice."""
        at = self._where
        turning = (
            commands.mark_release(at.root, leaving, at.left),
            commands.prepare_release(at.root, to),
            commands.point_to_release(at.root),
        )
        async with self._ssh.session() as session:
            for command in turning:
                (await session.run(command)).must()
            self._replaced(await session.run(commands.reload(self._app)))

    def _replaced(self, ran: Ran) -> None:
        if ran.status and _UNDER_WAY in plain(ran.out + ran.err):
            # The lock of a pm2 that was killed over it stays for 30 s.
            raise Ambiguous(f"{self._app} is being reloaded already: look again", wait=_LOCKED)
        ran.must()

    @property
    def _where(self) -> ReleaseFolders:
        if self._folders is None:
            raise NotConfigured("releases on the API's host", "releases.root")
        return self._folders


def _found(listed: str) -> dict[tuple[str, ...], datetime]:
    """Read the paths that `find` printed, each with the time at which it was put there."""
    try:
        lines = [line.split(" ", 1) for line in listed.splitlines()]
        return {
            tuple(path.split("/")): datetime.fromtimestamp(float(at), UTC) for at, path in lines
        }
    except (ValueError, OverflowError):
        raise Refused("the list of releases cannot be read") from None


def _named(link: str, root: str) -> str:
    """Name the release that the link goes to; a link that leaves the folder names none."""
    folder, _, name = link.removeprefix(f"{root}/").rstrip("/").rpartition("/")
    return name if folder == "releases" else ""


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


def log_files(shown: str, app: str) -> list[str]:
    """Read from ``pm2 jlist`` where an application logs to, each file once."""
    environments = (each.get("pm2_env") or {} for each in _listed(shown) if each.get("name") == app)
    named = (env.get(key) for env in environments for key in ("pm_out_log_path", "pm_err_log_path"))
    return list(dict.fromkeys(str(path) for path in named if path and path != "/dev/null"))


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
