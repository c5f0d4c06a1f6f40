"""The rest of the table of commands for the API's host: its processes, disks, logs and images.

Each is made as in `activities.commands`: fixed words, and of what varies only what a pattern lets
through. Names of files come from the host and are quoted; a file is deleted by its inode, so that
no name decides what goes. The last words that can be long are limited in number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from activities.commands import PATH, WORD
from activities.errors import Refused
from activities.ssh import Command

MOST_FILES = 150
"""Files that one change touches: the largest; so many names fit into a command and a history."""
MEASURING_SECONDS = 12
"""How long folders are measured before what is known by then has to do."""
LOG_NAMES = "*.log"
_LISTING_BYTES = 1024 * 1024
_PLAIN = ("env", "LC_ALL=C")
"""Numbers with a point, and messages that are understood."""
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_URL_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+/?|/")
_SIZE = re.compile(r"[1-9]\d{0,4}[KMG]")


def processor_times() -> Command:
    """Read what the processors did since the start, and what waits for them."""
    return Command(("cat", "/proc/stat"))


def busiest() -> Command:
    """List the processes by what they do now: the second of two rounds; never their arguments."""
    words = ("top", "-b", "-n", "2", "-d", "2", "-w", "200", "-e", "k", "-o", "%CPU")
    return Command((*_PLAIN, *words), seconds=15.0, most_bytes=_LISTING_BYTES)


def threads(pids: Sequence[int]) -> Command:
    """List the threads of some processes by what they do now."""
    named = ",".join(str(int(pid)) for pid in pids[:5])
    words = ("top", "-H", "-b", "-n", "2", "-d", "1", "-w", "200", "-e", "k", "-o", "%CPU")
    return Command((*_PLAIN, *words, "-p", named), most_bytes=_LISTING_BYTES)


def largest_processes() -> Command:
    """List the processes by their memory; never their arguments, which may hold anything."""
    columns = "pid=,ppid=,user:20=,rss=,etimes=,comm="
    return Command((*_PLAIN, "ps", "-eo", columns, "--sort=-rss"), most_bytes=_LISTING_BYTES)


def names_of(pids: Sequence[int]) -> Command:
    """Name the programs of some processes."""
    named = ",".join(str(int(pid)) for pid in pids[:20])
    return Command(("ps", "-o", "pid=,comm=", "-p", named))


def disks() -> Command:
    """List the host's own file systems: one elsewhere may hang, and is not this host's disk."""
    columns = "source,fstype,size,avail,itotal,iavail,target"
    return Command((*_PLAIN, "df", "--local", "-B1", f"--output={columns}"))


def disk_of(folder: str) -> Command:
    """Read the file system that a folder is on."""
    return Command((*_PLAIN, "df", "-B1", "--output=size,avail,target", "--", _path(folder)))


def folder_sizes(folder: str) -> Command:
    """Measure folders on one file system, at the lowest priority and for a limited time."""
    # Line by line, for what du has not said when it is ended is lost.
    patience = ("timeout", str(MEASURING_SECONDS), "nice", "-n", "19", "stdbuf", "-oL")
    words = ("du", "--one-file-system", "--block-size=1", "--null", "--max-depth=4", "--")
    return Command(
        (*patience, *words, folder if folder == "/" else _path(folder)),
        seconds=MEASURING_SECONDS + 3.0,
        most_bytes=_LISTING_BYTES,
    )


def deleted_files() -> Command:
    """List files that were deleted and are still open, as far as this account may see them."""
    words = ("find", "/proc", "-mindepth", "3", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*")
    shown = ("-lname", "/* (deleted)", "-printf", "%p\\t%l\\0")
    return Command((*_PLAIN, *words, *shown), most_bytes=_LISTING_BYTES)


def sizes(paths: Sequence[str]) -> Command:
    """Read size and identity of files, those at the end of links too."""
    shown = tuple(_said_path(path) for path in paths[:MOST_FILES])
    return Command(
        (*_PLAIN, "stat", "--dereference", "--printf", "%s\\t%d:%i\\t%n\\0", "--", *shown)
    )


def kind_of_file(folder: str) -> Command:
    """Read what a path is, without following it where it is a link."""
    return Command((*_PLAIN, "stat", "--format", "%F", "--", _path(folder)))


def old_logs(folder: str, days: int) -> Command:
    """List the logs in a folder that nobody has written to for *days*."""
    shown = ("-printf", "%s\\t%i\\t%T@\\t%p\\0")
    return Command((*_old_logs(folder, days), *shown), most_bytes=_LISTING_BYTES)


def remaining(folder: str, days: int, inodes: Sequence[int]) -> Command:
    """List which of those logs are there still."""
    return Command((*_old_logs(folder, days), *_one_of(inodes), "-printf", "%i\\n"))


def delete_logs(folder: str, days: int, inodes: Sequence[int]) -> Command:
    """Delete exactly those logs, as long as each is still as old and still a log of that folder."""
    words = (*_old_logs(folder, days), *_one_of(inodes), "-delete")
    return Command(words, changes=True, seconds=60.0)


def flush_logs(app: str) -> Command:
    """Empty what pm2 keeps of the application's logs."""
    # To pm2 "all" is every application; a name that there is none of is a success to it.
    if app.lower() == "all" or app.isdigit():
        raise Refused(f"{app!r} is not the name of one application")
    return Command(("pm2", "flush", _checked(WORD, app)), changes=True, seconds=20.0)


def make_private(file: str) -> Command:
    """Make an empty file that only its owner reads."""
    return Command(("install", "-m", "600", "/dev/null", _path(file)), changes=True)


def archive(file: str, paths: Sequence[str], seconds: int) -> Command:
    """Copy logs into an archive, at the lowest priority; a link among them stays a link."""
    named = tuple(_said_path(path).removeprefix("/") for path in paths[: 2 * MOST_FILES])
    words = ("tar", "--create", "--gzip", "--file", _path(file), "--no-recursion", "--directory")
    line = ("timeout", str(int(seconds)), "nice", "-n", "19", *words, "/", "--", *named)
    return Command(line, changes=True, seconds=seconds + 10.0)


def check_archive(file: str, seconds: int) -> Command:
    """Read an archive from end to end."""
    words = ("timeout", str(int(seconds)), "nice", "-n", "19", "gzip", "--test", _path(file))
    return Command(words, seconds=seconds + 10.0)


def put_in_place(part: str, file: str) -> Command:
    """Give a finished archive its name; one that is there is never replaced."""
    return Command(
        ("mv", "--no-clobber", "--no-target-directory", _path(part), _path(file)), changes=True
    )


def remove_part(part: str) -> Command:
    """Remove an archive that was not finished."""
    if not part.endswith(".part"):
        raise Refused("only what was not finished is removed")
    return Command(("rm", "-f", "--", _path(part)), changes=True)


def archive_name(folder: str, app: str, stamp: str) -> str:
    """Name the archive of one order."""
    return f"{_path(folder)}/{_checked(WORD, app)}-logs-{_checked(_STAMP, stamp)}.tar.gz"


def rotation() -> Command:
    """Read how pm2 rotates logs."""
    return Command(("pm2", "get", "pm2-logrotate"), seconds=20.0)


def set_rotation(key: str, value: str) -> Command:
    """Set one value of pm2's rotation, which restarts the rotation and no application."""
    if not (
        (key == "max_size" and _SIZE.fullmatch(value))
        or (key == "retain" and value.isdecimal())
        or (key == "compress" and value in {"true", "false"})
    ):
        raise Refused(f"{key} is not set to {value[:40]!r}")
    words = ("pm2", "set", f"pm2-logrotate:{key}", value)
    return Command(words, changes=True, seconds=20.0)


def images() -> Command:
    """List the images of Docker, newest first."""
    words = ("docker", "image", "ls", "--no-trunc", "--format", "{{json .}}")
    return Command(words, seconds=15.0, most_bytes=_LISTING_BYTES)


def images_in_use() -> Command:
    """List what the containers were made of, those that stand still too."""
    words = ("docker", "container", "ls", "--all", "--no-trunc", "--format", "{{.Image}}")
    return Command(words, seconds=15.0)


def remove_image(image: str) -> Command:
    """Remove one image, which Docker refuses while a container uses it."""
    return Command(("docker", "image", "rm", _checked(_IMAGE, image)), changes=True, seconds=60.0)


def local_health(port: int, path: str, seconds: float) -> Command:
    """Ask an instance for its health from its own host, past every proxy."""
    if not _URL_PATH.fullmatch(path):
        raise Refused("the path of the health check is not one: see the settings")
    quiet = ("--silent", "--output", "/dev/null", "--noproxy", "*", "--max-time", f"{seconds:g}")
    url = f"http://127.0.0.1:{int(port)}{path}"
    return Command(("curl", *quiet, "--write-out", "%{http_code}", url), seconds=seconds + 5.0)


def _old_logs(folder: str, days: int) -> tuple[str, ...]:
    # -P, find's default said aloud: a link is not followed, be it the folder itself.
    words = ("find", "-P", _path(folder), "-xdev", "-mindepth", "1", "-maxdepth", "8")
    if days < 1:
        raise Refused("logs younger than a day are not old")
    return (*_PLAIN, *words, "-type", "f", "-name", LOG_NAMES, "-mtime", f"+{int(days)}")


def _one_of(inodes: Sequence[int]) -> tuple[str, ...]:
    if not inodes or len(inodes) > MOST_FILES:
        raise Refused(f"{len(inodes)} files at once")
    tests = [word for inode in inodes for word in ("-o", "-inum", str(int(inode)))]
    return ("(", *tests[1:], ")")


def _said_path(path: str) -> str:
    """Let a path through that the host itself has said: any text, yet one absolute path."""
    if not path.startswith("/") or "/../" in f"{path}/" or "\0" in path or "\n" in path:
        raise Refused("the host names a file in a way that is not used in a command")
    return path


def _path(path: str) -> str:
    if not PATH.fullmatch(path) or "/.." in path:
        raise Refused("a folder of the settings is not an absolute path")
    return path


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise Refused(f"{text[:60]!r} may not stand in a command")
    return text
