"""Temporary folders that go with the process that made them, however it ends."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

LOCK = "owner"
"""Held by the process that the folder is of; nobody holds that of a process that was killed."""


class Scratch:
    """A temporary folder; those that dead processes left of the same kind go as it is made."""

    def __init__(self, prefix: str) -> None:
        sweep(prefix)
        # Named as those that are swept only once it is locked: a sweep never finds it free.
        making = Path(tempfile.mkdtemp(prefix=f".{prefix}"))
        self._lock = os.open(making / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = making.rename(making.with_name(making.name.removeprefix(".")))

    def keep(self) -> Path:
        """Leave the folder for good: no sweep takes it."""
        (self.path / LOCK).unlink(missing_ok=True)
        self._release()
        return self.path

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep(prefix: str) -> None:
    """Remove the folders of that prefix whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Another user's, one that was kept, or one that goes at this moment.
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid():
                _sweep(folder)


def _sweep(folder: Path) -> None:
    lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
