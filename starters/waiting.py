"""Connections that ask for nothing: they make room for those that ask.

A connection shows its token with its first request, so until then nobody knows whose it is: a
few hundred that stay silent must not keep an alert out.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Waiting:
    """The open connections without a request, the one that has waited longest first."""

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._timers: dict[HttpToolsProtocol, asyncio.TimerHandle] = {}

    def add(self, connection: HttpToolsProtocol) -> None:
        """Count *connection*, and close the one that has waited longest when there are too many."""
        self.remove(connection)
        loop = asyncio.get_running_loop()
        self._timers[connection] = loop.call_later(self._seconds, self._close, connection)
        if len(self._timers) > self._most:
            self._close(next(iter(self._timers)))

    def remove(self, connection: HttpToolsProtocol) -> None:
        """Count *connection* no more: it asks for something, or is gone."""
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _close(self, connection: HttpToolsProtocol) -> None:
        self.remove(connection)
        # At once, its peer having nothing to wait for; and no more room is taken by it.
        connection.transport.abort()
        connection.connections.discard(connection)


def protocol(waiting: Waiting) -> type[HttpToolsProtocol]:
    """Make the kind of connection that is counted in *waiting* until its headers have arrived."""

    class Connection(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            waiting.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            waiting.remove(self)
            super().connection_lost(exc)

        def on_headers_complete(self) -> None:
            waiting.remove(self)
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and self.cycle.response_complete:
                waiting.add(self)

    return Connection
