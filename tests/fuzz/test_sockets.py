"""The same on real connections: half requests, several at once, and frames of Socket Mode."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.local.processes import free_port
from deploy.local.responder import Door
from starters.door import application
from tests.fuzz.conftest import House
from tests.fuzz.knocking import COMMAND, EVENT, PRESS, SECRETS, STRANGER, Watched, secretive
from tests.fuzz.malformed import EXTREME, at_each_field
from tests.starters.doors import PATH, TOKEN, settings
from tests.starters.workspace import APP_TOKEN, BOT_TOKEN, PEOPLE, WHO

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
TYPED = HEAD + b"Content-Type: application/json\r\n"
CHUNKED = TYPED + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
async def process(
    server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Door]:
    """The door as the process that it is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env = {
        **kept,
        "TEMPORAL_ADDRESS": server.client.service_client.config.target_host,
        "RESPONDER_ALERTMANAGER__TOKEN": TOKEN,
        "RESPONDER_PAGERDUTY__WEBHOOK_SECRETS": json.dumps([SECRETS[2]]),
        "RESPONDER_DOOR__DEADLINE_SECONDS": "3",
    }
    log = tmp_path_factory.mktemp("door") / "door.log"
    async with Door(free_port(), log=log, env=env) as door:
        yield door


async def said_to(door: Door, *pieces: bytes, pause: float = 0.0, within: float = 10.0) -> bytes:
    """Whatever the door says to *pieces* until it closes, or falls silent for good."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    heard = bytearray()
    with contextlib.suppress(ConnectionError, TimeoutError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.write_eof()
        async with asyncio.timeout(within):
            while piece := await reader.read(65_536):
                heard += piece
    writer.close()
    return bytes(heard)


RAW = {
    "nothing": b"",
    "noise": bytes(range(256)) * 4,
    "only line ends": b"\r\n" * 1_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00",
    "no version": b"POST /webhooks/alertmanager\r\n\r\n",
    "a version to come": b"POST / HTTP/9.9\r\nHost: door\r\n\r\n",
    "a path without end": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: door\r\n\r\n",
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "a thousand headers": b"GET / HTTP/1.1\r\n"
    + b"".join(b"X-%d: y\r\n" % n for n in range(1_000))
    + b"\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "half a header": TYPED[:-20],
    "half a body": TYPED + b'Content-Length: 100\r\n\r\n{"version"',
    "a length that is none": TYPED + b"Content-Length: x\r\n\r\n{}",
    "a negative length": TYPED + b"Content-Length: -5\r\n\r\n{}",
    "a length beyond counting": TYPED + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
    "two lengths": TYPED + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
    "a length and chunks": TYPED
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "a chunk of no size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond counting": CHUNKED + b"f" * 40 + b"\r\n{}",
    "chunks that end early": CHUNKED + b"5\r\n{}",
    "an expectation": TYPED + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade": b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "to itself, as a proxy": b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: door\r\n\r\n",
    "a tunnel": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: door\r\n\r\n",
}  # fmt: skip


async def lives(door: Door) -> None:
    """Assert that it answers somebody else at once, and has said nothing that it must not."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        assert (await http.get(f"{door.url}/healthz")).status_code == 200
    assert door.running
    log = door.log.read_text()
    secretive(log)
    assert "\x00" not in log


@pytest.mark.parametrize("what", RAW)
async def test_bytes_that_are_no_request_end_their_connection_alone(
    process: Door, what: str
) -> None:
    heard = await said_to(process, RAW[what])

    for line in heard.splitlines():
        if line.startswith(b"HTTP/1."):
            assert line.split()[1] < b"500", heard
    assert len(heard) < 4_096
    secretive(heard.decode("utf-8", "replace"))
    await lives(process)


async def test_many_requests_at_once_on_one_connection_are_answered_each(process: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write((TYPED + b"Content-Length: 2\r\n\r\n{}") * 100)
    heard = b""
    async with asyncio.timeout(60):
        while heard.count(b"HTTP/1.1 422") < 100:
            heard += await reader.read(65_536)
    writer.close()

    assert heard.count(b"HTTP/1.1 ") == 100
    await lives(process)


async def test_a_hundred_who_send_their_bodies_byte_by_byte_keep_nobody_out(process: Door) -> None:
    body = TYPED + b"Content-Length: 1000\r\n\r\n"
    slow = [
        asyncio.create_task(said_to(process, body, *[b" "] * 40, pause=0.1)) for _ in range(100)
    ]
    await asyncio.sleep(0.3)
    await lives(process)
    heard = await asyncio.gather(*slow)

    # It does not arrive in time: 503 has Alertmanager send it again. Or it never ends: no answer.
    assert {each.split(b" ")[1] for each in heard if each} <= {b"503", b"400"}
    await lives(process)


@dataclass(frozen=True)
class Line:
    """A workspace whose Socket Mode says what it should not."""

    slack: SlackStandIn
    watched: Watched

    async def says(self, frame: str | bytes) -> None:
        while not self.slack.sockets.open:
            await asyncio.sleep(0.01)  # connected anew after what ended the last one
        socket = self.slack.sockets.open[-1]
        with contextlib.suppress(RuntimeError):
            await (socket.send_text(frame) if isinstance(frame, str) else socket.send_bytes(frame))

    async def still_hears(self) -> None:
        """Assert that a command is answered after all that."""
        answered = await self.slack.sockets.command({**COMMAND, "text": "help"})
        assert STRANGER in json.dumps(answered.body), answered


@pytest.fixture
async def line(house: House) -> AsyncIterator[Line]:
    watched = Watched()
    async with SlackStandIn(BOT_TOKEN, app_token=APP_TOKEN) as slack:
        chosen = settings(
            slack={
                "token": BOT_TOKEN, "app_token": APP_TOKEN, "base_url": slack.api_url,
                "channels": CHANNELS, "people": WHO,
            },
            policy={"people": PEOPLE},
        )  # fmt: skip
        doors = application(watched.beside(house.client), chosen)
        async with doors.router.lifespan_context(doors):
            while not slack.sockets.open:
                await asyncio.sleep(0.01)
            yield Line(slack, watched)


def enveloped(kind: str, sent: object) -> str:
    return json.dumps({"envelope_id": "e-1", "type": kind, "payload": sent})


async def test_frames_that_are_none_end_nothing_but_themselves(line: Line) -> None:
    for body in EXTREME.values():
        await line.says(body.decode("utf-8", "replace"))
        await line.says(body[:1_000])  # as binary, which Slack never sends
    await line.still_hears()

    assert line.watched.told == []


async def test_envelopes_that_are_wrong_at_any_field_start_nothing(line: Line) -> None:
    whole = json.loads(enveloped("interactive", {"type": "block_actions"}))
    frames = [json.dumps(sent) for _, sent in at_each_field(whole)]
    for kind, payload in (
        ("interactive", PRESS),
        ("events_api", EVENT),
        ("slash_commands", COMMAND),
    ):
        wrong = [sent for _, sent in at_each_field(payload)]
        frames += [enveloped(kind, sent) for sent in wrong[:: len(wrong) // 100]]
    for frame in frames:
        await line.says(frame)
    await line.still_hears()

    assert len(frames) > 400
    assert line.watched.told == []
    assert line.slack.sockets.opened == 1
