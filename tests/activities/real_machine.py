"""A host whose programs are this machine's own; its pm2 and its Docker are scripted."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

from tests.activities.scripted_host import ScriptedHost

_SCRIPTED = {"pm2", "docker", "sudo", "systemctl"}


class RealMachine(ScriptedHost):
    """Carries out what is asked of it, but for pm2 and Docker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.outputs: list[Path] = []
        """What the application logs to."""
        self.never: tuple[str, ...] = ()
        """Words: a command with one of them does nothing and fails."""

    async def answer(self, process: Any) -> None:
        line = process.command or ""
        words = shlex.split(line)
        scripted = any(line.startswith(begins) for begins in self.answers)
        if scripted or words[0] in _SCRIPTED or any(line.startswith(each) for each in self.hang):
            await super().answer(process)
            return
        self.ran.append(line)
        if self._dropped(self.drop_before, line, process):
            return
        if set(words) & set(self.never):
            code, out, error = 1, b"", b"Permission denied\n"
        else:
            code, out, error = await carried_out(words)
        if self._dropped(self.drop_after, line, process):
            return
        process.stdout.write(out.decode(errors="replace"))
        process.stderr.write(error.decode(errors="replace"))
        process.exit(code)

    def act(self, words: list[str]) -> tuple[int, str, str]:
        match words:
            case ["pm2", "jlist"]:
                listed = [each.listed() for each in self.instances]
                for entry, path in zip(listed, self.outputs, strict=False):
                    entry["pm2_env"] |= {"pm_out_log_path": str(path), "pm_err_log_path": str(path)}
                return 0, json.dumps(listed) + "\n", ""
            case ["pm2", "flush", _]:
                for path in self.outputs:
                    path.write_text("")
                return 0, "[PM2] Logs flushed\n", ""
        return super().act(words)

    @staticmethod
    def _dropped(words: set[str], line: str, process: Any) -> bool:
        """Lose the connection at a command that has one of *words*, once."""
        found = next(iter(words & set(shlex.split(line))), "")
        if found:
            words.discard(found)
            process.channel.get_connection().abort()
        return bool(found)


async def carried_out(words: list[str]) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out, error
