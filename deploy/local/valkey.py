"""A real Valkey, which speaks Redis's protocol, as a child."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from deploy.local import processes, programs


class Valkey(processes.Child):
    """A Valkey server on a loopback port, its data and log in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the server; nothing starts yet.

        Args:
            folder: Where it writes.
            port: A free one when left out.
            options: Its configuration, as `maxmemory`: `64mb`. It saves nothing unless told to.
        """
        self.folder = folder.absolute()
        self.port = port or processes.free_port()
        self.options = {"save": "", "appendonly": "no", **(options or {})}
        super().__init__("Valkey", [], log=self.folder / "valkey.log", ready=self._answers)

    @property
    def url(self) -> str:
        """Where clients connect, without the password if there is one."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> Self:
        """Start the server and wait until it answers a ping."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "daemonize": "no",
            **self.options,
        }
        self.command = [
            programs.valkey_server(),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ]
        return await super().start()

    async def _answers(self) -> bool:
        client = Redis.from_url(self.url, password=self.options.get("requirepass"))
        async with client:
            return bool(await client.ping())
