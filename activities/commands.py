"""The table of all commands that are ever run on a host. There is no way to run another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from activities.errors import Refused
from activities.ssh import Command

UNIT_PROPERTIES = "LoadState,ActiveState,SubState,Result,MainPID,ActiveEnterTimestamp"
_PROCESS_LIST_BYTES = 4 * 1024 * 1024
"""pm2 prints the environment of every process, twice; all but a few values is dropped at once."""
_LOGS_BYTES = 2 * 1024 * 1024
"""A hundred lines of every instance; what matters is at the end."""

WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,127}")
PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
FILE = re.compile(r"\.?[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

SETTABLE = re.compile(r"[A-Za-z0-9_.:%=,-]{1,200}")
"""What the value of a variable may be made of."""


def clock() -> Command:
    """Read the host's clock."""
    return Command(("date", "+%s.%N"))


def cores() -> Command:
    """Count the processors."""
    return Command(("nproc",))


def load() -> Command:
    """Read the run queue."""
    return Command(("cat", "/proc/loadavg"))


def memory() -> Command:
    """Read the memory."""
    return Command(("free", "-b"))


def disk() -> Command:
    """Read the root file system."""
    return Command(("df", "-B1", "--output=target,size,avail", "/"))


def redis_ping(host: str, port: int, seconds: float = 5.0) -> Command:
    """Ask Redis from where the API runs; the password is the host's own REDISCLI_AUTH."""
    words = ("redis-cli", "-h", _word(host), "-p", str(int(port)), "ping")
    return Command(words, seconds=seconds)


def database_ready(host: str, port: int, seconds: int = 3) -> Command:
    """Ask whether PostgreSQL takes connections from where the API runs; nobody logs in."""
    words = ("pg_isready", "-h", _word(host), "-p", str(int(port)), "-t", str(int(seconds)))
    return Command(words, seconds=seconds + 3.0)


def resolve(host: str) -> Command:
    """Ask whether a name has an address; exit status 2 is "no"."""
    return Command(("getent", "hosts", _word(host)), seconds=5.0)


def fence(program: str, what: Literal["status", "fence"]) -> Command:
    """Run the platform's own program that keeps writers away from its database."""
    if not PATH.fullmatch(program) or "/.." in program:
        raise Refused("the fencing program is not an absolute path: see the settings")
    return Command((program, what), changes=what == "fence", seconds=60.0)


def unit(name: str) -> Command:
    """Read the state of a systemd unit."""
    return Command(("systemctl", "show", _word(name), f"--property={UNIT_PROPERTIES}"))


def restart_unit(name: str) -> Command:
    """Restart a systemd unit, which takes as long as the unit does."""
    words = ("sudo", "-n", "systemctl", "restart", _word(name))
    return Command(words, changes=True, seconds=45.0)


def may_restart_unit(name: str) -> Command:
    """Ask sudo whether it would let us restart a systemd unit; nothing is restarted."""
    return Command(("sudo", "-n", "-l", "systemctl", "restart", _word(name)))


def where(program: str) -> Command:
    """Ask where a program is; exit status 1 is "nowhere"."""
    return Command(("which", _word(program)))


def deployments(log: str, last: int) -> Command:
    """Read the last lines of the log of deployments."""
    if not PATH.fullmatch(log) or "/.." in log:
        raise Refused("the log of deployments is not an absolute path: see the settings")
    return Command(("tail", "-n", str(int(last)), log))


def process_list() -> Command:
    """List the processes that pm2 keeps."""
    return Command(("pm2", "jlist"), seconds=20.0, most_bytes=_PROCESS_LIST_BYTES)


def scale(app: str, instances: int) -> Command:
    """Set the number of instances; 0 would delete the application."""
    if instances < 1:
        raise Refused(f"{app} is not scaled to {instances}: pm2 would forget it")
    return Command(("pm2", "scale", _app(app), str(int(instances))), changes=True, seconds=60.0)


def restart_instance(instance: int) -> Command:
    """Restart one instance."""
    return Command(("pm2", "restart", str(int(instance))), changes=True, seconds=45.0)


def current_release(root: str) -> Command:
    """Read which release folder runs."""
    return Command(("readlink", f"{_path(root)}/current"))


def releases(root: str, ready: str, left: str, lock: str) -> Command:
    """List which release folders are built or were left, when the link was made, and the lock."""
    root = _path(root)
    wanted = [f"{root}/releases/*/{_file(name)}" for name in (ready, left)]
    wanted += [f"{root}/{_file(lock)}", f"{root}/current"]
    tests = [word for path in wanted for word in ("-o", "-path", path)][1:]
    # -H: the root may itself be a link; nothing within is followed. %C: a move sets that time.
    words = ("find", "-H", root, "-maxdepth", "3", "(", *tests, ")", "-printf", "%C@ %P\\n")
    return Command(words)


def prepare_release(root: str, name: str) -> Command:
    """Make a link to a release beside the one that counts."""
    root = _path(root)
    words = ("ln", "-sfn", f"{root}/releases/{_word(name)}", f"{root}/.current-next")
    return Command(words, changes=True)


def point_to_release(root: str) -> Command:
    """Put that link in the place of the one that counts, in one move."""
    root = _path(root)
    words = ("mv", "-fT", f"{root}/.current-next", f"{root}/current")
    return Command(words, changes=True)


def mark_release(root: str, name: str, mark: str) -> Command:
    """Mark a release folder as one not to go back to."""
    path = f"{_path(root)}/releases/{_word(name)}/{_file(mark)}"
    return Command(("touch", path), changes=True)


def reload(app: str, environment: Mapping[str, str] | None = None) -> Command:
    """Replace the instances, each once its successor listens; with other values of variables."""
    words: tuple[str, ...] = ("pm2", "reload", _app(app))
    if environment:
        # --update-env takes over the whole environment of this call: the host's own profile must
        # be that of the application's user.
        given = sorted(environment.items())
        pairs = (f"{_variable(name)}={_value(value)}" for name, value in given)
        words = ("env", *pairs, *words, "--update-env")
    return Command(words, changes=True, seconds=120.0)


def logs(app: str) -> Command:
    """Read the last lines that an application wrote."""
    words = ("pm2", "logs", _app(app), "--lines", "100", "--nostream")
    return Command(words, seconds=15.0, most_bytes=_LOGS_BYTES)


def _app(name: str) -> str:
    # To pm2 "all" is every application, and a number is an instance.
    if name.lower() == "all" or name.isdigit():
        raise Refused(f"{name!r} is not the name of one application")
    return _word(name)


def _word(text: str) -> str:
    return _checked(WORD, text)


def _file(name: str) -> str:
    return _checked(FILE, name)


def _path(text: str) -> str:
    if "/.." in text:
        raise Refused(f"{text[:60]!r} may not stand in a command")
    return _checked(PATH, text)


def _variable(text: str) -> str:
    return _checked(VARIABLE, text)


def _value(text: str) -> str:
    return _checked(SETTABLE, text)


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise Refused(f"{text[:60]!r} may not stand in a command")
    return text
