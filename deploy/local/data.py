"""The folder that a stack keeps everything in: who may use it, its door's token, its secrets."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

LOCK = "lock"
TOKEN = "token"  # noqa: S105 (the name of the file)


class InUse(RuntimeError):
    """Another process has its stack on the folder."""


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Have the folder to ourselves, made when it is not there; a dead process holds it no more."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One that is ours since before it was made private; never somebody's own, as /tmp may be.
    if (folder / LOCK).exists() and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise InUse(
                f"{folder} is in use by another responder (process {holder})."
                " Stop that one first, or give this one another folder."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, at no moment anybody else."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = path.with_name(f"{path.name}.part")
    arriving.unlink(missing_ok=True)
    written = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(written, "w") as file:
        file.write(text)
    arriving.replace(path)


def kept_token(folder: Path) -> SecretStr:
    """Give the token of the folder's door, made once; only its owner can read the file."""
    path = folder / TOKEN
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return SecretStr(path.read_text().strip())
