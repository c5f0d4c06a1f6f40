"""A world for incidents to happen in: every outside activity, scripted; the lifecycle itself is the real one."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.alerts import Alert, Notice, incident_id
from activities.errors import Ambiguous, Refused, Unavailable
from activities.record import Record
from activities.verification import Condition, Sample, Verification
from activities.words import Risk, Severity
from workflows.acts import Act
from workflows.consult import Library
from workflows.efforts import Queue
from workflows.incident import Incident, Opening
from workflows.policy import Policy, Rights
from workflows.post_incident import PostIncident
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given, Procedure
from workflows.sandbox import runner

NOW = datetime.now(UTC).replace(microsecond=0)
EVERY_RISK = tuple(Risk)
PEOPLE = {
    "dana": Rights(approves=EVERY_RISK),
    "lee": Rights(approves=EVERY_RISK),
    "robin": Rights(),
    "mallory": Rights(responder=False),
}
POLICY = Policy(people=PEOPLE)

BROKEN: dict[str, Callable[[], BaseException]] = {
    "refused": lambda: Refused("the far side said no"),
    "unavailable": lambda: Unavailable("the far side is down"),
    "ambiguous": lambda: Ambiguous("the answer was lost"),
    "crashed": lambda: RuntimeError("a bug in the adapter"),
}


def alert(
    name: str = "RedisConnectionFailure",
    *,
    service: str = "redis",
    severity: Severity | None = Severity.CRITICAL,
    fingerprint: str = "",
    status: str = "firing",
    starts_at: datetime | None = None,
    **labels: str,
) -> Alert:
    named = {"alertname": name, "service": service, "environment": "test", **labels}
    if severity is not None:
        named["severity"] = severity.value
    return Alert(
        fingerprint=fingerprint or f"{name}-{service}",
        name=name,
        status=status,
        starts_at=starts_at or datetime.now(UTC),
        labels=named,
        annotations={"summary": f"{name} fires"},
        expression="redis_up == 0",
    )


class World:
    """What is out there. Tests change it, and look at what was done to it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []
        self.up = False
        """Whether the watched condition is good; None is no data."""
        self.restart_helps = True
        self.persists = True
        self.firing: set[str] | None = None
        """Fingerprints that Alertmanager lists; None is whatever fires by the incident's own account."""
        self.expression: bool | None = None
        self.fails: dict[str, list[BaseException] | Callable[[], BaseException]] = {}
        self.slow: dict[str, float] = {}
        self.looks: list[bool | None] = []
        """The next looks at the condition, before `up` is asked."""
        self.values: list[float] = []
        self.switches: dict[str, str | None] = {}
        self.replicas = 2
        self.sessions: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[..., Any]] = {
            name.removeprefix("_on_").replace("__", "."): getattr(self, name)
            for name in dir(self)
            if name.startswith("_on_")
        }

    # What was done

    def count(self, name: str) -> int:
        return sum(1 for called, _ in self.calls if called == name)

    def orders(self, name: str) -> list[Any]:
        return [arguments[0] for called, arguments in self.calls if called == name]

    @property
    def pages(self) -> list[tuple[str, str]]:
        """Level and urgency of each page, once for each deduplication key."""
        seen: dict[str, tuple[str, str]] = {}
        for order in self.orders("pagerduty.page"):
            seen.setdefault(order["dedup_key"], (order["level"], order["urgency"]))
        return list(seen.values())

    @property
    def said(self) -> str:
        """Everything that stands in the Slack thread."""
        entries = [order["entry"] for order in self.orders("slack.post_entry")]
        return "\n".join(
            "\n".join([entry["title"], *(part["text"] for part in entry["parts"])])
            for entry in entries
        )

    @property
    def changes(self) -> list[str]:
        """Every change that was applied or undone, in order."""
        made = ("host.restart_service", "switches.set", "processes.", "postgres.c", "postgres.t")
        return [
            name
            for name, _ in self.calls
            if name.startswith(made) and not name.endswith((".read", ".list", "connections"))
        ]

    # The activities

    @activity.defn(dynamic=True)
    async def anything(self, raw: Sequence[RawValue]) -> Any:
        name = activity.info().activity_type
        convert = activity.payload_converter()
        arguments = [convert.from_payload(value.payload, Any) for value in raw]
        self.calls.append((name, arguments))
        if name in self.slow:
            await asyncio.sleep(self.slow[name])
        failing = self.fails.get(name)
        if callable(failing):
            raise failing()
        if failing:
            raise failing.pop(0)
        answer = self.answers.get(name)
        if answer is None:
            raise ApplicationError(
                f"nothing answers {name} here", type="Refused", non_retryable=True
            )
        return answer(*arguments)

    async def look(self, condition: Condition) -> Sample:
        good = self.looks.pop(0) if self.looks else self.up
        value = self.values.pop(0) if self.values else None
        return Sample(at=datetime.now(UTC), good=good, value=value, note=f"looks {good}")

    def _on_pagerduty__page(self, order: dict[str, Any]) -> Any:
        return {"dedup_key": order["dedup_key"], "route": "default", "said": "paged"}

    def _on_pagerduty__acknowledge(self, order: dict[str, Any]) -> Any:
        return {"dedup_key": order["dedup_key"], "route": "default", "said": "acknowledged"}

    def _on_pagerduty__resolve(self, order: dict[str, Any]) -> Any:
        return {"dedup_key": order["dedup_key"], "route": "default", "said": "resolved"}

    def _on_slack__post_root(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": f"1.{self.count('slack.post_root')}"}

    def _on_slack__update_root(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": order["ts"]}

    def _on_slack__post_entry(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": f"2.{len(self.calls)}"}

    _on_slack__post_chart = _on_slack__post_entry

    def _on_alertmanager__open_alerts(self, ask: dict[str, Any]) -> Any:
        listed = [] if self.firing is None else self.firing
        alerts = [
            {"fingerprint": f, "labels": {}, "starts_at": NOW.isoformat(), "state": "active"}
            for f in listed
        ]
        return {"alerts": alerts, "truncated": 1 if self.firing is None else 0}

    def _on_prometheus__alert_state(self, ask: dict[str, Any]) -> Any:
        return {"holds": self.expression}

    def _on_redis__ping(self, ask: Any) -> Any:
        finding = "" if self.up else "refused"
        return {"answered": bool(self.up), "finding": finding, "milliseconds": 1.0}

    def _on_host__redis_ping(self, ask: Any) -> Any:
        return {"answered": bool(self.up), "finding": "" if self.up else "refused"}

    def _on_host__redis_service(self, ask: Any) -> Any:
        return {
            "loaded": True,
            "state": "failed",
            "result": "signal",
            "pid": 0,
            "self_hosted": True,
        }

    def _on_host__recent_deployment(self, ask: Any) -> Any:
        return {"last": [], "newest_minutes_ago": None}

    def _on_host__restart_service__read(self, order: Any) -> Any:
        return {"pid": 7, "state": "failed", "clock": NOW.isoformat()}

    def _on_host__restart_service(self, order: Any, before: Any) -> Any:
        if self.restart_helps:
            self.up = True
        return {"said": "redis was restarted: pid 7 is now 8"}

    def _on_switches__set__read(self, order: Any) -> Any:
        return {"values": {name: self.switches.get(name) for name in order["values"]}}

    def _on_switches__set(self, order: Any, before: Any) -> Any:
        self.switches.update(order["values"])
        return {"said": f"set {order['values']}"}

    def _on_switches__set__undo(self, order: Any, before: Any) -> Any:
        self.switches.update(before["values"])
        return {"said": f"back to {before['values']}"}

    def _on_report__write(self, order: Any) -> Any:
        return {"markdown": "/reports/incident.md", "html": "/reports/incident.html"}


class Town:
    """A Temporal server with workers, a world, and the incidents that happen in it."""

    def __init__(
        self,
        env: WorkflowEnvironment,
        world: World,
        procedures: tuple[type[Procedure], ...] = PROCEDURES,
        given: Given | None = None,
    ) -> None:
        self.env = env
        self.world = world
        self.library = Library(procedures, given or Given(redis_persists=True))
        self._handles: list[WorkflowHandle[Any, Any]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Town":
        await self._stack.__aenter__()
        verification = Verification({"below": self.world.look, "answering": self.world.look})
        threads = self._stack.enter_context(ThreadPoolExecutor(4))
        client = self.env.client
        for queue in Queue:
            own: dict[str, Any] = {"activities": [self.world.anything]}
            if queue is Queue.INCIDENTS:
                own = {
                    "workflows": [Incident, PostIncident],
                    "activities": [self.library.consult],
                    "activity_executor": threads,
                    "workflow_runner": runner(),
                }
            if queue is Queue.PROBES:
                own["activities"] = [self.world.anything, verification.watch]
            await self._stack.enter_async_context(Worker(client, task_queue=queue, **own))
        return self

    async def __aexit__(self, *error: object) -> None:
        for handle in self._handles:
            try:
                await handle.terminate("the test is over")
            except Exception:  # noqa: BLE001, S110 - it has ended by itself
                pass
        await self._stack.aclose()

    async def fire(self, *alerts: Alert, policy: Policy = POLICY) -> "Story":
        """Let alerts come in as the door does: by signal-with-start."""
        opening = Opening(policy=policy, first=alerts[0])
        notice = Notice(alerts=alerts)
        handle = await self.env.client.start_workflow(
            Incident.run,
            opening,
            id=incident_id(alerts[0]),
            task_queue=Queue.INCIDENTS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alerts",
            start_signal_args=[notice],
        )
        self._handles.append(handle)
        return Story(self, handle)


class Story:
    """One incident, told to and asked by the test."""

    def __init__(self, town: Town, handle: WorkflowHandle[Any, Any]) -> None:
        self.town = town
        self.handle = handle
        self._acts = Counter[str]()

    async def record(self) -> Record:
        return await self.handle.query(Incident.record)

    async def notice(self, *alerts: Alert, incomplete: bool = False) -> None:
        await self.handle.signal(Incident.alerts, Notice(alerts=alerts, incomplete=incomplete))

    async def act(self, kind: str, by: str = "dana", **more: Any) -> str:
        self._acts[kind] += 1
        more.setdefault("id", f"{self.handle.id}-{kind}-{by}-{self._acts[kind]}")
        act = Act(by=by, via="cli", **more)
        return await self.handle.execute_update(kind, act, id=act.id, result_type=str)

    async def until(self, what: Callable[[Record], bool], seconds: float = 10.0) -> Record:
        """Wait, in real time, until the record is as asked: for what needs no clock to move."""
        last = await self.record()
        for _ in range(int(seconds / 0.05)):
            if what(last):
                return last
            await asyncio.sleep(0.05)
            last = await self.record()
        lines = "\n".join(f"{e.at:%H:%M:%S} {e.kind} {e.by}: {e.text}" for e in last.timeline)
        raise AssertionError(f"it never came true; phase {last.phase}\n{lines}")

    async def pass_time(self, **span: float) -> Record | None:
        """Let virtual time pass; None once the incident has ended."""
        await self.town.env.fast_forward(self.handle, timedelta(**span))
        return await self.record()

    async def ends(self) -> Any:
        await self.town.env.fast_forward(self.handle)
        return await self.handle.result()
