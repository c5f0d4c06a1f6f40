"""What stands between this program and a child of it, so that none is left behind.

Run as a file by processes.py, with nothing but the standard library. A preexec_fn would not do:
it runs Python between fork and exec, beside the threads of Temporal's core, and may hang there.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def run(parent: int, user: str, command: list[str]) -> NoReturn:
    """Become the command, as the user, dying with the parent."""
    if user:
        them = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(them.pw_gid)
        os.setuid(them.pw_uid)
    if sys.platform == "linux":
        # After setuid, which clears it. It survives the exec below.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(NOT_STARTED)
    try:
        os.execv(command[0], command)  # noqa: S606 (the absence of a shell is the point)
    except OSError as error:
        sys.exit(f"{command[0]} could not be started: {error.strerror}")


def reap() -> None:
    """Kill the process groups still on the list when the other end of the pipe closes."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "reap":
        reap()
    else:
        run(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
