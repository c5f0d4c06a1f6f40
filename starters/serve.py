"""The process that serves the door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from starters.door import application
from starters.waiting import Waiting, protocol
from workers.connection import connect
from workers.ending import goodbye, told_to_end
from workers.settings import Settings, SettingsWrong, secrets_of, variable
from workers.telemetry import log_to_stderr

_MOST_ASKING = 200
"""Requests at the same time; of those without the token none lasts."""
_MOST_SILENT = 200
"""Connections without a request."""
_SILENT_SECONDS = 20.0
"""Given to a connection for the headers of its next request."""

_log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Serve until the process is told to end; what has begun is answered first."""
    log_to_stderr(settings.telemetry, secrets_of(settings))
    # Lazily: a door without Temporal says 503, and the sender tries again.
    client = await connect(settings.codec, role="door", lazy=True)
    door = settings.door
    config = uvicorn.Config(
        application(client, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        http=protocol(Waiting(most=_MOST_SILENT, seconds=_SILENT_SECONDS)),
        ws="none",
        # Above it 503, at once: better than a queue that outlasts the sender's patience.
        limit_concurrency=_MOST_ASKING + _MOST_SILENT,
        backlog=256,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(door.deadline_seconds) + 2,
    )
    with _listening(door.host, door.port) as listener:
        host, port = listener.getsockname()[:2]
        _log.info("listening on http://%s:%s/webhooks/alertmanager", host, port)
        server = _Server(config)
        with told_to_end() as end:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            told = asyncio.create_task(end.wait())
            await asyncio.wait([serving, told], return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            server.should_exit = True
            await serving
    await goodbye()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us: uvicorn would end the process by one after all was put down."""
        yield


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise SettingsWrong(
            f"door: {host}:{port} cannot be listened on: {error.strerror} "
            f"({variable('door', 'port')})"
        ) from None
