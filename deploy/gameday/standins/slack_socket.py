"""Stands in for Slack's side of Socket Mode: addresses that work once, and envelopes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from deploy.gameday.standins.slack_door import PATIENCE_SECONDS, Answered, Way

_MOST_SOCKETS = 10


class Sockets(Way):
    """The open connections of the app; what is sent goes over the newest."""

    def __init__(self) -> None:
        self.open: list[WebSocket] = []
        self.opened = 0
        """How many there ever were."""
        self.left_out = 0
        """How many envelopes were sent and never acknowledged."""
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def ticket(self) -> str:
        """Make what one connection can be opened with."""
        self._tickets.add(ticket := uuid.uuid4().hex)
        return ticket

    async def serve(self, socket: WebSocket) -> None:
        """Speak with one connection of the app until it ends."""
        ticket = socket.query_params.get("ticket", "")
        if ticket not in self._tickets or len(self.open) >= _MOST_SOCKETS:
            await socket.close(1008)
            return
        self._tickets.discard(ticket)
        await socket.accept()
        await socket.send_json({"type": "hello", "num_connections": len(self.open) + 1,
                                "connection_info": {"app_id": "A0RESPONDER"}})  # fmt: skip
        self.open.append(socket)
        self.opened += 1
        try:
            while True:
                said = await socket.receive_json()
                waiting = self._waiting.pop(str(said.get("envelope_id")), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(said.get("payload") or {})
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if socket in self.open:
                self.open.remove(socket)

    async def interaction(self, payload: Mapping[str, Any]) -> Answered:
        """Send a press, or a window that was filled in."""
        return await self._send("interactive", payload)

    async def command(self, fields: Mapping[str, str]) -> Answered:
        """Send a slash command."""
        return await self._send("slash_commands", fields)

    async def event(self, payload: Mapping[str, Any], tries: int) -> Answered:
        """Send an event; *tries* came before this one."""
        return await self._send("events_api", payload, tries)

    async def end(self, reason: str = "refresh_requested") -> None:
        """Tell the newest connection that it will be closed, and leave it open yet."""
        await self.open[-1].send_json({"type": "disconnect", "reason": reason})

    async def cut(self) -> None:
        """Close every connection without a word."""
        for socket in list(self.open):
            self.open.remove(socket)
            await socket.close(1011)

    async def _send(self, kind: str, payload: Mapping[str, Any], tries: int = 0) -> Answered:
        if not self.open:
            return Answered(status=0)
        envelope = uuid.uuid4().hex
        self._waiting[envelope] = asyncio.get_running_loop().create_future()
        frame = {
            "envelope_id": envelope,
            "type": kind,
            "payload": dict(payload),
            "accepts_response_payload": kind != "events_api",
            **({"retry_attempt": tries, "retry_reason": "timeout"} if tries else {}),
        }
        waiting = self._waiting[envelope]
        await self.open[-1].send_json(frame)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return Answered(200, await waiting)
        except TimeoutError:
            self.left_out += 1
            return Answered(status=0)
        finally:
            self._waiting.pop(envelope, None)
