"""A person at the terminal, asked without a thread: the end of the program waits for no answer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

_WORDS = {"y": True, "yes": True, "n": False, "no": False}


def attended() -> bool:
    """Tell whether somebody can type an answer."""
    return sys.stdin is not None and sys.stdin.isatty()


async def approves(tell: Callable[[str], None], file: int | None = None) -> bool:
    """Read lines until one is yes or no; the end of the input is a no, and is told.

    Args:
        tell: Told what is wanted.
        file: Read from instead of the standard input.
    """
    tell("Approve? Type y or n, then Enter.")
    while True:
        line = await _line(sys.stdin.fileno() if file is None else file)
        if not line:
            tell("The input has ended, so: reject.")
            return False
        answer = _WORDS.get(line.decode(errors="replace").strip().lower())
        if answer is not None:
            return answer
        tell("Type y to approve, n to reject, then Enter.")


async def _line(file: int) -> bytes:
    """Read what is typed up to Enter; nothing at the end of the input."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()

    def take() -> None:
        if typed.done():
            return
        try:
            typed.set_result(os.read(file, 4096))
        except OSError:  # the terminal was closed
            typed.set_result(b"")

    loop.add_reader(file, take)
    try:
        return await typed
    finally:
        loop.remove_reader(file)
