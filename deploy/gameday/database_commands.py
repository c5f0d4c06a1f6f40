"""What the API server is asked about its database: pg_isready, and whether a name resolves."""

import asyncio
import socket
import struct

from deploy.gameday.said import Said

_PROTOCOL = 3 << 16
_STARTING = b"57P03"


async def look(words: list[str]) -> Said | None:
    """Answer what is asked of the database; None is not known here."""
    match words:
        case ["pg_isready", "-h", host, "-p", port, "-t", seconds] if (port + seconds).isdecimal():
            return await _ready(host, int(port), int(seconds))
        case ["getent", "hosts", host]:
            return await _resolved(host)
    return None


async def _ready(host: str, port: int, seconds: int) -> Said:
    """Do as pg_isready does: begin to log in, and see what the server makes of it."""
    where = f"{host}:{port}"
    parameters = b"user\0pg_isready\0database\0postgres\0\0"
    startup = struct.pack("!ii", 8 + len(parameters), _PROTOCOL) + parameters
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(startup)
            answer = await reader.read(4096)
            writer.close()
    except (OSError, TimeoutError):
        return Said(f"{where} - no response\n", code=2)
    if not answer:
        return Said(f"{where} - no response\n", code=2)
    if answer[:1] == b"E" and _STARTING in answer:
        return Said(f"{where} - rejecting connections\n", code=1)
    return Said(f"{where} - accepting connections\n", code=0)


async def _resolved(host: str) -> Said:
    """Do as getent does."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return Said("", code=2)
    return Said(f"{found[0][4][0]} {host}\n", code=0)
