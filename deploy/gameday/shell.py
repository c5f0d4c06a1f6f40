"""The operator's way to the API server: ssh, with keys made for this one game day."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

USER = "responder"
TIMEOUT_SECONDS = 15.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ssh:
    """Where the API server is reached, and the files that prove both sides."""

    port: int
    client_key: Path
    known_hosts: Path
    host: str = _LOOPBACK
    user: str = USER

    async def run(self, command: str) -> asyncssh.SSHCompletedProcess:
        """Run one command on the API server."""
        # No `async with` around the return: its types allow that it swallows an error.
        connection = await asyncssh.connect(
            self.host,
            self.port,
            username=self.user,
            client_keys=[str(self.client_key)],
            known_hosts=str(self.known_hosts),
            agent_path=None,
            config=None,
            connect_timeout=TIMEOUT_SECONDS,
        )
        try:
            return await connection.run(command, timeout=TIMEOUT_SECONDS)
        finally:
            connection.close()
            await connection.wait_closed()

    async def jlist(self) -> list[dict[str, Any]]:
        """List the instances of the API."""
        listed: list[dict[str, Any]] = json.loads(str((await self.run("pm2 jlist")).stdout))
        return listed


@dataclass(frozen=True)
class Keys:
    """The key files of one API server."""

    host_key: Path
    client_key: Path
    authorized_keys: Path
    known_hosts: Path


def make_keys(folder: Path, port: int) -> Keys:
    """Make both sides' keys, and the files in which each finds the other's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = Keys(
        folder / "host_key",
        folder / "client_key",
        folder / "authorized_keys",
        folder / "known_hosts",
    )
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    for file, key in ((files.host_key, host), (files.client_key, client)):
        file.touch(mode=0o600)
        file.write_bytes(key.export_private_key())
    files.authorized_keys.write_bytes(client.export_public_key())
    public = host.export_public_key().decode()
    files.known_hosts.write_text(f"[{_LOOPBACK}]:{port} {public}")
    return files
