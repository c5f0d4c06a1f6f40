"""The releases on the API server: folders, a link to the one that runs, and how each behaves."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = "/srv/pravado"
"""Where the releases are, as seen by who logs in."""
CURRENT = "PRAVADO_CURRENT"
"""Names the link to the instances; each runs what it leads to when it starts."""
GOOD = "v1.42.0"
EARLIER = ("v1.41.0", "v1.41.1", GOOD)
FAILING = "api_fails"
"""The fault by which requests fail whatever the release; its text is a `Behaviour`."""

_READY = ".ready"
_LEFT = ".rolled-back"
_BEHAVIOUR = "behaviour.json"
_PROGRAMS = {"readlink", "find", "ln", "mv", "touch"}


@dataclass(frozen=True)
class Behaviour:
    """How a release differs from one that is well."""

    status: int = 0
    """What it answers instead of serving; 0 serves."""
    share: float = 0.0
    """Of the requests that it does so with."""
    slow_seconds: float = 0.0
    """What every request waits for, beside its work."""
    crashes_after: int = 0
    """Requests after which the process ends; 0 is never."""

    @classmethod
    def read(cls, text: str) -> "Behaviour":
        """Read it; an empty text is well."""
        return cls(**json.loads(text)) if text else cls()

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def of_environment(environment: Mapping[str, str]) -> Behaviour:
    """Read how the release behaves to which the link leads now."""
    link = environment.get(CURRENT, "")
    try:
        return Behaviour.read((Path(link).resolve() / _BEHAVIOUR).read_text()) if link else WELL
    except OSError:
        return WELL


WELL = Behaviour()


class ReleaseFolders:
    """The folders as they lie on this machine, below the API server's own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "srv"
        self.current = self.root / "current"

    def begin(self) -> None:
        """Make the releases of the past, and point to the newest."""
        for name in EARLIER:
            self.build(name, WELL)
        for mark in self.root.glob(f"releases/*/{_LEFT}"):
            mark.unlink()
        self.point(GOOD)

    def build(self, name: str, behaviour: Behaviour) -> None:
        """Make a release; the file that says that it is ready comes last."""
        folder = self.root / "releases" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _LEFT).unlink(missing_ok=True)
        (folder / _BEHAVIOUR).write_text(str(behaviour))
        (folder / _READY).touch()

    def point(self, name: str) -> None:
        """Lead the link to another release, in one move."""
        beside = self.root / ".arriving"
        beside.unlink(missing_ok=True)
        beside.symlink_to(self.root / "releases" / name)
        beside.replace(self.current)

    @property
    def running(self) -> str:
        """Name what the link leads to."""
        return self.current.resolve().name

    def unwell(self) -> list[str]:
        """Say whether what runs is broken."""
        behaviour = of_environment({CURRENT: str(self.current)})
        return [] if behaviour == WELL else [f"{self.running} runs, which is broken: {behaviour}"]

    async def said(self, words: list[str]) -> tuple[str, str, int] | None:
        """Carry out a command on these folders by the real program; None for any other."""
        if not words or words[0] not in _PROGRAMS or not any(_below(word) for word in words[1:]):
            return None
        if any(".." in word or (word.startswith("/") and not _below(word)) for word in words):
            return None
        here = [word.replace(ROOT, str(self.root), 1) if _below(word) else word for word in words]
        child = await asyncio.create_subprocess_exec(
            *here,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C"},
        )
        out, error = (
            each.decode().replace(str(self.root), ROOT) for each in await child.communicate()
        )
        return out, error, child.returncode or 0


def _below(word: str) -> bool:
    return word == ROOT or word.startswith(f"{ROOT}/")
