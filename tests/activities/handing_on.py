"""A pooler in little: every client gets the same session, as the one before it left it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SSL, _GSS = 80877103, 80877104
_TERMINATE, _READY, _ERROR = b"X", b"Z", b"E"


class HandingOn:
    """Has one session, of the superuser, and hands it from client to client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, says: bool):
        self._reader, self._writer = reader, writer
        self._says = says
        """Whether it refuses options, as PgBouncer does; else it lets them fall."""
        self._greeting = b""
        self._turn = asyncio.Lock()
        self.clients = 0
        self.port = 0

    async def begin(self, database: str) -> None:
        named = f"user\0postgres\0database\0{database}\0\0".encode()
        packet = struct.pack("!i", 196608) + named
        self._writer.write(struct.pack("!i", len(packet) + 4) + packet)
        while True:
            kind, message = await _message(self._reader)
            self._greeting += message
            assert kind != _ERROR, message
            if kind == _READY:
                return

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                size, code = struct.unpack("!ii", await reader.readexactly(8))
                rest = await reader.readexactly(size - 8)
                if code not in {_SSL, _GSS}:
                    break
                writer.write(b"N")
            if self._says and b"options\0" in rest:
                text = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                writer.write(_ERROR + struct.pack("!i", len(text) + 4) + text)
                return
            async with self._turn:
                self.clients += 1
                writer.write(self._greeting)
                await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def back() -> None:
            while piece := await self._reader.read(65536):
                writer.write(piece)

        answering = asyncio.create_task(back())
        try:
            while True:
                kind, message = await _message(reader)
                if kind == _TERMINATE:
                    return
                self._writer.write(message)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (size,) = struct.unpack("!i", head[1:])
    return head[:1], head + await reader.readexactly(size - 4)


@asynccontextmanager
async def handing_on(
    port: int, *, says: bool, database: str = "postgres"
) -> AsyncIterator[HandingOn]:
    """Serve a pooler in front of the PostgreSQL at *port*."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    pooler = HandingOn(reader, writer, says=says)
    await pooler.begin(database)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    pooler.port = server.sockets[0].getsockname()[1]
    try:
        yield pooler
    finally:
        server.close()
        writer.close()
