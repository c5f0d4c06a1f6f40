"""A host behind a real ssh server, whose processes and failures a test decides."""

from __future__ import annotations

import asyncio
import itertools
import json
import shlex
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from activities.ssh import Login, Ssh

APP = "pravado-api"
SECRET = "hunter2-this-must-stay-on-the-host"
Said = tuple[int, str, str]


@dataclass
class Instance:
    """One process that the scripted pm2 keeps."""

    id: int
    pid: int
    started: float
    status: str = "online"
    restarts: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    mode: str = "cluster_mode"

    def listed(self) -> dict[str, Any]:
        environment = {"STRIPE_SECRET_KEY": SECRET, "NODE_ENV": "production", **self.environment}
        return {
            "pid": self.pid,
            "name": APP,
            "pm_id": self.id,
            "pm2_env": {
                **environment,
                "env": environment,
                "status": self.status,
                "restart_time": self.restarts,
                "pm_uptime": int(self.started * 1000),
                "exec_mode": self.mode,
            },
            "monit": {"memory": 52_000_000, "cpu": 1.5},
        }


class ScriptedHost:
    """State of the host; a command acts on it as the real one would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran: list[str] = []
        self.clock_ahead = 0.0
        self._pids = itertools.count(1000)
        self.instances = [self.instance(0), self.instance(1), self.instance(2)]
        self.banner = ""
        """What pm2 says before its list."""
        self.redis_pid = next(self._pids)
        self.redis_state = "active"
        self.redis_result = "success"
        self.redis_since = time.time() - 3600
        self.redis_comes_back = "active"
        self.redis_said: Said = (0, "PONG\n", "")
        self.deployments = ""
        self.log = "listening\n"
        self.answers: dict[str, Said] = {}
        """Commands (by how they begin) that are answered so, and act on nothing."""
        self.drop_after: set[str] = set()
        """Commands that are carried out, and their answer lost, once each."""
        self.drop_before: set[str] = set()
        """Commands during which the connection is lost before they act, once each."""
        self.hang: set[str] = set()
        """Commands that never end."""
        self.comes_up: Callable[[Instance], str] = lambda instance: "online"
        """The status of an instance after a restart."""
        self.ssh: Ssh
        self.server: asyncssh.SSHAcceptor

    def instance(self, number: int) -> Instance:
        return Instance(number, next(self._pids), self.now() - 600)

    def now(self) -> float:
        return time.time() + self.clock_ahead

    def count(self, begins: str) -> int:
        return sum(line.startswith(begins) for line in self.ran)

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self.instances]

    def stamp(self, when: float) -> str:
        return datetime.fromtimestamp(when, UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC")

    def act(self, words: list[str]) -> Said:  # noqa: C901, PLR0911, PLR0912 (a table)
        match words:
            case ["date", "+%s.%N"]:
                return 0, f"{self.now():.9f}\n", ""
            case ["nproc"]:
                return 0, "4\n", ""
            case ["cat", "/proc/loadavg"]:
                return 0, "3.00 1.00 0.50 2/345 6789\n", ""
            case ["free", "-b"]:
                return (
                    0,
                    (
                        "         total       used       free    shared buff/cache  available\n"
                        "Mem: 8000000000 1000000000 2000000000 100000000 5000000000 6500000000\n"
                        "Swap:              0           0           0\n"
                    ),
                    "",
                )
            case ["df", "-B1", "--output=target,size,avail", "/"]:
                return (
                    0,
                    "Mounted on    1B-blocks      Avail\n/          100000000000 25000000000\n",
                    "",
                )
            case ["redis-cli", "-h", _, "-p", _, "ping"]:
                return self.redis_said
            case ["systemctl", "show", unit, *_]:
                loaded = "loaded" if unit == "redis" else "not-found"
                return (
                    0,
                    (
                        f"LoadState={loaded}\nActiveState={self.redis_state}\nSubState=running\n"
                        f"Result={self.redis_result}\nMainPID={self.redis_pid}\n"
                        f"ActiveEnterTimestamp={self.stamp(self.redis_since)}\n"
                    ),
                    "",
                )
            case ["sudo", "-n", "systemctl", "restart", "redis"]:
                self.redis_state = self.redis_comes_back
                self.redis_since = self.now()
                self.redis_pid = next(self._pids) if self.redis_state == "active" else 0
                if self.redis_state == "failed":
                    self.redis_result = "exit-code"
                    return 1, "", "Job for redis.service failed because the process exited.\n"
                return 0, "", ""
            case ["tail", "-n", count, _]:
                return 0, "".join(self.deployments.splitlines(keepends=True)[-int(count) :]), ""
            case ["pm2", "jlist"]:
                return 0, f"{self.banner}{json.dumps([i.listed() for i in self.instances])}\n", ""
            case ["pm2", "scale", name, count] if name == APP:
                return self._scale(int(count))
            case ["pm2", "restart", number] if number.isdigit():
                return self._restart(int(number))
            case ["env", *pairs, "pm2", "reload", name, "--update-env"] if name == APP:
                for each in self.instances:
                    each.environment.update(pair.split("=", 1) for pair in pairs)
                    self._restart(each.id)
                return 0, "", ""
            case ["pm2", "logs", name, "--lines", "100", "--nostream"] if name == APP:
                return 0, self.log, ""
        return 127, "", f"sh: 1: {words[0]}: not found\n"

    def _scale(self, count: int) -> Said:
        if count == len(self.instances):
            return 1, "", "[PM2][ERROR] Nothing to do\n"
        while len(self.instances) > count:
            self.instances.pop()
        while len(self.instances) < count:
            number = max(each.id for each in self.instances) + 1
            new = Instance(number, next(self._pids), self.now())
            new.environment = dict(self.instances[0].environment)
            new.status = self.comes_up(new)
            self.instances.append(new)
        return 0, "", ""

    def _restart(self, number: int) -> Said:
        for each in self.instances:
            if each.id == number:
                each.status = self.comes_up(each)
                each.pid = next(self._pids) if each.status == "online" else 0
                each.started = self.now()
                each.restarts += 1
                return 0, f"[PM2] [{APP}]({number}) ok\n", ""
        return 1, "", "[PM2][ERROR] Process or Namespace not found\n"

    async def answer(self, process: asyncssh.SSHServerProcess[str]) -> None:
        line = process.command or ""
        self.ran.append(line)
        if any(line.startswith(begins) for begins in self.hang):
            await asyncio.sleep(30)
        for begins in [each for each in self.drop_before if line.startswith(each)]:
            self.drop_before.discard(begins)
            process.channel.get_connection().abort()
            return
        scripted = next(
            (said for start, said in self.answers.items() if line.startswith(start)), None
        )
        code, out, error = scripted or self.act(shlex.split(line))
        for begins in [each for each in self.drop_after if line.startswith(each)]:
            self.drop_after.discard(begins)
            process.channel.get_connection().abort()
            return
        process.stdout.write(out)
        process.stderr.write(error)
        process.exit(code)

    def login(self, **changes: Any) -> Login:
        port = self.server.get_port()
        return Login(
            **{
                "host": "127.0.0.1",
                "port": port,
                "user": "responder",
                "key": self.folder / "key",
                "known_hosts": self.folder / "known_hosts",
                "connect_seconds": 5.0,
                **changes,
            }
        )


AHost = TypeVar("AHost", bound=ScriptedHost)


@asynccontextmanager
async def scripted_host(folder: Path, kind: type[AHost] = ScriptedHost) -> AsyncIterator[AHost]:
    """Serve a host with three healthy instances and a Redis."""
    host = kind(folder)
    own, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(folder / "key")
    key.write_public_key(folder / "authorized")
    host.server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[own],
        authorized_client_keys=str(folder / "authorized"),
        process_factory=host.answer,
    )
    public = own.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{host.server.get_port()} {public}")
    host.ssh = Ssh(host.login())
    yield host
    host.server.close()
    await host.server.wait_closed()
