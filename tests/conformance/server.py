"""A far side that answers exactly as it is told, down to the bytes on the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FarSide:
    """What it does with each request, and what it saw."""

    act: Act
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    written: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head + await reader.readexactly(_length(head)))
            await self.act(writer)
        writer.transport.abort()


@contextlib.asynccontextmanager
async def far_side(act: Act) -> AsyncIterator[FarSide]:
    far = FarSide(act)
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    far.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield far
    finally:
        # Not wait_closed(): it waits for the handlers, and one of them may be hanging.
        server.close()
        await asyncio.sleep(0)


def answer(
    status: int,
    body: bytes = b"{}",
    *,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Act:
    async def act(writer: asyncio.StreamWriter) -> None:
        lines = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(
            f"HTTP/1.1 {status} As told\r\n{head}connection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return act


def endless(status: int, most: int, count: Callable[[int], None]) -> Act:
    async def act(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} As told\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {most}\r\n\r\n".encode())
        piece = b"[" * 65_536
        for _ in range(most // len(piece)):
            writer.write(piece)
            await writer.drain()
            count(len(piece))

    return act


async def drop(_: asyncio.StreamWriter) -> None:
    """Read the request, then hang up."""


async def hang(_: asyncio.StreamWriter) -> None:
    """Read the request, then say nothing."""
    await asyncio.sleep(5)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
