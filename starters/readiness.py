"""Whether alerts would be kept if they came now, and whether somebody would work on them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workers.search_attributes import missing
from workflows.efforts import Queue

_KEPT_SECONDS = 5.0
_SECONDS = 2.0
_RECENT = timedelta(minutes=2)
"""A worker's poll lasts a minute."""


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
        ask = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=Queue.INCIDENTS),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._client.workflow_service.describe_task_queue(ask)
        except (RPCError, OSError, TimeoutError):
            return None
        since = datetime.now(UTC) - _RECENT
        return any(
            poller.last_access_time.ToDatetime(tzinfo=UTC) > since for poller in answer.pollers
        )
