"""The process manager of the API server: keeps instances of the API running, as pm2 does."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from signal import SIGINT
from typing import Any

import psutil

from deploy.local import processes

APP = "pravado-api"
KILLED_AFTER_SECONDS = 1.6
STABLE_AFTER_SECONDS = 1.0
MOST_UNSTABLE_RESTARTS = 15
MOST_INSTANCES = 12
LOOK_SECONDS = 0.1
_TAIL_BYTES = 128 * 1024
LISTEN_SECONDS = 3.0
"""Given to a reloaded instance before the next one's turn."""

_ROOT = Path(__file__).resolve().parents[2]


class Refused(Exception):
    """A command that cannot be carried out; its text is what stands on stderr."""


class Instance:
    """One process of the API, over all its restarts."""

    def __init__(self, number: int, environment: Mapping[str, str], logs: Path) -> None:
        self.number = number
        self.environment = dict(environment)
        self.port = processes.free_port()
        self.status = "launching"
        self.listened = False
        """Whether it has ever accepted a connection, which is when it gets its share of traffic."""
        self.restarts = 0
        self.unstable_restarts = 0
        self.created = self.since = _milliseconds()
        self.child = processes.Child(
            f"{APP} {number}",
            [sys.executable, "-m", "deploy.gameday.api"],
            log=logs / f"{APP}-{number}.log",
            cwd=_ROOT,
            stop_signal=SIGINT,
            grace=KILLED_AFTER_SECONDS,
        )

    async def start(self) -> None:
        """Start the process; that it listens is not waited for."""
        self.child.env = {**self.environment, "PORT": str(self.port)}
        await self.child.start()
        self.status, self.since = "online", _milliseconds()

    async def restart(self, environment: Mapping[str, str]) -> None:
        """End the process and start another, with these variables over the present ones."""
        self.environment.update(environment)
        await self.stop()
        self.restarts += 1
        self.unstable_restarts = 0
        await self.start()

    async def stop(self) -> None:
        """End the process."""
        self.status = "stopping"
        await self.child.stop()

    async def look(self) -> bool:
        """Start again what crashed; True when it has begun to listen since the last look."""
        if self.status == "online" and not self.child.running:
            self.status = "launching"
            await self.child.wait()
            stable = _milliseconds() - self.since > STABLE_AFTER_SECONDS * 1000
            self.unstable_restarts = 0 if stable else self.unstable_restarts + 1
            if self.unstable_restarts >= MOST_UNSTABLE_RESTARTS:
                self.status = "errored"
            else:
                self.restarts += 1
                await self.start()
        if self.listened or self.status != "online":
            return False
        with contextlib.suppress(OSError):
            self.listened = await processes.listens(self.port)()
        return self.listened

    async def described(self) -> dict[str, Any]:
        """Give the entry of `pm2 jlist`, the environment twice and unredacted, as there."""
        pid = self.child.pid if self.child.running else 0
        memory, processor = await asyncio.to_thread(_use, pid) if pid else (0, 0.0)
        environment = {**self.environment, "PORT": str(self.port), "NODE_APP_INSTANCE": self.number}
        return {
            "pid": pid,
            "name": APP,
            "pm_id": self.number,
            "monit": {"memory": memory, "cpu": processor},
            "pm2_env": {
                **environment,
                "env": environment,
                "name": APP,
                "namespace": "default",
                "pm_id": self.number,
                "status": self.status,
                "restart_time": self.restarts,
                "unstable_restarts": self.unstable_restarts,
                "created_at": self.created,
                "pm_uptime": self.since,
                "exec_mode": "cluster_mode",
                "instances": 1,
                "pm_cwd": "/srv/pravado",
                "pm_exec_path": "/srv/pravado/current/apps/api/dist/server.js",
                "pm_out_log_path": str(self.child.log),
                "pm_err_log_path": str(self.child.log),
                "exit_code": self.child.exit_code or 0,
            },
        }


class Pm2:
    """The instances of the one app, and what can be ordered of them."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        changed: Callable[[list[int]], Awaitable[None]],
    ) -> None:
        """Describe the app; nothing starts yet.

        Args:
            folder: Where the logs go.
            environment: What the instances see, besides PATH.
            changed: Told the ports that are to get traffic whenever these change.
        """
        self.folder = folder
        self.environment = {"PATH": os.environ.get("PATH", ""), **environment}
        self.instances: list[Instance] = []
        self._rotated = {"max_size": "10M", "retain": "all", "compress": "false"}
        """As the module is set: it keeps every log for ever."""
        self._changed = changed
        self._one_at_a_time = asyncio.Lock()

    async def scale(self, count: int) -> str:
        """Start or end instances until there are that many."""
        async with self._one_at_a_time:
            if not 1 <= count <= MOST_INSTANCES:
                raise Refused(f"[PM2][ERROR] {count} instances are not possible here")
            if count == len(self.instances):
                raise Refused("[PM2][ERROR] Nothing to do")
            dropped = self.instances[count:]
            del self.instances[count:]
            if dropped:
                await self._tell()  # no request is sent where nobody will answer it
            await asyncio.gather(*(instance.stop() for instance in dropped))
            # A new copy is made from the first one, switches included.
            template = self.instances[0].environment if self.instances else self.environment
            begun = [
                Instance(number, template, self.folder)
                for number in range(len(self.instances), count)
            ]
            await asyncio.gather(*(instance.start() for instance in begun))
            self.instances += begun
            return f"[PM2] Scaling to {count} instances done\n"

    async def restart(self, which: str, environment: Mapping[str, str] | None = None) -> str:
        """Restart all instances, or the one with that number, at once."""
        async with self._one_at_a_time:
            chosen = [it for it in self.instances if which in {APP, "all", str(it.number)}]
            if not chosen:
                raise Refused(f"[PM2][ERROR] Process or Namespace {which} not found")
            await asyncio.gather(*(instance.restart(environment or {}) for instance in chosen))
            return "".join(f"[PM2] [{APP}]({instance.number}) ok\n" for instance in chosen)

    async def reload(self, which: str, environment: Mapping[str, str] | None = None) -> str:
        """Replace one instance after the other, each once the one before it listens."""
        async with self._one_at_a_time:
            if which not in {APP, "all"}:
                raise Refused(f"[PM2][ERROR] Process or Namespace {which} not found")
            for instance in self.instances:
                await instance.restart(environment or {})
                await self._until_it_listens(instance)
            return "".join(f"[PM2] [{APP}]({it.number}) ok\n" for it in self.instances)

    @staticmethod
    async def _until_it_listens(instance: Instance) -> None:
        """Wait for a successor, but not for one that crashes."""
        for _ in range(int(LISTEN_SECONDS / LOOK_SECONDS)):
            with contextlib.suppress(OSError):
                if await processes.listens(instance.port)():
                    break
            await asyncio.sleep(LOOK_SECONDS)

    async def jlist(self) -> str:
        """Describe the instances as JSON."""
        described = await asyncio.gather(*(instance.described() for instance in self.instances))
        return json.dumps(described) + "\n"

    def logs(self, lines: int) -> str:
        """Give the last lines of each instance's log."""
        found: list[str] = []
        for instance in self.instances:
            found.append(f"{instance.child.log} last {lines} lines:")
            with contextlib.suppress(FileNotFoundError):
                last = _tail(instance.child.log).splitlines()[-lines:] if lines else []
                found += [f"{instance.number}|{APP[:8]} | {line}" for line in last]
        return "\n".join(found) + "\n"

    def reset(self) -> str:
        """Count restarts from zero again."""
        for instance in self.instances:
            instance.restarts = instance.unstable_restarts = 0
        return f"[PM2] Resetting meta for process {APP}\n"

    async def flush(self) -> str:
        """Empty the logs; who writes to them goes on at their beginning."""
        for instance in self.instances:
            with contextlib.suppress(FileNotFoundError):
                os.truncate(instance.child.log, 0)
        return "[PM2] Logs flushed\n"

    def rotation(self) -> str:
        """Tell how logs are rotated, as the module for it does."""
        told = (f"$ pm2 set pm2-logrotate:{key} {value}\n" for key, value in self._rotated.items())
        return "Module: pm2-logrotate\n" + "".join(told)

    def set_rotation(self, key: str, value: str) -> str:
        """Set how logs are rotated."""
        if key not in self._rotated:
            raise Refused(f"[PM2][ERROR] {key} is not known to pm2-logrotate")
        self._rotated[key] = value
        return "[PM2] Module pm2-logrotate restarted\n[PM2] Setting changed\n"

    async def watch(self) -> None:
        """Restart what crashes and pass on what begins to listen, for as long as this runs."""
        while True:
            async with self._one_at_a_time:
                if any([await instance.look() for instance in self.instances]):
                    await self._tell()
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self) -> None:
        """End all instances."""
        async with self._one_at_a_time:
            await asyncio.gather(*(instance.stop() for instance in self.instances))

    async def _tell(self) -> None:
        await self._changed([instance.port for instance in self.instances if instance.listened])


def _tail(log: Path) -> str:
    """Read the last part of a log: it may be very long."""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
        return file.read().decode(errors="replace")


def _use(pid: int) -> tuple[int, float]:
    """Measure the bytes and the share of a processor that a process takes."""
    try:
        process = psutil.Process(pid)
        return process.memory_info().rss, process.cpu_percent(0.02)
    except psutil.Error:  # it ended meanwhile
        return 0, 0.0


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
