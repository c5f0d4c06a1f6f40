"""Ports that somebody chose, and what is said when another program has them."""

import asyncio
import socket
import time

RELEASED_WITHIN_SECONDS = 1.0
"""A program that was just killed holds its port for a moment."""


class PortTaken(RuntimeError):
    """Another program listens on a port that was chosen."""


async def require_free(port: int, name: str, *, instead: str = "") -> None:
    """Make sure that nobody listens on the loopback port: a server would say it less clearly.

    Args:
        port: The port that was chosen.
        name: What was to listen there.
        instead: What the reader can do about it, as `choose another with --door-port`.
    """
    deadline = time.monotonic() + RELEASED_WITHIN_SECONDS
    while not _free(port):
        if time.monotonic() > deadline:
            advice = f": {instead}" if instead else ""
            raise PortTaken(f"Port {port}, for {name}, is in use by another program{advice}.")
        await asyncio.sleep(0.05)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: else the closed connections of the one before would count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True
