"""Looks at Temporal, and whether somebody works."""

from __future__ import annotations

import asyncio

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import Refused, Unavailable
from workers.checks.check import Check, Seen
from workers.connection import connect, temporal_config
from workers.pollers import pollers
from workers.search_attributes import missing
from workflows.efforts import Queue

_LOST = {
    Queue.INCIDENTS: "incidents stand still",
    Queue.PROBES: "nothing is measured",
    Queue.MESSAGES: "nobody is told",
    Queue.PAGES: "nobody is woken",
    Queue.CHANGES: "no step is taken",
}
"""What happens while nobody works on a queue."""


class TemporalCheck(Check):
    """Whether Temporal answers, knows our search attributes, and has a worker on each queue."""

    name = "Temporal"
    setting = "TEMPORAL_ADDRESS"

    @property
    def configured(self) -> bool:
        """It has a usual address."""
        return True

    async def look(self) -> Seen:
        """Ask for the namespace, its search attributes, and who asks for work."""
        client = await connect(self.settings.codec, role="doctor")
        try:
            kept = await _kept(client)
            lacks = await missing(client)
            found = await asyncio.gather(*(pollers(client, queue) for queue in Queue))
        except RPCError as error:
            raise _said(error, client.namespace) from None
        todo = []
        if lacks:
            todo.append(
                f"the namespace lacks the search attributes {', '.join(lacks)}, so that no "
                "incident can be opened: `responder register` adds them"
            )
        todo += [
            f"no worker asks for work on `{queue}`, so that {_LOST[queue]}: "
            f"`responder worker --queue {queue}` runs one"
            for queue, names in zip(Queue, found, strict=True)
            if not names
        ]
        where = f"{temporal_config()['target_host']}, namespace {client.namespace}"
        workers = len({name for names in found for name in names})
        return Seen(f"{where}, {workers} workers; closed incidents are kept {kept}", tuple(todo))


async def _kept(client: Client) -> str:
    asked = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(asked)
    days = answer.config.workflow_execution_retention_ttl.ToTimedelta().days
    return f"{days} days" if days else "less than a day"


def _said(error: RPCError, namespace: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return Refused(f"Temporal has no namespace {namespace!r}: TEMPORAL_NAMESPACE names another")
    if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
        return Refused(
            f"Temporal refuses our key on namespace {namespace!r} ({error.status.name}): "
            "TEMPORAL_API_KEY, or the certificate, needs the right to read and write there"
        )
    return Unavailable(f"Temporal answered {error.status.name}")
