"""What is broken on purpose inside the API: files in a folder, which every instance looks at."""

import os
from pathlib import Path

CRASH = "crash"
"""A fault: every instance ends as soon as it starts."""
VARIABLE = "GAMEDAY_FAULTS"
"""Names the folder to the instances."""


class Faults:
    """The faults of one platform, by name; the text of each says how it is broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_environment(cls) -> "Faults":
        """Find the folder that the platform has named."""
        return cls(Path(os.environ.get(VARIABLE, os.devnull)))

    def text(self, name: str) -> str:
        """Give how *name* is broken; empty is well."""
        try:
            return (self.folder / name).read_text()
        except OSError:
            return ""

    def put(self, name: str, text: str = "1") -> None:
        """Break *name* from now on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{name}"
        beside.write_text(text)
        beside.replace(self.folder / name)

    def mend(self, name: str) -> None:
        """Make *name* well again."""
        (self.folder / name).unlink(missing_ok=True)

    def left(self) -> list[str]:
        """Say what is still broken, in words."""
        return [f"{each.name} is still broken on purpose" for each in self.folder.glob("[!.]*")]

    def clear(self) -> None:
        """Make everything well again."""
        for each in self.folder.glob("*"):
            each.unlink(missing_ok=True)
