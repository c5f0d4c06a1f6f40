"""Serves a stand-in on loopback, within the process that asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from deploy.gameday.standins.faults import Fallible, Fault, Faults


class StandIn(ABC):
    """One stand-in: its routes, its faults, and the file in which it remembers."""

    title = "stand-in"
    websockets: Literal["none", "wsproto"] = "none"
    """Which library speaks WebSocket, where it does."""

    def __init__(self, *, port: int = 0, data: Path | None = None) -> None:
        """Take a port (0 chooses a free one) and a file to remember in (None forgets)."""
        self.faults = Faults()
        self._data = data
        self._port = port
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls() else 'http'}://127.0.0.1:{self._port}"

    def tls(self) -> dict[str, str]:
        """Give certificate and key, as uvicorn names them; empty speaks plainly."""
        return {}

    def fail(self, *faults: Fault) -> None:
        """Fail in these ways from the next call on."""
        self.faults.add(*faults)

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """List what the real one answers, and ways to look inside."""

    @abstractmethod
    def method(self, path: str) -> str | None:
        """Tell the name by which a fault knows a call to *path*; None never fails."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; a port once chosen is kept over stop and start."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        control = Route("/_standin/faults", self._control, methods=["GET", "POST", "DELETE"])
        app = Starlette(
            routes=[*self.routes(), control], exception_handlers={ClientDisconnect: _gave_up}
        )
        self._server = _Server(
            uvicorn.Config(
                Fallible(app, self.faults, self.method),
                http=_Droppable,
                ws=self.websockets,
                lifespan="off",
                log_config=None,
                access_log=False,
                **self.tls(),  # type: ignore[arg-type]
            )
        )
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop listening, whatever is still being asked."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        unanswered = list(self._server.server_state.tasks)
        for asked in unanswered:
            asked.cancel()
        await asyncio.gather(*unanswered, return_exceptions=True)
        self._server = self._serving = None

    def remembered(self) -> str | None:
        """Read what an earlier life wrote."""
        if self._data is None or not self._data.exists():
            return None
        return self._data.read_text()

    def remember(self, state: str) -> None:
        """Write *state* so that a crash leaves the old or the new, nothing between."""
        if self._data is None:
            return
        self._data.parent.mkdir(parents=True, exist_ok=True)
        beside = self._data.with_suffix(".new")
        beside.write_text(state)
        beside.replace(self._data)

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        if request.method == "POST":
            try:
                self.fail(Fault.model_validate_json(await request.body()))
            except ValidationError as invalid:
                return JSONResponse({"error": str(invalid)}, status_code=400)
        return JSONResponse([fault.model_dump() for fault in self.faults.coming])


async def _gave_up(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer nobody: whoever asked has gone before all was said."""
    return Response(status_code=400)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process that this is part of."""
        yield


class _Droppable(H11Protocol):
    """Lets an application drop the connection that it is asked on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_drop(self.app, transport)


def _with_drop(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        state: dict[str, Any] = scope.setdefault("state", {})
        state["drop"] = transport.abort
        await app(scope, receive, send)

    return wrapped
