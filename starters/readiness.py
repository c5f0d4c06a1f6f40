"""Whether alerts would be kept if they came now, and whether somebody would work on them."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.service import RPCError

from workers.pollers import pollers
from workers.search_attributes import missing
from workflows.efforts import Queue

_KEPT_SECONDS = 5.0
_SECONDS = 2.0


class State(BaseModel):
    """How things are."""

    ready: bool
    temporal: str
    """Blank when it answers, else what is wrong."""
    missing_search_attributes: tuple[str, ...] = ()
    worker: bool | None = None
    """Whether one asks for incidents: without one alerts are kept and wait. None: not known."""


class Readiness:
    """Looks at Temporal at most once in a few seconds, however often it is asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._state: State | None = None
        self._looked_at = 0.0

    async def state(self) -> State:
        """Give the state of a moment ago."""
        async with self._lock:
            if self._state is None or time.monotonic() - self._looked_at > _KEPT_SECONDS:
                self._state = await self._look()
                self._looked_at = time.monotonic()
            return self._state

    async def _look(self) -> State:
        try:
            async with asyncio.timeout(_SECONDS):
                lacks = await missing(self._client)
        except (RPCError, RuntimeError, OSError, TimeoutError) as error:
            kind = error.status.name if isinstance(error, RPCError) else type(error).__name__
            return State(ready=False, temporal=f"does not answer ({kind})")
        return State(
            ready=not lacks,
            temporal="",
            missing_search_attributes=lacks,
            worker=await self._worker(),
        )

    async def _worker(self) -> bool | None:
        try:
            async with asyncio.timeout(_SECONDS):
                return bool(await pollers(self._client, Queue.INCIDENTS))
        except (RPCError, OSError, TimeoutError):
            return None
