"""How a process ends: when it is told to, and not before its work is put down."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GOODBYE_SECONDS = 0.3


@contextmanager
def told_to_end() -> Iterator[asyncio.Event]:
    """Give an event that SIGTERM and Ctrl-C set, instead of ending the process."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for each in _SIGNALS:
        loop.add_signal_handler(each, end.set)
    try:
        yield end
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


async def unless(end: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Await *work*, or give it up when the process is told to end."""
    task, told = asyncio.create_task(work), asyncio.create_task(end.wait())
    try:
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        task.cancel()  # of no effect when it is done
    return task.result() if task.done() else None


async def goodbye() -> None:
    """Wait a moment: a process that ends just after the last use of a client may abort."""
    # sdk-python#300, open since 2023.
    await asyncio.sleep(_GOODBYE_SECONDS)
