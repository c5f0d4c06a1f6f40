"""The folder that a stack keeps everything in: who may use it, and its door's token."""

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


def kept_token(folder: Path) -> SecretStr:
    """Give the token of the folder's door, made once; only its owner can read the file."""
    path = folder / TOKEN
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written beside its place, then moved there: a token that is half written is never seen.
        arriving = path.with_suffix(".part")
        arriving.unlink(missing_ok=True)
        written = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(written, "w") as file:
            file.write(secrets.token_urlsafe(32))
        arriving.replace(path)
    return SecretStr(path.read_text().strip())
