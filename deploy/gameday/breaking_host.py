"""The ways to break the machine that the API runs on, and to mend it by hand."""

import asyncio
import os
import signal
from pathlib import Path

from deploy.gameday import burdens, machine
from deploy.gameday.faults import CRASH, Faults
from deploy.gameday.shell import Ssh

_BUSY, _ALL_BUSY = 1.0, 0.15
_LEAKED = 480
_FLOODED = 145
_DUMPED = 144
"""MiB; each fills what there is on this machine, and no more."""
_DUMP = "var/lib/pravado/dumps/core.4711"


class BreaksHost:
    """A platform whose API runs on the modelled machine."""

    ssh: Ssh
    faults: Faults
    _host_folder: Path

    async def hang_api(self) -> None:
        """Make every instance stand still: it runs, and answers nobody."""
        for pid in await self._pids():
            os.kill(pid, signal.SIGSTOP)

    async def crash_api(self) -> None:
        """End every instance, and let none live that is started."""
        self.faults.put(CRASH)
        for pid in filter(None, await self._pids()):
            os.kill(pid, signal.SIGKILL)

    async def mend_crash(self) -> None:
        """Take away what they crash by, and start them as an operator does."""
        self.faults.mend(CRASH)
        await self.ssh.run("pm2 restart pravado-api")

    async def run_away(self) -> None:
        """Let one instance keep a processor busy until it ends."""
        pid, *_ = await self._pids()
        self.faults.put(burdens.SPIN, f"{pid}:{_BUSY}")

    def keep_busy(self) -> None:
        """Let every instance keep a part of a processor busy, whichever process it is."""
        self.faults.put(burdens.SPIN, f"{burdens.ALL}:{_ALL_BUSY}")

    async def leak_memory(self) -> None:
        """Let the present processes hold more and more memory."""
        pids = await self._pids()
        self.faults.put(burdens.LEAK, " ".join(f"{pid}:{_LEAKED}" for pid in pids))

    def load_everything(self) -> None:
        """Let every instance hold as much memory as soon as it runs."""
        self.faults.put(burdens.LEAK, f"{burdens.ALL}:{_LEAKED}")

    def lighten(self) -> None:
        """Take every burden from the instances, as a better release does."""
        for fault in (burdens.SPIN, burdens.LEAK, burdens.FLOOD):
            self.faults.mend(fault)

    async def flood_logs(self) -> None:
        """Let one instance write so much that its disk is full."""
        pid, *_ = await self._pids()
        self.faults.put(burdens.FLOOD, f"{pid}:{_FLOODED}")

    async def dump_core(self) -> None:
        """Fill the disk with what is no log."""
        file = machine.disks(self._host_folder)[0].root / _DUMP
        await asyncio.to_thread(machine.fill, file, _DUMPED)

    def remove_dump(self) -> None:
        """Delete it by hand."""
        (machine.disks(self._host_folder)[0].root / _DUMP).unlink(missing_ok=True)

    def furnish(self) -> None:
        """Put on its disks again what lies there on a normal day."""
        machine.furnish(self._host_folder)

    async def _pids(self) -> list[int]:
        return [entry["pid"] for entry in await self.ssh.jlist()]
