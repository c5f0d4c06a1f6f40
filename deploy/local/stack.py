"""The responder and the Temporal server it lives on, started by one call."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr
from temporalio.client import Client

from deploy.local import data, processes
from deploy.local.responder import Door, Worker
from deploy.local.supervision import Supervised
from deploy.local.temporal import Temporal
from workflows.efforts import Queue

WEBHOOK = "/webhooks/alertmanager"


class Stack:
    """Temporal, workers and door as supervised children, all they keep under one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        token: SecretStr | None = None,
        workers: Sequence[Sequence[Queue]] = ((),),
        temporal_port: int | None = None,
        ui_port: int | None = None,
        door_port: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Describe the stack; nothing starts yet.

        Args:
            folder: Where all of it is kept: database, logs, reports, the door's token.
            environment: What worker and door are set by, `RESPONDER_…` among it; this
                process's own when left out. Where Temporal is, they are told by us.
            token: What Alertmanager shows at the door; the folder's own when left out.
            workers: The queues of each worker process; one process for all when left out.
            temporal_port: Where Temporal's clients connect; a free one when left out.
            ui_port: Where Temporal is looked at; a free one when left out.
            door_port: Where webhooks go; a free one when left out.
            tell: Told, in a sentence, when a child ended by itself, and when it is back.
        """
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self.token = token or data.kept_token(self.folder)
        self.temporal = Temporal(
            self.folder / "temporal",
            port=temporal_port,
            ui_port=ui_port,
            log=self.logs / "temporal.log",
        )
        env = self._environment(os.environ if environment is None else environment)
        self.door = Door(door_port or processes.free_port(), log=self.logs / "door.log", env=env)
        self.workers = [
            Worker(
                self.temporal,
                queues,
                log=self.logs / f"{'-'.join(('worker', *queues))}.log",
                env=env,
            )
            for queues in workers
        ]
        self._temporal = Supervised(self.temporal, tell=tell)
        self._door = Supervised(self.door, tell=tell)
        self._workers = [Supervised(worker, tell=tell) for worker in self.workers]
        self._running = contextlib.AsyncExitStack()

    @property
    def webhook_url(self) -> str:
        """Where Alertmanager sends its alerts."""
        return f"{self.door.url}{WEBHOOK}"

    async def client(self) -> Client:
        """Connect a client of Temporal; it survives restarts of the server."""
        return await self.temporal.connect()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as starting:
            starting.enter_context(data.taken(self.folder))
            # Stopped the other way round: the door first, that nothing new comes in.
            starting.push_async_callback(self._temporal.stop)
            await self._temporal.start()
            starting.push_async_callback(self._stop_workers)
            starting.push_async_callback(self._door.stop)
            await _all(self.start_worker(), self.start_door())
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._running.aclose()

    async def kill_temporal(self) -> None:
        """End Temporal as kill -9 does, until it is started."""
        await self._temporal.kill()

    async def start_temporal(self) -> None:
        """Start Temporal again, on its data and ports."""
        await self._temporal.start()

    async def kill_worker(self) -> None:
        """End every worker process as kill -9 does, until they are started."""
        await _all(*(worker.kill() for worker in self._workers))

    async def start_worker(self) -> None:
        """Start every worker process again, and wait until they poll."""
        await _all(*(worker.start() for worker in self._workers))

    async def kill_door(self) -> None:
        """End the door as kill -9 does, until it is started."""
        await self._door.kill()

    async def start_door(self) -> None:
        """Start the door again, on its port."""
        await self._door.start()

    async def _stop_workers(self) -> None:
        await _all(*(worker.stop() for worker in self._workers))

    def _environment(self, given: Mapping[str, str]) -> dict[str, str]:
        # A profile, a certificate or a key that is meant for another server would go to ours.
        foreign = {name for name in given if name.upper().startswith("TEMPORAL_")}
        return {
            "RESPONDER_REPORTS__FOLDER": str(self.folder / "reports"),
            # So that messages can link to an incident's page.
            "RESPONDER_POLICY__UI": f"{self.temporal.ui_url}/namespaces/{self.temporal.namespace}",
            **{name: value for name, value in given.items() if name not in foreign},
            "RESPONDER_ALERTMANAGER__TOKEN": self.token.get_secret_value(),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": self.temporal.namespace,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }


async def _all(*steps: Awaitable[object]) -> None:
    """Do the steps side by side, each to its end, and raise what went wrong."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
