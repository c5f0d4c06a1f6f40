"""What may be said to the API server over ssh: a fixed list, carried out without any shell."""

import asyncio
import os
import re
import shlex
import time
from pathlib import Path

import psutil

from deploy.gameday import database_commands, units
from deploy.gameday.machine_commands import MachineCommands
from deploy.gameday.pm2 import APP, Pm2, Refused
from deploy.gameday.releases import ReleaseFolders
from deploy.gameday.said import Said

DEPLOY_LOG = "/var/lib/pravado/deployments.log"
"""Where the deploy log is, as seen by who logs in."""

NOT_FOUND = 127
_SWITCH = re.compile(r"(?P<name>[A-Z][A-Z0-9_]{0,63})=(?P<value>[^\x00-\x1f]{0,500})")
_NEVER = re.compile(r"PATH|PORT|DATABASE_URL|REDIS_URL|LD_.*|DYLD_.*|PYTHON.*")
"""What an instance needs in order to start is not for a switch to change."""


class Commands:
    """The commands, each acting on the real processes of this machine."""

    def __init__(
        self,
        pm2: Pm2,
        redis: units.Redis,
        deployments: Path,
        slow: Path,
        *,
        machine: MachineCommands,
        releases: ReleaseFolders,
    ) -> None:
        self._pm2 = pm2
        self._releases = releases
        self._machine = machine
        self._redis = redis
        self._deployments = deployments
        self._slow = slow
        """A file with the seconds that every look takes, as on a machine that is busy."""

    async def run(self, line: str) -> Said:
        """Carry out one command line; what is not on the list is not found."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            return Said(error=f"the command cannot be read: {error}\n", code=2)
        try:
            said = self._measure(words) or _told(words) or await database_commands.look(words)
            said = said or await self._look(words) or await self._machine.run(words)
            if said is not None:
                await asyncio.sleep(units.seconds(self._slow))
                return said
            done = await self._switch(words) or await self._keep(words) or await self._act(words)
            return done or _unknown(line)
        except Refused as refused:
            return Said(error=f"{refused}\n", code=1)

    def _measure(self, words: list[str]) -> Said | None:
        """Answer what is asked of the machine itself."""
        match words:
            case ["date", "+%s.%N"]:
                now = time.time_ns()
                text = f"{now // 10**9}.{now % 10**9:09}\n"
            case ["cat", "/proc/loadavg"]:
                text = _load()
            case ["tail", "-n", lines, path] if path == DEPLOY_LOG and _count(lines):
                kept = self._deployments.read_text().splitlines(keepends=True)
                text = "".join(kept[-int(lines) :] if int(lines) else [])
            case _:
                return None
        return Said(text)

    async def _look(self, words: list[str]) -> Said | None:
        """Answer what is asked of Redis and the instances."""
        match words:
            case ["redis-cli", "-h", host, "-p", port, "ping" | "PING"] if _count(port):
                return await _ping(host, int(port))
            case ["systemctl", "show", unit, wanted] if wanted.startswith("--property="):
                names = wanted.removeprefix("--property=").split(",")
                known = unit.removesuffix(".service") == units.UNIT
                return Said(await self._redis.show(names) if known else units.not_found(names))
            case ["pm2", "jlist"]:
                return Said(self._machine.disks.told(await self._pm2.jlist()))
            case ["pm2", "logs", name, "--lines", lines, "--nostream"] if _count(lines):
                said = self._pm2.logs(int(lines)) if name == APP else ""
                return Said(self._machine.disks.told(said))
            case ["pm2", "get", "pm2-logrotate"]:
                return Said(self._pm2.rotation())
        return None

    async def _switch(self, words: list[str]) -> Said | None:
        """Carry out what belongs to switching releases."""
        if words[:2] == ["pm2", "reload"] and len(words) == 3:
            return Said(await self._pm2.reload(words[2]))
        done = await self._releases.said(words)
        return None if done is None else Said(*done)

    async def _keep(self, words: list[str]) -> Said | None:
        """Carry out what changes what pm2 keeps: logs, and numbers of restarts."""
        match words:
            case ["pm2", "reset", name] if name == APP:
                return Said(self._pm2.reset())
            case ["pm2", "flush", name] if name == APP:
                return Said(await self._pm2.flush())
            case ["pm2", "set", key, value] if key.startswith("pm2-logrotate:"):
                return Said(self._pm2.set_rotation(key.partition(":")[2], value))
        return None

    async def _act(self, words: list[str]) -> Said | None:
        """Carry out what changes something."""
        match words:
            case ["sudo", "-n", "systemctl", "restart", unit]:
                if unit.removesuffix(".service") != units.UNIT:
                    text = f"Failed to restart {unit}: Unit {unit} not found.\n"
                    return Said(error=text, code=5)
                failed = await self._redis.restart()
                return Said(error=failed, code=1) if failed else Said()
            case ["pm2", "scale", name, count] if name == APP and _count(count):
                return Said(await self._pm2.scale(int(count)))
            case ["pm2", "restart", which] | ["pm2", "restart", which, "--update-env"]:
                return Said(await self._pm2.restart(which))
            case ["env", *pairs, "pm2", "restart" | "reload" as how, which, "--update-env"]:
                ordered = self._pm2.reload if how == "reload" else self._pm2.restart
                return Said(await ordered(which, _switches(pairs)))
        return None


def _told(words: list[str]) -> Said | None:
    """Answer what is asked of programs and of rights."""
    match words:
        case ["which", "curl" | "pg_isready" | "pm2" | "redis-cli" as program]:
            return Said(f"/usr/bin/{program}\n")
        case ["sudo", "-n", "-l", "systemctl", "restart", unit]:
            if unit.removesuffix(".service") == units.UNIT:
                return Said(f"/usr/bin/systemctl restart {unit}\n")
            return Said(error="sudo: a password is required\n", code=1)
    return None


def _unknown(line: str) -> Said:
    return Said(error=f"{line[:200]}: this account may not run that\n", code=NOT_FOUND)


def _count(word: str) -> bool:
    return re.fullmatch(r"\d{1,5}", word) is not None


def _switches(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        switch = _SWITCH.fullmatch(pair)
        if switch is None or _NEVER.fullmatch(switch["name"]):
            raise Refused(f"env: {pair[:80]!r} is no switch of {APP}")
        found[switch["name"]] = switch["value"]
    return found


async def _ping(host: str, port: int) -> Said:
    try:
        answer = await units.ping(host, port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "Connection timed out"
        return Said(error=f"Could not connect to Redis at {host}:{port}: {why}\n", code=1)
    return Said(f"{answer}\n")


def _load() -> str:
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{load} 1/{len(psutil.pids())} {os.getpid()}\n"
