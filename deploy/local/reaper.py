"""Who sees to it that a child does not outlive this process, however the latter ends."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading

from deploy.local import guard

GUARD = [sys.executable, "-I", "-S", guard.__file__]
"""Starts quickly, and needs nothing that is installed."""


class Reaper:
    """One small process a process, which kills what the latter leaves behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def tell(self, group: int) -> None:
        """Put a process group on the list; a negative one is struck off."""
        with self._lock:
            if self._owner != os.getpid():  # a fork's children are its own
                self._groups, self._process, self._owner = set(), None, os.getpid()
            if group > 0:
                self._groups.add(group)
            else:
                self._groups.discard(-group)
            if self._process is None or self._process.poll() is not None:
                self._write(self._begin(), self._groups)
            else:
                self._write(self._process, {group})

    def end(self) -> None:
        """Have what is left killed, now."""
        if self._process is not None and self._owner == os.getpid():
            with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                self._process.communicate(timeout=5)

    def _begin(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [*GUARD, "reap"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        return self._process

    @staticmethod
    def _write(process: subprocess.Popen[bytes], groups: set[int]) -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write("".join(f"{group}\n" for group in groups).encode())
                process.stdin.flush()


reaper = Reaper()
"""The one of this process; it is started with the first child."""

atexit.register(reaper.end)
