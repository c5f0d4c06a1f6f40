"""The bare minimum: a webhook that starts a workflow of one activity, which makes the same call."""

import asyncio
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from deploy.local.processes import Child, answers

QUEUE = "bare"


@workflow.defn
class Bare:
    """Makes one call."""

    @workflow.run
    async def run(self, event: dict[str, Any]) -> None:
        await workflow.execute_activity(
            "bare.call", event, start_to_close_timeout=timedelta(seconds=10)
        )


class Call:
    """The call, over a connection that is kept."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=5)

    @activity.defn(name="bare.call")
    async def call(self, event: dict[str, Any]) -> None:
        (await self._http.post("/v2/enqueue", json=event)).raise_for_status()


def process(address: str, pagerduty: str, port: int, *, log: Path) -> Child:
    """Give webhook and worker as one process."""
    command = [sys.executable, "-m", "tests.benchmarks.bare", address, pagerduty, str(port)]
    return Child("The bare minimum", command, log=log, ready=answers(webhook(port)))


def webhook(port: int) -> str:
    """Say where its webhook is."""
    return f"http://127.0.0.1:{port}/webhook"


async def work(address: str, pagerduty: str, port: str) -> None:
    client = await Client.connect(address)

    async def take(request: Request) -> Response:
        if request.method == "POST":
            event = await request.json()
            await client.start_workflow(Bare.run, event, id=uuid.uuid4().hex, task_queue=QUEUE)
        return Response()

    app = Starlette(routes=[Route("/webhook", take, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=int(port), log_config=None, access_log=False))
    calls = [Call(pagerduty).call]
    async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=calls):
        await server.serve()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:4]))
