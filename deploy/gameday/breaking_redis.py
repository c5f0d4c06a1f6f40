"""The ways to break the platform's Redis, and to mend it by hand."""

import asyncio
import itertools
import os
import signal
import time
from pathlib import Path

from redis.asyncio import Redis

from deploy.gameday import units
from deploy.gameday.shell import Ssh
from deploy.local import processes

_SEEN_WITHIN_SECONDS = 15.0
_PIECE = b"x" * 400
"""So small that more keys fit in than one look at them can see."""
_PAGE = 500


class BreaksRedis:
    """A platform whose Redis is a unit of the API server."""

    ssh: Ssh
    redis_port: int
    _host_folder: Path

    async def kill_redis(self) -> int:
        """End Redis as kill -9 does, and give the id that it had."""
        shown = await self.ssh.run(f"systemctl show {units.UNIT} --property=MainPID")
        pid = int(str(shown.stdout).strip().removeprefix("MainPID="))
        if pid:
            os.kill(pid, signal.SIGKILL)
            await self._until(self._redis_is_down)
        return pid

    async def break_redis_for_good(self) -> None:
        """Kill Redis and leave it a configuration that it refuses to start with."""
        config = self._host_folder / "redis" / units.CONFIG
        config.write_text(config.read_text() + "maxmemory-polcy allkeys-lru\n")
        await self.kill_redis()

    def mend_redis(self) -> None:
        """Put the right configuration back; starting Redis is for somebody else."""
        folder = self._host_folder / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / units.CONFIG).write_text(units.configuration(folder, self.redis_port))

    async def fill_redis(self, prefix: str, share: float = 0.96) -> None:
        """Write many small keys that never expire, until so much of the memory is used."""
        async with Redis(port=self.redis_port) as client:
            for page in itertools.count():
                memory = await client.info("memory")
                if memory["used_memory"] > share * memory["maxmemory"]:
                    return
                numbers = range(page * _PAGE, (page + 1) * _PAGE)
                await client.mset({f"{prefix}{number}": _PIECE for number in numbers})

    async def empty_redis(self, prefix: str) -> None:
        """Take those keys away again."""
        async with Redis(port=self.redis_port) as client:
            names = [name async for name in client.scan_iter(match=f"{prefix}*", count=1000)]
            for start in range(0, len(names), _PAGE):
                await client.unlink(*names[start : start + _PAGE])

    async def start_redis(self) -> None:
        """Start Redis as an operator does, by hand."""
        await self.ssh.run(f"sudo -n systemctl restart {units.UNIT}")

    def slow_redis_start(self, seconds: float) -> None:
        """Make Redis take so long to start; 0 is as long as it needs."""
        (self._host_folder / "redis" / units.SLOW).write_text(f"{seconds}")

    async def _redis_is_down(self) -> bool:
        shown = await self.ssh.run(f"systemctl show {units.UNIT} --property=MainPID")
        return str(shown.stdout).strip() == "MainPID=0"

    @staticmethod
    async def _until(probe: processes.Probe) -> None:
        deadline = time.monotonic() + _SEEN_WITHIN_SECONDS
        while not await probe():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The fault did not show within {_SEEN_WITHIN_SECONDS:g} s.")
            await asyncio.sleep(0.05)
