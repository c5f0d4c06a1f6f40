"""Socket Mode: Slack's requests over a connection that we open, where it cannot reach us.

By aiohttp itself: slack-sdk's client goes on for ever with an address that Slack takes only once
(its `connect` asks for another only after a session), and keeps what comes in a queue without end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from activities.errors import Failed, Refused, Unavailable
from activities.slack_api import slack_api
from starters.slack_desk import Desk
from starters.slack_payloads import Received, from_fields, from_object
from workers.slack_settings import SlackSettings

_CONNECT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0
_REFUSED_PAUSE_SECONDS = 60.0
"""Until it is tried again what Slack has refused: a person has to change something there."""
_STEADY_SECONDS = 60.0
"""A connection that has lasted so long was a good one: the next pause is short again."""
_AT_ONCE = 20
_MOST_FRAME_BYTES = 1024 * 1024
_LEAVING_SECONDS = 15.0
"""Left to a connection that Slack is about to close, while its successor is there already."""

_log = logging.getLogger(__name__)


class _Frame(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    envelope_id: str = ""
    payload: dict[str, Any] | None = None
    retry_attempt: int = 0
    reason: str = ""


class SlackSocket:
    """Keeps a connection to Slack, and takes what comes over it."""

    def __init__(self, desk: Desk, settings: SlackSettings) -> None:
        self._desk = desk
        self._settings = settings
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Be connected until cancelled; a connection that is to end gets a successor first."""
        loop = asyncio.get_running_loop()
        pause = 1.0
        async with asyncio.TaskGroup() as sessions:
            while True:
                leaving = asyncio.Event()
                begun = loop.time()
                session = sessions.create_task(self._session(leaving))
                told = sessions.create_task(leaving.wait())
                await asyncio.wait([session, told], return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                if loop.time() - begun > _STEADY_SECONDS:
                    pause = 1.0
                    if not session.done():
                        continue
                refused = session.done() and session.result()
                wait = _REFUSED_PAUSE_SECONDS if refused else pause
                # Not all at once: every process of ours has lost it at the same moment.
                await asyncio.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _session(self, leaving: asyncio.Event) -> bool:
        """Be connected once; tell whether Slack refused it, so that trying again soon is no use."""
        try:
            return await self._connected(leaving)
        except Refused as refused:
            _log.error("Slack refuses Socket Mode: %s", refused.message)
            return True
        except Failed as failed:
            _log.warning("Slack's Socket Mode is not reached: %s", failed.message)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Not its text: the address has a ticket in it.
            _log.warning("the connection to Slack is lost: %s", type(error).__name__)
        except Exception:  # noqa: BLE001 (it is logged, and the connection made anew)
            # A fault of ours in one request must not take the door away from everybody.
            _log.exception("a connection to Slack ended in an error")
        return False

    async def _connected(self, leaving: asyncio.Event) -> bool:
        url = await self._address()
        async with aiohttp.ClientSession(trust_env=False) as http:
            async with asyncio.timeout(_CONNECT_SECONDS):
                socket = await http.ws_connect(
                    url, heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MOST_FRAME_BYTES
                )
            async with socket, asyncio.TaskGroup() as handing:
                return await self._listen(socket, leaving, handing)

    async def _listen(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        leaving: asyncio.Event,
        handing: asyncio.TaskGroup,
    ) -> bool:
        """Take frames until the end; tell whether Slack will have no other connection."""
        ends: float | None = None
        loop = asyncio.get_running_loop()
        while ends is None or ends > loop.time():
            left = None if ends is None else ends - loop.time()
            try:
                message = await socket.receive(timeout=left)
            except TimeoutError:
                break
            if message.type is not aiohttp.WSMsgType.TEXT:
                if message.type in _ENDS:
                    break
                continue
            frame = _frame(message.data)
            if frame is None:
                _log.warning("a frame of Slack's could not be read")
            elif frame.type == "hello":
                _log.info("connected to Slack by Socket Mode")
            elif frame.type == "disconnect":
                _log.info("Slack ends the connection: %r", frame.reason[:40] or "no reason given")
                if frame.reason == "link_disabled":
                    _log.error("Socket Mode is switched off for the app at Slack")
                    return True
                ends = loop.time() + _LEAVING_SECONDS
                leaving.set()
            elif frame.envelope_id and frame.payload is not None:
                # No more is read than is worked on: what waits, waits at Slack's.
                await self._places.acquire()
                handing.create_task(self._hand_on(socket, frame))
        return False

    async def _hand_on(self, socket: aiohttp.ClientWebSocketResponse, frame: _Frame) -> None:
        """Have it done, and only then tell Slack that it is taken."""
        try:
            answer: dict[str, Any] = {"envelope_id": frame.envelope_id}
            received = _received(frame)
            if received is not None:
                reply = await self._desk.take(received, tries=frame.retry_attempt)
                if not reply.taken:
                    return
                if reply.body is not None:
                    answer["payload"] = reply.body
            # A connection that is gone takes no answer; Slack repeats what it repeats at all, and
            # what comes twice is the same act.
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.send_str(json.dumps(answer))
        finally:
            self._places.release()

    async def _address(self) -> str:
        settings = self._settings
        async with slack_api(settings.app_token, url=settings.base_url) as api:
            answer = await api.call("apps.connections.open", {}, form=True)
        url = answer.get("url")
        if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
            raise Unavailable("Slack apps.connections.open: ok, but without an address")
        return url


_ENDS = {
    aiohttp.WSMsgType.CLOSE,
    aiohttp.WSMsgType.CLOSING,
    aiohttp.WSMsgType.CLOSED,
    aiohttp.WSMsgType.ERROR,
}


@asynccontextmanager
async def socket_mode(desk: Desk, settings: SlackSettings) -> AsyncIterator[None]:
    """Be connected for as long as this lasts, where there is a token for it."""
    if not settings.app_token.get_secret_value():
        yield
        return
    task = asyncio.create_task(SlackSocket(desk, settings).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _frame(text: str) -> _Frame | None:
    try:
        return _Frame.model_validate_json(text)
    except ValidationError:
        return None


def _received(frame: _Frame) -> Received | None:
    payload = frame.payload or {}
    try:
        return from_fields(payload) if frame.type == "slash_commands" else from_object(payload)
    except ValidationError:
        _log.warning("a request of Slack's by Socket Mode could not be read: %r", frame.type[:40])
        return None
