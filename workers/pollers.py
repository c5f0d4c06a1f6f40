"""Whether a worker asks for work on a task queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from workflows.efforts import Queue

_RECENT = timedelta(minutes=2)
"""A worker's poll lasts a minute."""


async def pollers(client: Client, queue: Queue) -> tuple[str, ...]:
    """Name the processes that have asked for work on *queue* within the last minutes."""
    ask = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
        if queue is Queue.INCIDENTS
        else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    answer = await client.workflow_service.describe_task_queue(ask)
    since = datetime.now(UTC) - _RECENT
    return tuple(
        poller.identity
        for poller in answer.pollers
        if poller.last_access_time.ToDatetime(tzinfo=UTC) > since
    )
