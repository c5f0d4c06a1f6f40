"""How a command that runs servers ends: when it is asked to, and with words for what failed."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from temporalio.service import RPCError

from deploy.local import data, ports, processes, programs
from deploy.local.temporal import WrittenByAnother

FORESEEN = (
    data.InUse,
    ports.PortTaken,
    processes.NotReady,
    programs.ProgramMissing,
    WrittenByAnother,
)
"""What is told in its own sentence, without a trace."""


@dataclass
class Asked:
    """Whether the process was asked to end, and how."""

    by: signal.Signals | None = None

    @property
    def status(self) -> int:
        """The exit status by which shells know it; 0 when nobody asked."""
        return 128 + self.by if self.by else 0


@contextlib.contextmanager
def ended_when_asked() -> Iterator[Asked]:
    """Let SIGINT and SIGTERM cancel what is inside; once more, and they cut the stopping short."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 (we are in one)
    asked = Asked()

    def end(by: signal.Signals) -> None:
        asked.by = asked.by or by
        task.cancel()

    for signalled in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signalled, end, signalled)
    try:
        yield asked
    except asyncio.CancelledError:
        if asked.by is None:
            raise
        while task.uncancel():
            pass
    finally:
        for signalled in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signalled)


def in_words(error: BaseException) -> str:
    """Say in a sentence what went wrong; errors of ours have one of their own."""
    if isinstance(error, RPCError):
        return f"Temporal said: {error.message}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, TimeoutError) and not str(error):
        return "Something did not answer in time."
    return str(error)
