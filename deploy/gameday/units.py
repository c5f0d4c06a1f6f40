"""The service manager of the API server: one unit, Redis, which stays down when it crashes."""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

from deploy.local import processes, programs

UNIT = "redis"
READY_WITHIN_SECONDS = 8.0
CONFIG = "redis.conf"
AS_FOUND = {"save": "30 1", "maxmemory-policy": "noeviction"}
"""Settings of Redis that an incident may change while it lasts."""
SLOW = "slow"
"""A file with the seconds that the unit takes to start, as one does that loads much data."""


class Redis:
    """The unit redis: a real server with its configuration in a file and its data saved."""

    def __init__(self, folder: Path, port: int) -> None:
        """Describe the unit; nothing starts yet."""
        self.folder = folder
        self.port = port
        self._entered = ""
        self._result = "success"
        self._state = ("inactive", "dead")
        self._one_at_a_time = asyncio.Lock()
        self._child = processes.Child(
            UNIT,
            [programs.valkey_server(), str(folder / CONFIG)],
            log=folder / "redis.log",
            cwd=folder,
            ready=self._answers,
            ready_within=READY_WITHIN_SECONDS,
        )

    async def restart(self) -> str | None:
        """Stop the server if it runs, and start it; say why it did not come up."""
        async with self._one_at_a_time:
            await self._child.stop()
            self._state = ("activating", "start")
            await asyncio.sleep(seconds(self.folder / SLOW))
            try:
                await self._child.start()
            except processes.NotReady:
                code = self._child.exit_code or 0
                self._state = ("failed", "failed")
                self._result = "timeout" if code == -signal.SIGKILL else "exit-code"
                return (
                    f"Job for {UNIT}.service failed because the control process exited with error"
                    f' code.\nSee "systemctl status {UNIT}.service" for details.\n'
                )
            self._state, self._result = ("active", "running"), "success"
            self._entered = f"{datetime.now(UTC):%a %Y-%m-%d %H:%M:%S} UTC"
            return None

    async def watch(self) -> None:
        """Notice that the server ended by itself, for as long as this runs."""
        while True:
            async with self._one_at_a_time:
                await self._settle()
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End the server, which saves its data first."""
        async with self._one_at_a_time:
            await self._child.stop()
            self._state = ("inactive", "dead")

    async def show(self, names: list[str]) -> str:
        """Give the properties asked for, as `systemctl show` does."""
        if not self._one_at_a_time.locked():
            await self._settle()
        active, sub = self._state
        known = {
            "LoadState": "loaded",
            "ActiveState": active,
            "SubState": sub,
            "Result": self._result,
            "MainPID": str(self._child.pid) if self._child.running else "0",
            "ActiveEnterTimestamp": self._entered,
        }
        return "".join(f"{name}={known[name]}\n" for name in names if name in known)

    async def _settle(self) -> None:
        if self._state[0] != "active" or self._child.running:
            return
        code = await self._child.wait()
        self._state = ("inactive", "dead") if code == 0 else ("failed", "failed")
        self._result = "success" if code == 0 else "signal" if code < 0 else "exit-code"

    async def _answers(self) -> bool:
        return await ping("127.0.0.1", self.port) == "PONG"


def not_found(names: list[str]) -> str:
    """Give the properties of a unit that there is none of."""
    known = {
        "LoadState": "not-found",
        "ActiveState": "inactive",
        "SubState": "dead",
        "Result": "success",
        "MainPID": "0",
        "ActiveEnterTimestamp": "",
    }
    return "".join(f"{name}={known[name]}\n" for name in names if name in known)


async def ping(host: str, port: int, seconds: float = 2.0) -> str:
    """Send PING and give the answer's text, be it PONG or an error such as LOADING."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"PING\r\n")
            answer = await reader.readline()
        finally:
            writer.close()
    if not answer:
        raise ConnectionResetError
    return answer.decode(errors="replace").strip().removeprefix("+").removeprefix("-")


def seconds(slow: Path) -> float:
    """Read how slow something is to be; without the file it is as quick as it can."""
    return float(slow.read_text()) if slow.exists() else 0.0


def configuration(folder: Path, port: int) -> str:
    """Write the server's configuration: it keeps its data over a restart."""
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": folder,
        "daemonize": "no",
        "dbfilename": "dump.rdb",
        "maxmemory": "16mb",
        **AS_FOUND,
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())
