"""A host with release folders: real files, the real coreutils, and a pm2 that a test scripts."""

import asyncio
from pathlib import Path

from activities.pm2 import Pm2, ReleaseFolders
from tests.activities.scripted_host import APP, Said, ScriptedHost

REAL = {"readlink", "find", "ln", "mv", "touch"}


class ReleaseHost(ScriptedHost):
    """Keeps releases under a root; an instance runs what the link points to when it starts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "srv"
        self.busy = False
        """Whether pm2 says that it is reloading already."""
        for name in ("v1", "v2", "v3"):
            self.build(name)
        self.point("v3")

    def build(self, name: str, *, ready: bool = True) -> None:
        (self.root / "releases" / name).mkdir(parents=True)
        if ready:
            (self.root / "releases" / name / ".ready").touch()

    def point(self, name: str) -> None:
        link = self.root / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "releases" / name)

    @property
    def running(self) -> str:
        return (self.root / "current").readlink().name

    @property
    def marked(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob("releases/*/.rolled-back"))

    @property
    def pm2(self) -> Pm2:
        return Pm2(self.ssh, APP, folders=ReleaseFolders(str(self.root)))

    async def answer(self, process) -> None:
        words = (process.command or "").split()
        if words[0] in REAL:
            self.answers[process.command] = await self._really(process.command)
        await super().answer(process)

    async def _really(self, line: str) -> Said:
        if any(line.startswith(begins) for begins in self.drop_before):
            return 0, "", ""
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, error = await child.communicate()
        return child.returncode or 0, out.decode(), error.decode()

    def act(self, words: list[str]) -> Said:
        if words == ["pm2", "reload", APP]:
            if self.busy:
                return 1, "", "[PM2][ERROR] Reload already in progress, please try again in 9 s\n"
            for each in list(self.instances):
                self._restart(each.id)
            return 0, f"[PM2] [{APP}] ok\n", ""
        return super().act(words)
