"""What is measured: the real processes, and stand-ins that note when they are called."""

import asyncio
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from activities.alerts import SCOPE_LABELS, incident_id, indicator_of
from activities.causes import causes_of, symptoms_of
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.slack import CHANNELS, SlackStandIn
from deploy.local.processes import free_port
from deploy.local.stack import Stack
from starters.payload import SentAlert
from tests.benchmarks import bare
from workflows.procedures import PROCEDURES

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SLACK_TOKEN = "xoxb-0-0-benchmark"
LOOK_SECONDS = 0.02
QUIET_SECONDS = 0.5


class Stage:
    """The stack on a folder, with PagerDuty and Slack, and no platform to look at."""

    def __init__(self, folder: Path) -> None:
        self.pagerduty = PagerDutyStandIn([ROUTING_KEY])
        self.slack = SlackStandIn(SLACK_TOKEN)
        self.folder = folder
        self.stack: Stack
        self.client: Client
        self.http: httpx.AsyncClient
        self._bare = ""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        enter = self._open.enter_async_context
        await enter(self.pagerduty)
        await enter(self.slack)
        self.stack = await enter(Stack(self.folder, environment=self._environment()))
        self.client = await self.stack.client()
        self.http = await enter(httpx.AsyncClient(trust_env=False, timeout=10))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    async def bare(self) -> None:
        """Start the bare minimum beside it, for as long as the stage stands."""
        address, url = self.stack.temporal.address, self.pagerduty.url
        port, log = free_port(), self.folder / "logs" / "bare.log"
        await self._open.enter_async_context(bare.process(address, url, port, log=log))
        self._bare = bare.webhook(port)

    async def post_bare(self) -> str:
        """Have the bare minimum make the call that a page is, and give the page's key."""
        key = f"bare-{uuid.uuid4().hex}"
        event = {
            "routing_key": ROUTING_KEY,
            "event_action": "trigger",
            "dedup_key": key,
            "payload": {"summary": "The bare minimum", "severity": "critical", "source": "here"},
        }
        (await self.http.post(self._bare, json=event)).raise_for_status()
        return key

    def _environment(self) -> dict[str, str]:
        path = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **path,
            "RESPONDER_PAGERDUTY__BASE_URL": self.pagerduty.url,
            "RESPONDER_PAGERDUTY__ROUTING_KEY": ROUTING_KEY,
            "RESPONDER_SLACK__BASE_URL": self.slack.api_url,
            "RESPONDER_SLACK__TOKEN": SLACK_TOKEN,
            "RESPONDER_SLACK__CHANNELS": json.dumps(CHANNELS),
            # What it costs is measured, not for how long a symptom waits for its cause.
            "RESPONDER_POLICY__SYMPTOM_HOLD_SECONDS": "0",
        }

    async def post(self, alerts: list[dict[str, Any]]) -> int:
        """Deliver as Alertmanager does, and give the status of the answer; 0 where none came."""
        token = self.stack.token.get_secret_value()
        try:
            answer = await self.http.post(
                self.stack.webhook_url,
                json=delivery(alerts),
                headers={"Authorization": f"Bearer {token}"},
            )
        except httpx.TransportError:
            return 0
        return answer.status_code

    def pages(self) -> dict[str, float]:
        """Tell when each incident's first page arrived, by its id."""
        first: dict[str, float] = {}
        for event in self.pagerduty.events:
            if event.action == "trigger":
                first.setdefault(event.dedup_key.split("/")[0], event.at.timestamp())
        return first

    def posts(self) -> dict[str, float]:
        """Tell when each incident's Slack message was posted, by its id."""
        return {each.key.split("/")[0]: float(each.ts) for each in self.slack.roots()}

    async def until(self, what: Callable[[], bool], seconds: float) -> bool:
        """Look until it is so, or *seconds* have passed."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def quiet(self, seconds: float = QUIET_SECONDS) -> None:
        """Wait until nothing has been told to anybody for a moment."""
        before, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            await asyncio.sleep(LOOK_SECONDS)
            now = len(self.pagerduty.events) + sum(
                1 + len(each.history) for each in self.slack.messages()
            )
            if now != before:
                before, since = now, time.monotonic()

    async def opened(self, sent: list[dict[str, Any]]) -> list[str]:
        """List the incidents that Temporal has of these alerts, asked one by one."""
        ids = [
            incident_id(SentAlert.model_validate_json(json.dumps(each)).alert(SCOPE_LABELS))
            for each in sent
        ]
        places = asyncio.Semaphore(20)

        async def there(name: str) -> bool:
            async with places:
                try:
                    await self.client.get_workflow_handle(name).describe()
                except RPCError:
                    return False
                return True

        found = await asyncio.gather(*(there(name) for name in ids))
        return [name for name, known in zip(ids, found, strict=True) if known]

    async def end(self, incidents: list[str]) -> None:
        """End incidents that were measured, so that they do not disturb the next ones."""
        for at in range(0, len(incidents), 20):
            some = incidents[at : at + 20]
            handles = [self.client.get_workflow_handle(each) for each in some]
            await asyncio.gather(*(each.terminate("measured") for each in handles))

    def resident(self) -> dict[str, float]:
        """Tell the resident memory of each process in MiB."""
        return {name: _resident_mib(pid) for name, pid in self._pids().items()}

    def cpu_seconds(self) -> dict[str, float]:
        """Tell the processor time that each process has used."""
        return {name: _cpu_seconds(pid) for name, pid in self._pids().items()}

    def _pids(self) -> dict[str, int]:
        [worker] = self.stack.workers
        return {
            "worker": worker.pid,
            "door": self.stack.door.pid,
            "Temporal": self.stack.temporal.pid,
        }


def alerts(count: int, severity: str = "critical") -> list[dict[str, Any]]:
    """Make so many alerts, each of an incident of its own; none explains another.

    A symptom is not paged for until its cause is over: it would measure that wait alone.
    """
    batch = uuid.uuid4().hex[:8]
    names = [name for name in (each.__name__ for each in PROCEDURES) if not _related(name)]
    made = []
    for number in range(count):
        labels = {
            "alertname": names[number % len(names)],
            "severity": severity,
            "environment": "production",
            "service": f"service-{number}-{batch}",
        }
        said = f"{labels['alertname']} on {labels['service']}"
        made.append(
            {
                "status": "firing",
                "labels": labels,
                "annotations": {"summary": said, "description": f"{said} for five minutes."},
                "startsAt": datetime.now(UTC).isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
                "fingerprint": hashlib.sha256(said.encode()).hexdigest()[:16],
            }
        )
    return made


def _related(alert: str) -> bool:
    indicator = indicator_of(alert)
    return bool(causes_of(indicator) or symptoms_of(indicator))


def delivery(alerts: list[dict[str, Any]]) -> dict[str, Any]:
    """Put alerts into one POST as Alertmanager does."""
    return {
        "version": "4",
        "groupKey": '{}:{service="benchmark"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "responder",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    }


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
