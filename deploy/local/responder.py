"""The responder's own processes as children: its workers and its door."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from deploy.local import ports, processes
from deploy.local.temporal import Temporal
from workflows.efforts import Queue

RESPONDER = [sys.executable, "-m", "deploy.console"]
"""What `responder` is, also where the environment it is installed in is not on PATH."""

WORKER_GRACE_SECONDS = 25.0
"""More than a worker gives its running activities to end."""


class Worker(processes.Child):
    """A worker process: it is ready once it polls each of its queues."""

    def __init__(
        self,
        temporal: Temporal,
        queues: Sequence[Queue] = (),
        *,
        log: Path,
        env: Mapping[str, str],
    ) -> None:
        """Describe the process; nothing starts yet.

        Args:
            temporal: The server it works for.
            queues: Those that it serves; all when left out.
            log: Where its output goes.
            env: Its whole environment.
        """
        self.queues = tuple(queues) or tuple(Queue)
        self._temporal = temporal
        self._client: Client | None = None
        super().__init__(
            f"The worker for {', '.join(self.queues)}" if queues else "The worker",
            [*RESPONDER, "worker", *(part for queue in queues for part in ("--queue", queue))],
            log=log,
            ready=self._polls,
            ready_within=60.0,
            env=env,
            grace=WORKER_GRACE_SECONDS,
        )

    async def _polls(self) -> bool:
        if self._client is None:
            self._client = await self._temporal.connect()
        for queue in self.queues:
            workflows = queue is Queue.INCIDENTS
            answer = await self._client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=self._temporal.namespace,
                    task_queue=TaskQueue(name=queue),
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
                    if workflows
                    else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                )
            )
            # By its process: one that was killed is listed for minutes.
            if not any(poller.identity.endswith(f"/{self.pid}") for poller in answer.pollers):
                return False
        return True


class Door(processes.Child):
    """The door process, on a loopback port."""

    def __init__(self, port: int, *, log: Path, env: Mapping[str, str]) -> None:
        """Describe the process; nothing starts yet.

        Args:
            port: Where it listens.
            log: Where its output goes.
            env: Its whole environment, without the address it listens on.
        """
        self.port = port
        super().__init__(
            "The door",
            [*RESPONDER, "serve"],
            log=log,
            ready=processes.answers(f"{self.url}/healthz"),
            ready_within=60.0,
            env={**env, "RESPONDER_DOOR__HOST": "127.0.0.1", "RESPONDER_DOOR__PORT": str(port)},
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> Self:
        """Start it and wait until it answers."""
        if not self.running:
            await ports.require_free(self.port, "the door")
        return await super().start()
