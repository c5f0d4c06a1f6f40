"""The worker process: one worker for each task queue, all on one connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from workers.composition import Composition, compose
from workers.connection import connect_patiently
from workers.ending import goodbye, told_to_end, unless
from workers.people import KnowsPeople
from workers.redaction import Redaction, Secrets
from workers.search_attributes import missing
from workers.sections import WorkerSettings
from workers.settings import Settings, secrets_of
from workers.telemetry import log_to_stderr, runtime
from workflows.autonomy import Autonomy
from workflows.coordinator import Coordinator
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.page_proof import PageProof
from workflows.policy import Policy
from workflows.post_incident import PostIncident
from workflows.sandbox import runner
from workflows.weekly import WeeklySummary

WORKFLOWS: tuple[type, ...] = (
    Incident,
    PostIncident,
    Coordinator,
    Autonomy,
    WeeklySummary,
    PageProof,
)

_SLOTS = {
    Queue.INCIDENTS: 20,
    Queue.PROBES: 50,
    Queue.MESSAGES: 20,
    Queue.PAGES: 20,
    Queue.CHANGES: 10,
}
THREADS = _SLOTS[Queue.INCIDENTS]
"""That procedures are consulted in: as many as can be consulted at a time."""

_log = logging.getLogger(__name__)


def workers(
    client: Client,
    composition: Composition,
    *,
    queues: Collection[Queue],
    threads: ThreadPoolExecutor,
    secrets: Sequence[str] = (),
    settings: WorkerSettings | None = None,
    policy: Policy | None = None,
) -> list[Worker]:
    """Make the worker of each of *queues*; none runs yet."""
    chosen = settings or WorkerSettings()
    redaction = Redaction(Secrets(secrets))
    people = KnowsPeople(policy or Policy())
    return [
        Worker(
            client,
            task_queue=queue.value,  # plain text, for it is logged as it is
            workflows=WORKFLOWS if queue is Queue.INCIDENTS else (),
            activities=composition[queue],
            interceptors=[redaction, people],
            workflow_runner=runner(),
            deployment_config=_deployment(chosen),
            max_concurrent_activities=_SLOTS[queue],
            graceful_shutdown_timeout=timedelta(seconds=chosen.graceful_seconds),
            # How long the next message waits for a worker that was killed; 10 s by default.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
            # How late a cancellation may reach a change. The last heartbeat of an attempt is never
            # throttled away: it travels with the failure, so that verifications keep every sample.
            max_heartbeat_throttle_interval=timedelta(seconds=2),
            default_heartbeat_throttle_interval=timedelta(seconds=2),
            **_for_workflows(queue, threads),
        )
        for queue in Queue
        if queue in queues
    ]


async def run(settings: Settings, queues: Collection[Queue] = tuple(Queue)) -> None:
    """Work until the process is told to end, and end what is under way first."""
    secrets = secrets_of(settings)
    log_to_stderr(settings.telemetry, secrets)
    core = runtime(settings.telemetry, role="worker")
    with told_to_end() as end:
        connecting = connect_patiently(settings.codec, role="worker", runtime=core)
        client = await unless(end, connecting)
        if client is None:
            return
        await _warn_of_missing(client)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="consult") as threads:
            async with compose(settings) as composition:
                running = workers(
                    client,
                    composition,
                    queues=queues,
                    threads=threads,
                    secrets=secrets,
                    settings=settings.worker,
                    policy=settings.policy,
                )
                await serve(running, end)
    await goodbye()


async def _warn_of_missing(client: Client) -> None:
    with contextlib.suppress(RPCError):  # not everybody may ask
        if lacks := await missing(client):
            names = ", ".join(lacks)
            _log.error("no incident can work without search attributes: %s is missing. "
                       "Run `responder register`", names)  # fmt: skip


async def serve(running: Sequence[Worker], end: asyncio.Event) -> None:
    """Run the workers side by side; when one fails, or at the end, all stop."""
    tasks = [asyncio.create_task(worker.run()) for worker in running]
    told = asyncio.create_task(end.wait())
    _log.info("working on %s", ", ".join(worker.task_queue for worker in running))
    try:
        await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        begun = time.monotonic()
        # Side by side: each may take the whole time that running activities are given.
        await asyncio.gather(*(worker.shutdown() for worker in running), return_exceptions=True)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        _log.info("stopped after %.1f s", time.monotonic() - begun)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


def _for_workflows(queue: Queue, threads: ThreadPoolExecutor) -> dict[str, Any]:
    if queue is not Queue.INCIDENTS:
        return {}
    return {
        # The only activities that are not async.
        "activity_executor": threads,
        "max_concurrent_local_activities": THREADS,
        # Few at a time: a replay of many at once trips the detector of deadlocks.
        "max_concurrent_workflow_tasks": 20,
        "max_cached_workflows": 500,
    }


def _deployment(settings: WorkerSettings) -> WorkerDeploymentConfig | None:
    if not settings.build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment, settings.build_id),
        use_worker_versioning=True,
        # A fix reaches incidents that are open; `patched` keeps their histories valid.
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
