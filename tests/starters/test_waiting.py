"""A door at which many stand who say nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from http import HTTPStatus

import httpx
import uvicorn

from starters.door import application
from starters.waiting import Waiting, protocol
from tests.starters.doors import BEARER, PATH, elsewhere, recorded, settings


@asynccontextmanager
async def served(live, *, most: int, seconds: float) -> AsyncIterator[tuple[str, int]]:
    waiting = Waiting(most=most, seconds=seconds)
    config = uvicorn.Config(
        application(live.client, settings()),
        log_config=None,
        lifespan="off",
        http=protocol(waiting),
        ws="none",
        limit_concurrency=most + 5,
        timeout_keep_alive=5,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server._serve([listener]))
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            await serving


async def test_those_who_say_nothing_do_not_keep_an_alert_out(live):
    async with served(live, most=10, seconds=30) as address:
        silent = [await asyncio.open_connection(*address) for _ in range(40)]
        for _, writer in silent[::2]:
            writer.write(b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: door\r\nX-Slow: ")
        base = f"http://{address[0]}:{address[1]}"
        async with httpx.AsyncClient(base_url=base, headers=BEARER, trust_env=False) as http:
            health = await http.get("/healthz")
            answer = await http.post(PATH, json=elsewhere(recorded("firing_single")))
        for _, writer in silent:
            writer.close()

    assert health.status_code == HTTPStatus.OK
    assert answer.status_code == HTTPStatus.OK, answer.text


async def test_a_connection_without_a_request_is_closed_after_a_time(live):
    async with served(live, most=10, seconds=0.2) as address:
        for said in (b"", b"GET /healthz HTTP/1.1\r\nHost: do"):
            reader, writer = await asyncio.open_connection(*address)
            with closing(writer):
                writer.write(said)
                try:
                    rest = await asyncio.wait_for(reader.read(), 5)
                except ConnectionResetError:
                    rest = b""
                assert rest == b""


async def test_a_connection_that_asks_is_kept_and_closed_when_it_asks_no_more(live):
    async with served(live, most=10, seconds=0.2) as address:
        reader, writer = await asyncio.open_connection(*address)
        with closing(writer):
            for _ in range(3):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
                head = await asyncio.wait_for(reader.readuntil(b'"ok"}'), 5)
                assert head.startswith(b"HTTP/1.1 200")
                await asyncio.sleep(0.05)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
