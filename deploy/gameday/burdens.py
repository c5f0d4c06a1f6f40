"""What an instance of the API costs its machine when something in it goes wrong."""

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import psutil

from deploy.gameday.part import Part

if TYPE_CHECKING:
    from deploy.gameday.api import Api

SPIN = "spin"
"""A fault: which processes keep a processor busy, and how much of it, as "pid:share" or "all:"."""
LEAK = "leak"
"""A fault: which processes hold more memory with each look, and at most how much, in MiB."""
FLOOD = "flood"
"""A fault: which process writes how many MiB of log."""
ALL = "all"

LOOK_SECONDS = 0.5
_PIECE = 40
"""MiB a look."""
_TURN_SECONDS = 0.05
_LINE = b'{"level": "debug", "msg": "cache miss, retrying with a fresh connection of the pool"}\n'


class Burdens(Part):
    """Burns time, holds memory and writes logs, as far as the faults say so of this process."""

    def __init__(self, api: "Api", environment: Mapping[str, str]) -> None:
        super().__init__(api, environment)
        self._held: list[bytearray] = []
        self._written = 0
        self._share = 0.0
        self._spinning: list[threading.Thread] = []

    def looks(self) -> Mapping[Callable[[], Awaitable[None]], float]:
        """Look what is wrong."""
        return {self._look: LOOK_SECONDS}

    async def _look(self) -> None:
        self._forget()
        self._spin(self._mine(SPIN))
        await asyncio.to_thread(self._hold, int(self._mine(LEAK)))
        await asyncio.to_thread(self._write, int(self._mine(FLOOD)))
        limit = int(self.environment.get("NODE_HEAP_MB") or 2048)
        if psutil.Process().memory_info().rss > limit * 2**20:
            sys.stderr.write("FATAL ERROR: Reached heap limit Allocation failed\n")
            sys.stderr.flush()
            os._exit(134)  # as Node ends: nobody is asked

    def _forget(self) -> None:
        """Let a burden end with the processes that it was of."""
        for fault in (SPIN, LEAK, FLOOD):
            who = [entry.partition(":")[0] for entry in self.api.faults.text(fault).split()]
            if who and not any(each == ALL or psutil.pid_exists(int(each)) for each in who):
                self.api.faults.mend(fault)

    def _mine(self, fault: str) -> float:
        """Read how much of *fault* this process has."""
        for entry in self.api.faults.text(fault).split():
            who, _, much = entry.partition(":")
            if who in {ALL, str(os.getpid())}:
                return float(much)
        return 0.0

    def _hold(self, most: int) -> None:
        at_once = self.api.faults.text(LEAK).startswith(ALL)
        while len(self._held) * _PIECE < most:
            # Every page is written to: what is only asked for takes no memory.
            self._held.append(bytearray(b"x") * (_PIECE * 2**20))
            if not at_once:
                break
        if not most:
            self._held.clear()

    def _write(self, most: int) -> None:
        if not most:
            return
        if self._written >= most:
            self.api.faults.mend(FLOOD)
            return
        block = _LINE * (2**20 // len(_LINE) + 1)
        for _ in range(min(_PIECE, most - self._written)):
            os.write(sys.stdout.fileno(), block)
        self._written += _PIECE

    def _spin(self, share: float) -> None:
        self._share = share
        if share and not any(each.is_alive() for each in self._spinning):
            self._spinning = [threading.Thread(target=self._turn, daemon=True) for _ in range(2)]
            for each in self._spinning:
                each.start()

    def _turn(self) -> None:
        """Burn the share of a processor, without holding up who answers requests."""
        while share := self._share:
            until = time.monotonic() + share * _TURN_SECONDS
            while time.monotonic() < until:
                hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2000)  # releases the interpreter's lock
            time.sleep((1 - min(share, 1.0)) * _TURN_SECONDS)
