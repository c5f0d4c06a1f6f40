"""The disks of the API server: looked at and changed by the real programs, in real folders."""

import asyncio
from pathlib import Path

from deploy.gameday import machine
from deploy.gameday.said import Said
from deploy.local.processes import bare

_NEVER = {"-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls"}
"""What find would do beside finding."""


class DiskCommands:
    """Commands about files; who logs in sees the folders as the machine's own disks."""

    def __init__(self, folder: Path) -> None:
        self._disks = machine.disks(folder)

    async def run(self, words: list[str]) -> Said | None:
        """Carry out one command; None is one of somebody else's."""
        if (text := self._measured(words)) is not None:
            return Said(text)
        really = self._look(words) or self._change(words)
        return await self._really(*really) if really else None

    def told(self, text: str) -> str:
        """Name files as who logs in sees them."""
        for disk in reversed(self._disks):
            inside = f"{disk.mount.rstrip('/')}/"
            text = text.replace(f"{disk.root}/", inside).replace(str(disk.root), disk.mount)
        return text

    def _measured(self, words: list[str]) -> str | None:
        """Tell how full the disks are, which have the sizes of the model."""
        match words:
            case ["df", "--local", *_]:
                rows = (
                    f"{disk.device} ext4 {disk.size} {disk.free()} 100000 90000 {disk.mount}\n"
                    for disk in self._disks
                )
                text = "Filesystem Type 1B-blocks Avail Inodes IFree Mounted on\n" + "".join(rows)
            case ["df", "-B1", "--output=target,size,avail", "/"]:
                disk = self._disks[0]
                text = f"Mounted on 1B-blocks Avail\n/ {disk.size} {disk.free()}\n"
            case ["df", "-B1", "--output=size,avail,target", "--", folder]:
                disk = self._disk(folder)
                text = f"1B-blocks Avail Mounted on\n{disk.size} {disk.free()} {disk.mount}\n"
            case _:
                return None
        return text

    def _look(self, words: list[str]) -> tuple[str, ...]:
        match words:
            case ["timeout", _, "nice", "-n", "19", "stdbuf", "-oL", "du", *options, folder]:
                return ("du", *options, self._real(folder))
            case ["stat", "--dereference", "--printf", shown, "--", *paths]:
                return ("stat", "-L", "--printf", shown, "--", *map(self._real, paths))
            case ["stat", "--format", "%F", "--", path]:
                return ("stat", "--format", "%F", "--", self._real(path))
            case ["timeout", _, "nice", "-n", "19", "gzip", "--test", file]:
                return ("gzip", "--test", self._real(file))
            case ["find", "-P", folder, *tests] if not _NEVER & set(tests):
                return ("find", "-P", self._real(folder), *tests)
        return ()

    def _change(self, words: list[str]) -> tuple[str, ...]:
        match words:
            case ["install", "-m", mode, "/dev/null", file]:
                return ("install", "-m", mode, "/dev/null", self._real(file))
            case ["mv", "--no-clobber", "--no-target-directory", part, file]:
                return ("mv", "-n", "-T", self._real(part), self._real(file))
            case ["rm", "-f", "--", file]:
                return ("rm", "-f", "--", self._real(file))
            case ["timeout", _, "nice", "-n", "19", "tar", "--create", "--gzip", "--file", file,
                  "--no-recursion", "--directory", "/", "--", *names]:  # fmt: skip
                options = ("--create", "--gzip", "--file", self._real(file), "--no-recursion")
                return ("tar", *options, "--directory", str(self._disks[0].root), "--", *names)
        return ()

    async def _really(self, *words: str) -> Said:
        """Run a real program on the real folders, and tell it as if they were the machine's."""
        process = await asyncio.create_subprocess_exec(
            *words,
            env={**bare(), "LC_ALL": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        said, complaint = (self.told(each.decode(errors="replace")) for each in (out, error))
        return Said(said, complaint, code=process.returncode or 0)

    def _disk(self, path: str) -> machine.Quota:
        first, other = self._disks
        return other if f"{path}/".startswith(f"{other.mount}/") else first

    def _real(self, path: str) -> str:
        """Find the real file; one that is open in a process is named as it is."""
        if path.startswith("/proc/"):
            return path
        disk = self._disk(path)
        real = disk.root / path.removeprefix(disk.mount).lstrip("/")
        if ".." in real.parts:
            raise ValueError(path)
        return str(real)
