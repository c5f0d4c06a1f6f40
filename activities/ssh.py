"""Runs fixed commands on one host. A command is a list of words, never a text with holes in it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from activities.errors import Ambiguous, Failed, Refused, Unavailable, Unwell
from activities.redaction import READ, beginning, plain

if TYPE_CHECKING:
    import asyncssh

MOST_BYTES = 256 * 1024
"""Of what one command says; the rest is not read."""
_GOODBYE_SECONDS = 1.0
_EXCERPT = 300
_NOT_NOW = ("Cannot allocate memory", "Resource temporarily unavailable", "Too many open files")


@dataclass(frozen=True)
class Command:
    """One fixed command; `activities.commands` has the table of all there are."""

    words: tuple[str, ...]
    changes: bool = False
    """Whether it alters something, so that a lost answer leaves a doubt."""
    seconds: float = 10.0
    most_bytes: int = MOST_BYTES

    @property
    def line(self) -> str:
        """The line for the far shell, each word quoted."""
        return shlex.join(self.words)

    @property
    def title(self) -> str:
        """What it is called in errors: the program and its verb."""
        return " ".join(word for word in self._own[:3] if not word.startswith("-"))

    @property
    def program(self) -> str:
        """The program that is run, whatever environment it is given."""
        return self._own[0]

    @property
    def _own(self) -> tuple[str, ...]:
        if self.words[0] != "env":
            return self.words
        rest = list(self.words[1:])
        while len(rest) > 1 and "=" in rest[0]:
            rest.pop(0)
        return tuple(rest)


@dataclass(frozen=True)
class Ran:
    """What a command that ran to its end said."""

    command: Command
    status: int
    out: str
    err: str
    truncated: bool = False

    @property
    def said(self) -> str:
        """Its complaint in short, fit for an error."""
        # Of each a little more than is looked at, for what the colours and spaces take away.
        err, out = self.err[: 2 * READ], self.out[: 2 * READ]
        cut = len(err) < len(self.err) or len(out) < len(self.out) or self.truncated
        text = " ".join(plain(f"{err.strip()} {out.strip()}").split())
        return beginning(text, _EXCERPT, cut=cut) or "it said nothing"

    def must(self) -> str:
        """Give the output of a success; raise what any other exit status means."""
        if self.status == 0:
            return self.out
        raise self.failure()

    def failure(self) -> Failed:
        """Classify an exit status that is no success."""
        if self.status == 127:
            return Refused(f"{self.command.program} is not installed on the host, or not on PATH")
        text = f"`{self.command.title}` failed on the host ({self.status}): {self.said}"
        if any(words in self.err for words in _NOT_NOW):
            return Ambiguous(text) if self.command.changes else Unavailable(text)
        # What ran and failed may have done a part of it; what sudo forbids did not run.
        if self.command.changes and not self.err.lstrip().startswith("sudo:"):
            return Unwell(text)
        return Refused(text)


@dataclass(frozen=True)
class Login:
    """How a host is entered; a key file, and the keys that the host itself may show."""

    host: str
    user: str
    key: Path
    known_hosts: Path
    """Must name the host: an unknown host key is refused, never learned."""
    port: int = 22
    connect_seconds: float = 10.0


class Ssh:
    """Enters one host; each use has a connection of its own, so a dead one is never inherited."""

    def __init__(self, login: Login, *, at_once: int = 4) -> None:
        self._login = login
        # sshd drops new connections when many knock at the same time (MaxStartups).
        self._places = asyncio.Semaphore(at_once)

    @property
    def host(self) -> str:
        """Name of the host."""
        return self._login.host

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Enter the host, and leave it."""
        async with self._places:
            connection = await self._connect()
            try:
                yield Session(connection, self.host)
            finally:
                connection.close()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GOODBYE_SECONDS):
                        await connection.wait_closed()
                connection.abort()

    async def run(self, command: Command) -> Ran:
        """Run one command in a session of its own."""
        async with self.session() as session:
            return await session.run(command)

    async def _connect(self) -> asyncssh.SSHClientConnection:
        import asyncssh

        login = self._login
        try:
            key = await asyncio.to_thread(asyncssh.read_private_key, login.key)
            known = await asyncio.to_thread(asyncssh.read_known_hosts, str(login.known_hosts))
        except (OSError, ValueError):
            # Not the library's words: they could show what is in the file.
            raise Refused(
                "the ssh key or the known hosts cannot be read: see the settings"
            ) from None
        try:
            async with asyncio.timeout(login.connect_seconds):
                return await asyncssh.connect(
                    login.host,
                    login.port,
                    username=login.user,
                    client_keys=[key],
                    known_hosts=known,  # None would mean: trust whoever answers
                    config=None,  # nothing from the home folder of whoever runs the worker
                    agent_path=None,
                    preferred_auth="publickey",
                    keepalive_interval=5,
                    keepalive_count_max=2,
                )
        except asyncssh.HostKeyNotVerifiable:
            raise Refused(
                f"{login.host} shows a host key that is not in the known hosts: it was set up "
                "anew, or it is not the host it says it is"
            ) from None
        except asyncssh.PermissionDenied:
            raise Refused(f"{login.host} refuses the ssh key for user {login.user}") from None
        except TimeoutError:
            raise Unavailable(
                f"{login.host} did not let us in within {login.connect_seconds:g} s"
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise Unavailable(f"{login.host} cannot be entered ({_kind(error)})") from None


class Session:
    """One visit to a host."""

    def __init__(self, connection: asyncssh.SSHClientConnection, host: str) -> None:
        self._connection = connection
        self._host = host

    async def run(self, command: Command) -> Ran:
        """Run *command* to its end, whatever its exit status; what is lost meanwhile is raised."""
        import asyncssh

        try:
            async with asyncio.timeout(command.seconds):
                return await self._run(command)
        except TimeoutError:
            raise self._lost(command, f"did not end within {command.seconds:g} s") from None
        except (OSError, asyncssh.Error) as error:
            raise self._lost(command, f"was lost on the way ({_kind(error)})") from None

    async def _run(self, command: Command) -> Ran:
        import asyncssh

        process: asyncssh.SSHClientProcess[bytes] = await self._connection.create_process(
            command.line, stdin=asyncssh.DEVNULL, encoding=None
        )
        try:
            complaint = asyncio.create_task(_read(process.stderr, MOST_BYTES, drain=True))
            # A change that nobody reads on from stands still, and how it ends is what counts.
            out, cut = await _read(process.stdout, command.most_bytes, drain=command.changes)
            given_up = cut and not command.changes
            if given_up:
                process.channel.abort()
            err, cut_too = await complaint
            if not given_up:
                await process.wait_closed()
        finally:
            complaint.cancel()
            process.close()
            await asyncio.gather(complaint, return_exceptions=True)
        status = 0 if given_up else process.exit_status
        if status is None or status < 0:
            raise self._lost(command, "was ended before it was through")
        texts = (out.decode(errors="replace"), err.decode(errors="replace"))
        return Ran(command, status, *texts, truncated=cut or cut_too)

    def _lost(self, command: Command, how: str) -> Failed:
        text = f"`{command.title}` on {self._host} {how}"
        return Ambiguous(text) if command.changes else Unavailable(text)


async def _read(stream: asyncssh.SSHReader[bytes], most: int, *, drain: bool) -> tuple[bytes, bool]:
    """Keep *most* bytes at most and say whether there were more, which *drain* also reads."""
    kept, cut = bytearray(), False
    while piece := await stream.read(64 * 1024):
        kept += piece[: most - len(kept) + 1]
        cut = len(kept) > most
        if cut and not drain:
            break
    return bytes(kept[:most]), cut


def _kind(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
