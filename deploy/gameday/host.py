"""The API server: a machine reached by ssh, with Redis, nginx and the API's instances on it.

It is a process of its own, so that all of them are children of it and fall with it, as they
would with a machine.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
from pydantic import BaseModel, ConfigDict

from deploy.gameday import machine, units
from deploy.gameday.balancer import Balancer
from deploy.gameday.commands import Commands
from deploy.gameday.machine_commands import MachineCommands
from deploy.gameday.pm2 import Pm2
from deploy.gameday.releases import CURRENT, ReleaseFolders
from deploy.gameday.said import Said
from deploy.gameday.switches import SWITCHES

INSTANCES = 2

LISTENING = "listening"
"""The file that appears in the host's folder once everything is up."""

COMMANDS_LOG = "commands.log"
"""What the host was told, a line of JSON each, as sudo and auditd keep it."""

_log = logging.getLogger(__name__)


class Settings(BaseModel):
    """What the API server is told at its start, in a file that only its owner reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    ssh_port: int
    balancer_port: int
    redis_port: int
    database_url: str
    host_key: Path
    authorized_keys: Path
    deployments: Path
    targets: Path
    environment: dict[str, str] = {}
    """What else the instances are told."""


class Host:
    """All that runs on the API server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        folder = settings.folder
        self.balancer = Balancer(folder / "nginx", settings.balancer_port, settings.targets)
        self.redis = units.Redis(folder / "redis", settings.redis_port)
        releases = ReleaseFolders(folder)
        environment = {
            "NODE_ENV": "production",
            CURRENT: str(releases.current),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": f"redis://127.0.0.1:{settings.redis_port}/0",
            **SWITCHES,
            **settings.environment,
        }
        machine.furnish(folder)
        logs = machine.disks(folder)[0].root / machine.LOGS
        self.pm2 = Pm2(logs, environment, self.balancer.share)
        self.commands = Commands(
            self.pm2,
            self.redis,
            settings.deployments,
            folder / units.SLOW,
            machine=MachineCommands(folder),
            releases=releases,
        )

    async def serve(self) -> None:
        """Run the machine until it is asked to shut down."""
        (self.settings.folder / machine.PID_FILE).write_text(str(os.getpid()))
        asked = asyncio.Event()
        for signalled in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signalled, asked.set)
        down = asyncio.create_task(asked.wait())
        watches: set[asyncio.Task[None]] = set()
        try:
            failed, *_ = await asyncio.gather(
                self.redis.restart(), self.balancer.start(), self.pm2.scale(INSTANCES)
            )
            if failed:
                sys.stderr.write(failed)
            watches = {
                asyncio.create_task(self.pm2.watch()),
                asyncio.create_task(self.redis.watch()),
            }
            async with await self._listen():
                (self.settings.folder / LISTENING).touch()
                ended, _ = await asyncio.wait({down, *watches}, return_when="FIRST_COMPLETED")
            for task in ended:
                task.result()  # a watch ends only by an error, which must not pass unseen
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            await asyncio.gather(self.pm2.stop(), self.redis.stop(), self.balancer.stop())

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            self.settings.ssh_port,
            server_host_keys=[str(self.settings.host_key)],
            authorized_client_keys=str(self.settings.authorized_keys),
            process_factory=self._answer,
            allow_pty=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            password_auth=False,
            kbdint_auth=False,
            login_timeout=10,
        )

    async def _answer(self, process: asyncssh.SSHServerProcess[str]) -> None:
        self._keep(process.command or "")
        try:
            said = await self.commands.run(process.command or "")
        except Exception:  # noqa: BLE001 (one command that fails must not look like a lost host)
            _log.exception("%s", process.command)
            said = Said(error="the API server failed at that command\n", code=70)
        # Who asked may be gone; what was ordered is done all the same, as by a real host.
        with contextlib.suppress(OSError, asyncssh.Error):
            process.stdout.write(said.out)
            process.stderr.write(said.error)
            process.exit(said.code)

    def _keep(self, command: str) -> None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "command": command}
        with (self.settings.folder / COMMANDS_LOG).open("a") as log:
            log.write(json.dumps(line) + "\n")


def main() -> None:
    """Run the API server that the settings file describes."""
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_text())
    asyncio.run(Host(settings).serve())


if __name__ == "__main__":
    main()
