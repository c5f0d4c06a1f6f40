"""Lets a stand-in fail as it is told: before what it is asked for is done, or after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVERYTHING = "*"
HTML = "<!doctype html><title>Sorry</title><h1>Something went wrong</h1><p>Try again soon.</p>"


class Fault(BaseModel):
    """One way to fail, for the next *times* calls of a method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["answer", "drop", "hang"]
    method: str = EVERYTHING
    times: int = 1
    done: bool = False
    """True fails only after what was asked has been done."""
    status: int = 503
    headers: dict[str, str] = {}
    body: str = HTML
    seconds: float = 60.0
    """How long a hang lasts; what follows is the ordinary answer."""


def rate_limited(seconds: int, *, method: str = EVERYTHING, times: int = 1) -> Fault:
    """Answer 429 and ask for *seconds* of patience."""
    return Fault(
        kind="answer",
        method=method,
        times=times,
        status=429,
        headers={"retry-after": str(seconds), "content-type": "application/json"},
        body='{"ok":false,"error":"ratelimited"}',
    )


def outage(
    status: int = 503, *, method: str = EVERYTHING, times: int = 1, done: bool = False
) -> Fault:
    """Answer *status* with a page of HTML, as a load balancer does."""
    headers = {"content-type": "text/html; charset=utf-8"}
    return Fault(
        kind="answer", method=method, times=times, done=done, status=status, headers=headers
    )


def dropped(*, done: bool, method: str = EVERYTHING, times: int = 1) -> Fault:
    """Drop the connection, having done what was asked or not."""
    return Fault(kind="drop", method=method, times=times, done=done)


def hanging(
    seconds: float, *, done: bool = False, method: str = EVERYTHING, times: int = 1
) -> Fault:
    """Say nothing for *seconds*."""
    return Fault(kind="hang", method=method, times=times, done=done, seconds=seconds)


class Faults:
    """The faults still to come, first in first out for each method."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Put *faults* at the end of the queue."""
        self._coming += faults

    def clear(self) -> None:
        """Be well again."""
        self._coming = []

    @property
    def coming(self) -> list[Fault]:
        """What is still to come."""
        return list(self._coming)

    def take(self, method: str) -> Fault | None:
        """Use up one failure of *method*, if there is one."""
        for place, fault in enumerate(self._coming):
            if fault.method in {EVERYTHING, method}:
                left = fault.model_copy(update={"times": fault.times - 1})
                self._coming[place : place + 1] = [left] if left.times > 0 else []
                return fault
        return None


class Fallible:
    """Wraps an application whose calls may fail; *name* tells the method of a path."""

    def __init__(self, app: ASGIApp, faults: Faults, name: Callable[[str], str | None]) -> None:
        self._app = app
        self._faults = faults
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, unless it is the next to fail."""
        method = self._name(scope["path"]) if scope["type"] == "http" else None
        fault = None if method is None else self._faults.take(method)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._fail(fault, scope, receive, send)

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        if fault.done:
            await self._app(scope, receive, hold)
        if fault.kind == "answer":
            held = _answer(fault)
        elif fault.kind == "drop":
            scope["state"]["drop"]()
            # uvicorn learns of it in the loop's next turns; answering nothing is right only then.
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        else:
            await asyncio.sleep(fault.seconds)
            if not fault.done:
                # Who asked may have given up long ago, and then there is nobody to answer.
                with contextlib.suppress(ClientDisconnect):
                    await self._app(scope, receive, send)
                return
        for message in held:
            await send(message)


def _answer(fault: Fault) -> list[Message]:
    headers = [(name.lower().encode(), text.encode()) for name, text in fault.headers.items()]
    return [
        {"type": "http.response.start", "status": fault.status, "headers": headers},
        {"type": "http.response.body", "body": fault.body.encode()},
    ]
