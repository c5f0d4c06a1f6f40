"""A managed Redis as far as it refuses: it answers each command as it is told, in RESP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

NOT_THERE = (
    b"-ERR Command is not available: 'CONFIG'. See https://upstash.com/docs/redis/overall\r\n"
)
"""What a provider says that keeps the settings to itself."""


def bulk(text: str) -> bytes:
    raw = text.encode()
    return b"$%d\r\n%s\r\n" % (len(raw), raw)


@contextlib.asynccontextmanager
async def managed(answers: Mapping[str, bytes]) -> AsyncIterator[str]:
    """Serve *answers* by the beginning of a command; b"" hangs up. Yields the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                command = " ".join(await _command(reader)).upper()
                said = [answers[name] for name in answers if command.startswith(name)]
                answer = said[0] if said else b"+OK\r\n"
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()


async def _command(reader: asyncio.StreamReader) -> list[str]:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(size + 2))[:-2].decode())
    return words
