"""Children that are started, watched and stopped, and that never outlive this process."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deploy.local.reaper import GUARD, reaper

Probe = Callable[[], Awaitable[bool]]
"""Asks a child whether it is ready; an exception says no as well."""

PORTS = range(20_000, 32_000)
"""Below what Linux and macOS hand out for outgoing connections, which could take one meanwhile."""

POLL_SECONDS = 0.01
TAIL_LINES = 20

_BARE = ("PATH", "HOME", "LANG", "TMPDIR")

_handed_out: set[int] = set()


class NotReady(RuntimeError):
    """A child ended, or did not answer, before it was ready."""


def free_ports(count: int) -> list[int]:
    """Find that many different loopback ports nobody listens on."""
    with contextlib.ExitStack() as taken:
        found: list[int] = []
        while len(found) < count:
            port = random.choice(PORTS)  # noqa: S311 (a port is no secret)
            if port in _handed_out:
                continue
            probe = taken.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        _handed_out.update(found)
        return found


def free_port() -> int:
    """Find a loopback port nobody listens on."""
    return free_ports(1)[0]


def listens(port: int) -> Probe:
    """Make a probe: something accepts connections on the loopback port."""

    async def probe() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        return True

    return probe


def answers(url: str) -> Probe:
    """Make a probe: the URL answers with a success."""

    async def probe() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url)).is_success

    return probe


def bare() -> dict[str, str]:
    """Give what a program of others needs of our environment: our settings' secrets are in it."""
    return {name: os.environ[name] for name in _BARE if name in os.environ}


class Child:
    """A program that runs as long as this process wants it, and no longer."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Probe | None = None,
        ready_within: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str = "",
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
    ) -> None:
        """Describe the child; nothing starts yet.

        Args:
            name: What it is called in errors.
            command: The program, by its absolute path, and its arguments.
            log: Where its output goes, appended.
            ready: Asked until it says yes; without it the child is ready at once.
            ready_within: Seconds it may take to be ready.
            env: Its whole environment; this process's own when left out.
            cwd: Its working folder; this process's own when left out.
            user: Who it runs as; only root can name another.
            stop_signal: What asks it to end.
            grace: Seconds it may take to end before it is killed.
        """
        self.name = name
        self.command = list(command)
        self.log = log
        self.ready = ready
        self.ready_within = ready_within
        self.env = env
        self.cwd = cwd
        self.user = user
        self.stop_signal = stop_signal
        self.grace = grace
        self.exit_code: int | None = None
        """Of the last run, as subprocess gives it: -9 when killed. None while it runs."""
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and not self._ended(self._process)

    @property
    def pid(self) -> int:
        """The id of the process, which is also that of its group and session."""
        if self._process is None:
            message = f"{self.name} is not running."
            raise RuntimeError(message)
        return self._process.pid

    async def start(self) -> Self:
        """Start the program and wait until it is ready."""
        if self._process is not None:
            if self.running:
                return self
            self._bury(self._process)
        process = self._spawn()
        try:
            await self._wait_until_ready(process)
        except BaseException:
            await self.kill()
            raise
        return self

    async def stop(self) -> None:
        """Ask the program to end, and kill what has not ended in time."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, self.stop_signal)
        await self._wait_for_end(self._process)

    async def kill(self) -> None:
        """End the program and the children of its group as kill -9 does."""
        if self._process is not None:
            self._bury(self._process)

    async def restart(self) -> Self:
        """Stop the program and start it again, the same in everything."""
        await self.stop()
        return await self.start()

    async def wait(self) -> int:
        """Wait until the program ends by itself, and give its exit code."""
        while self._process is not None and not self._ended(self._process):
            await asyncio.sleep(POLL_SECONDS)
        if self._process is not None:
            self._bury(self._process)
        return self.exit_code if self.exit_code is not None else 0

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Give the last lines that this run wrote to its log."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_begins)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.exit_code = None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                [*GUARD, "run", str(os.getpid()), self.user, *map(str, self.command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on
            )
        reaper.tell(self._process.pid)
        return self._process

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.ready_within
        last = "no answer"
        while not self._ended(process):
            if self.ready is None:
                return
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                message = f"{self.name} was not ready within {self.ready_within:g} s ({last})."
                raise NotReady(self._with_tail(message))
            try:
                async with asyncio.timeout(remaining):
                    if await self.ready():
                        return
            except Exception as error:  # noqa: BLE001 (whatever it says, it is not ready yet)
                last = f"{type(error).__name__}: {error}"
            await asyncio.sleep(POLL_SECONDS)
        self._bury(process)
        message = f"{self.name} ended with exit code {self.exit_code} before it was ready."
        raise NotReady(self._with_tail(message))

    def _with_tail(self, message: str) -> str:
        return f"{message} {self.log} ends with:\n{self.tail() or '(nothing)'}"

    async def _wait_for_end(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.grace
        try:
            while not self._ended(process) and time.monotonic() < deadline:
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._bury(process)

    @staticmethod
    def _ended(process: subprocess.Popen[bytes]) -> bool:
        # Looks without reaping: while the process is a zombie, nobody else gets its id.
        if process.returncode is not None:
            return True
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, process.pid, look) is not None
        except ChildProcessError:
            return True

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:
            # The group, since nginx's workers, for one, would live on without their master.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        reaper.tell(-process.pid)
        if self._process is process:
            self._process, self.exit_code = None, code
