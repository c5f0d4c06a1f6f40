"""A world for incidents to happen in: everything outside is scripted, the lifecycle is real."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.alerts import Alert, Notice, incident_id
from activities.errors import Ambiguous, Refused, Unavailable
from activities.incidents import Incidents
from activities.record import Record
from activities.verification import Condition, Sample, Verdict, Verification, Watch
from activities.words import Risk, Severity
from starters.opening import attributes
from tests.lifecycle.drills import DRILLS
from tests.lifecycle.neighbourhood import Neighbourhood
from workers.people import KnowsPeople
from workflows.acts import Act, ActKind, PersonAct
from workflows.autonomy import Autonomy
from workflows.consult import Consultation, Consulted, Library
from workflows.coordinator import Coordinator
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.opening import Opening
from workflows.policy import Policy, Rights
from workflows.post_incident import PostIncident
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given, Procedure
from workflows.sandbox import runner
from workflows.weekly import WeeklySummary

EVERY_RISK = tuple(Risk)
PEOPLE = {
    "dana": Rights(approves=EVERY_RISK),
    "lee": Rights(approves=EVERY_RISK),
    "robin": Rights(),
    "mallory": Rights(responder=False),
}
POLICY = Policy(
    people=PEOPLE,
    mentions={"on-call": "S0ONCALL", "engineering-lead": "U0LEAD"},
    symptom_hold_seconds=0,
)
QUICK = POLICY.model_copy(
    update={
        "verify_seconds": 60,
        "settle_seconds": 60,
        "undo_verify_seconds": 60,
        "unsent_after_close_seconds": 60,
    }
)
"""The same decisions with shorter watches, for tests that are not about their length."""

BROKEN: dict[str, Callable[[], BaseException]] = {
    "refused": lambda: Refused("the far side said no"),
    "unavailable": lambda: Unavailable("the far side is down"),
    "ambiguous": lambda: Ambiguous("the answer was lost"),
    "crashed": lambda: RuntimeError("a bug in the adapter"),
}


_numbers = count(1)
"""Every incident has a service of its own: nothing of one test reaches the next."""


def alert(
    name: str = "RedisConnectionFailure",
    *,
    service: str = "",
    severity: Severity | str | None = Severity.CRITICAL,
    fingerprint: str = "",
    status: str = "firing",
    starts_at: datetime | None = None,
    expression: str = "redis_up == 0",
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> Alert:
    service = service or f"service-{next(_numbers)}"
    named = {"alertname": name, "service": service, "environment": "test", **labels}
    if severity is not None:
        named["severity"] = str(severity)
    return Alert(
        fingerprint=fingerprint or f"{name}-{service}"[-64:],
        name=name,
        status=status,
        starts_at=starts_at or datetime.now(UTC),
        labels=named,
        annotations={"summary": f"{name} fires"} if annotations is None else annotations,
        expression=expression,
    )


def resolved(before: Alert, **changes: Any) -> Alert:
    return before.model_copy(update={"status": "resolved", **changes})


def later(before: Alert, **span: float) -> Alert:
    """The same alert, firing anew so much later."""
    return before.model_copy(
        update={"status": "firing", "starts_at": before.starts_at + timedelta(**span)}
    )


class World:
    """What is out there for one incident. Tests change it, and look at what was done to it."""

    def __init__(self, town: "Town") -> None:
        self.town = town
        self.library = town.library
        self.calls: list[tuple[str, list[Any]]] = []
        self.up: bool | None = False
        """Whether the watched condition is good; None is no data."""
        self.cures: dict[str, bool] = {"host.restart_service": True}
        """What a change makes of the condition; others change nothing."""
        self.listed: set[str] | None = None
        """Fingerprints that Alertmanager lists; None is an answer that was cut."""
        self.expression: bool | None = None
        self.fails: dict[str, list[BaseException] | Callable[[], BaseException]] = {}
        self.slow: dict[str, asyncio.Event] = {}
        """Activities that wait until the test lets them go on."""
        self.looks: list[bool | None] = []
        """The next looks at the condition, before `up` is asked."""
        self.values: list[float] = []
        self.switches: dict[str, str | None] = {}
        self.replicas = 2
        self.rate = {"now": 100.0, "before": 100.0}
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
    def entries(self) -> list[str]:
        """What stands in the Slack thread: an entry that was sent twice stands there once."""
        once = {order["entry"]["key"]: order["entry"] for order in self.orders("slack.post_entry")}
        return [
            "\n".join([entry["title"], *(part["text"] for part in entry["parts"])])
            for entry in once.values()
        ]

    @property
    def said(self) -> str:
        return "\n".join(self.entries)

    @property
    def root(self) -> dict[str, Any]:
        """What the root message shows."""
        shown = [
            order["glance"]
            for name, [order, *_] in self.calls
            if name in ("slack.post_root", "slack.update_root")
        ]
        return shown[-1]

    @property
    def changes(self) -> list[str]:
        """Every change that was applied or undone, in order."""
        return [name for name, _ in self.calls if name.removesuffix(".undo") in CHANGES]

    # The activities

    async def meet(self, name: str) -> None:
        """Do to an activity what the test wants: let it wait, let it fail."""
        if name in self.slow:
            while not self.slow[name].is_set():
                activity.heartbeat()
                await asyncio.sleep(0.02)
        failing = self.fails.get(name)
        if callable(failing):
            raise failing()
        if failing:
            raise failing.pop(0)

    async def call(self, name: str, arguments: list[Any]) -> Any:
        self.calls.append((name, arguments))
        await self.meet(name)
        answer = self.answers.get(name)
        if answer is None:
            said = f"nothing answers {name} here"
            raise ApplicationError(said, type="Refused", non_retryable=True)
        self.up = self.cures.get(name, self.up)
        return answer(*arguments)

    async def look(self, condition: Condition) -> Sample:
        good = self.looks.pop(0) if self.looks else self.up
        value = self.values.pop(0) if self.values else None
        return Sample(at=datetime.now(UTC), good=good, value=value, note=f"looks {good}")

    def _paged(self, order: dict[str, Any]) -> Any:
        return {"dedup_key": order["dedup_key"], "route": order.get("route", "default"), "said": ""}

    _on_pagerduty__page = _on_pagerduty__acknowledge = _on_pagerduty__resolve = _paged

    def _on_slack__post_root(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": f"1.{self.count('slack.post_root')}"}

    def _on_slack__update_root(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": order["ts"]}

    def _on_slack__post_entry(self, order: dict[str, Any]) -> Any:
        return {"channel_id": "C1", "ts": f"2.{len(self.calls)}"}

    _on_slack__post_chart = _on_slack__update_entry = _on_slack__post_entry

    def _on_incidents__earlier(self, ask: Any) -> Any:
        return {}

    def _on_coordination__take_turn(self, ask: Any) -> Any:
        return {"granted": True}

    _on_incidents__open = _on_coordination__give_back = _on_incidents__earlier

    def _on_alertmanager__open_alerts(self, ask: dict[str, Any]) -> Any:
        alerts = [
            {"fingerprint": f, "labels": {}, "starts_at": _now(), "state": "active"}
            for f in self.listed or ()
        ]
        return {"alerts": alerts, "truncated": 1 if self.listed is None else 0}

    def _on_prometheus__alert_state(self, ask: dict[str, Any]) -> Any:
        return {"holds": self.expression}

    def _on_prometheus__value(self, ask: dict[str, Any]) -> Any:
        expression = ask["expression"]
        value = 2.0
        if "http_requests_total" in expression:
            value = self.rate["before" if "offset" in expression else "now"]
        if "memory" in expression:
            value = 0.0
        return {"value": value, "at": _now()}

    def _on_prometheus__series(self, ask: dict[str, Any]) -> Any:
        return {"series": [{"labels": {"kind": "select"}, "value": 0.02}]}

    def _on_redis__ping(self, ask: Any) -> Any:
        finding = "" if self.up else "refused"
        return {"answered": bool(self.up), "finding": finding, "milliseconds": 1.0}

    def _on_host__redis_ping(self, ask: Any) -> Any:
        return {"answered": bool(self.up), "finding": "" if self.up else "refused"}

    def _on_host__redis_service(self, ask: Any) -> Any:
        return {
            "loaded": True, "state": "failed", "result": "signal", "pid": 0, "self_hosted": True,
        }  # fmt: skip

    def _on_status_pages__status(self, ask: dict[str, Any]) -> Any:
        page = "https://status.example.com"
        said = "all components are operational"
        return {**ask, "state": "operational", "said": said, "url": page}

    def _on_host__recent_deployment(self, ask: Any) -> Any:
        last = {"at": _now(), "release": "r42", "author": "sam"}
        return {"last": [last], "newest_minutes_ago": 30.0}

    def _on_host__capacity(self, ask: Any) -> Any:
        return {
            "cores": 8, "load_1m": 1.0, "cpu_busy_ratio": 0.1, "memory_total_bytes": 32 << 30,
            "memory_available_bytes": 24 << 30, "disk_total_bytes": 1 << 40,
            "disk_free_ratio": 0.6,
        }  # fmt: skip

    def _on_postgres__connections(self, ask: Any) -> Any:
        used = 170 if self.sessions else 40
        return {"used": used, "max": 200, "reserved": 3, "used_ratio": used / 200}

    def _on_postgres__long_running(self, ask: Any) -> Any:
        return {"sessions": self.sessions}

    def _on_processes__list(self, ask: Any) -> Any:
        one = {"pid": 1, "status": "online", "restarts": 0, "memory_bytes": 200 << 20}
        return {
            "app": "pravado-api",
            "instances": [{"id": number, **one} for number in range(self.replicas)],
            "environment": {"DB_POOL_MAX": "20"},
        }

    def _on_host__restart_service__read(self, order: Any) -> Any:
        return {"pid": 7, "state": "failed", "clock": _now()}

    def _on_host__restart_service(self, order: Any, before: Any) -> Any:
        return {"said": "redis was restarted: pid 7 is now 8"}

    def _on_processes__rolling_restart__read(self, order: Any) -> Any:
        return {"instances": []}

    def _on_processes__rolling_restart(self, order: Any, before: Any) -> Any:
        return {"said": "restarted one after the other"}

    def _on_processes__scale__read(self, order: Any) -> Any:
        return {"count": self.replicas}

    def _on_processes__scale(self, order: Any, before: Any) -> Any:
        self.replicas = max(self.replicas, order["replicas"])
        return {"said": f"{before['count']} instances are now {self.replicas}"}

    def _on_processes__scale__undo(self, order: Any, before: Any) -> Any:
        self.replicas = before["count"]
        return {"said": f"back to {before['count']} instances"}

    def _on_switches__set__read(self, order: Any) -> Any:
        return {"values": {name: self.switches.get(name) for name in order["values"]}}

    def _on_switches__set(self, order: Any, before: Any) -> Any:
        self.switches.update(order["values"])
        return {"said": f"set {order['values']}"}

    def _on_switches__set__undo(self, order: Any, before: Any) -> Any:
        self.switches.update(before["values"])
        return {"said": f"back to {before['values']}"}

    def _on_postgres__cancel__read(self, order: Any) -> Any:
        return {"backends": []}

    _on_postgres__terminate__read = _on_postgres__cancel__read

    def _on_postgres__cancel(self, order: Any, before: Any) -> Any:
        return {"said": f"cancelled {len(order['sessions'])} statements"}

    def _on_postgres__terminate(self, order: Any, before: Any) -> Any:
        return {"said": f"terminated {len(order['sessions'])} backends"}

    def _on_report__write(self, order: Any) -> Any:
        return {"markdown": "/reports/incident.md", "html": "/reports/incident.html"}


CHANGES = frozenset({
    "host.restart_service", "processes.rolling_restart", "processes.scale", "switches.set",
    "postgres.cancel", "postgres.terminate",
})  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat()


class Town(Neighbourhood):
    """Workers on a Temporal server, and a world of its own for each of the incidents there."""

    posts: Sequence[Callable[..., Any]] = ()
    """Activities that post for real, where there is something to post to."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self.env = env
        self.usual = self.library = library(*PROCEDURES, *DRILLS)
        self.worlds: dict[str, World] = {}
        self.stories: list[Story] = []
        self._workers: dict[Queue, Worker] = {}
        self.running: dict[Queue, asyncio.Task[None]] = {}
        self._threads = ThreadPoolExecutor(8)

    async def __aenter__(self) -> Self:
        for queue in Queue:
            self._start(queue)
        return self

    async def __aexit__(self, *error: object) -> None:
        for queue in Queue:
            await self._stop(queue)
        self._threads.shutdown(wait=False)

    @asynccontextmanager
    async def without(self, queue: Queue) -> AsyncIterator[None]:
        """A town whose worker of *queue* is gone for a while."""
        await self._stop(queue)
        try:
            yield
        finally:
            self._start(queue)

    async def anew(self) -> None:
        """Begin with new workers: one of the old may have died of what a test did."""
        for queue in Queue:
            with suppress(Exception):
                async with asyncio.timeout(10):
                    await self._stop(queue)
            self._start(queue)

    def _start(self, queue: Queue) -> None:
        own: dict[str, Any] = {"activities": [self.anything]}
        if queue is Queue.MESSAGES:
            own["activities"] = [self.anything, *self.posts]
        if queue is Queue.INCIDENTS:
            own = {
                "workflows": [Incident, PostIncident, Coordinator, Autonomy, WeeklySummary],
                "activities": [self.consult],
                "activity_executor": self._threads,
                "workflow_runner": runner(),
                "interceptors": [KnowsPeople(POLICY)],
            }
        if queue is Queue.PROBES:
            own["activities"] = [self.anything, self.watch, self.earlier, *self.meetings]
        # A time-out for shutting down: an activity of a test that has failed may wait for ever.
        worker = Worker(
            self.env.client,
            task_queue=queue,
            graceful_shutdown_timeout=timedelta(seconds=0.2),
            **own,
        )
        self._workers[queue] = worker
        self.running[queue] = asyncio.create_task(worker.run())

    async def _stop(self, queue: Queue) -> None:
        await self._workers.pop(queue).shutdown()
        await self.running.pop(queue)

    def world_of(self, workflow_id: str) -> World:
        return self.worlds[workflow_id.partition("/")[0]]

    @activity.defn(name="consult")
    def consult(self, ask: Consultation) -> Consulted:
        return self.world_of(activity.info().workflow_id).library.consult(ask)

    @activity.defn(name="verification.watch")
    async def watch(self, ask: Watch) -> Verdict:
        world = self.world_of(activity.info().workflow_id)
        world.calls.append(("verification.watch", [ask.model_dump(mode="json")]))
        await world.meet("verification.watch")
        looks = {"below": world.look, "answering": world.look, "every": world.look}
        return await Verification(looks).watch(ask)

    @activity.defn(name="incidents.earlier")
    async def earlier(self, ask: Any) -> Any:
        """The real one where a test wants it: it asks the real Temporal."""
        world = self.world_of(activity.info().workflow_id)
        if "incidents.earlier" in world.answers:
            return await world.call("incidents.earlier", [ask])
        from activities.incidents import EarlierIncident

        return await Incidents().earlier(EarlierIncident.model_validate(ask))

    @activity.defn(dynamic=True)
    async def anything(self, raw: Sequence[RawValue]) -> Any:
        convert = activity.payload_converter()
        arguments = [convert.from_payload(value.payload, Any) for value in raw]
        info = activity.info()
        return await self.world_of(info.workflow_id).call(info.activity_type, arguments)

    async def fire(
        self, *alerts: Alert, policy: Policy = POLICY, world: World | None = None
    ) -> "Story":
        """Let alerts come in as the door does: by signal-with-start."""
        name = incident_id(alerts[0])
        if world is not None:
            self.worlds[name] = world
        self.worlds.setdefault(name, World(self))
        handle = await self.env.client.start_workflow(
            Incident.run,
            Opening(policy=policy, first=alerts[0]),
            id=name,
            task_queue=Queue.INCIDENTS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alerts",
            start_signal_args=[Notice(alerts=alerts)],
            search_attributes=attributes(alerts[0], "test"),
        )
        story = Story(self, handle, alerts[0])
        self.stories.append(story)
        return story

    async def clear(self) -> None:
        """End what a test has left."""
        for story in self.stories:
            run = story.handle.first_execution_run_id
            for left in (story.id, *(f"{story.id}/after/{run}-{n}" for n in (1, 2))):
                with suppress(RPCError):
                    await self.env.client.get_workflow_handle(left).terminate("the test is over")
            for event in story.world.slow.values():
                event.set()
        self.stories.clear()


def library(*procedures: type[Procedure], given: Given | None = None) -> Library:
    return Library(procedures, given or Given(redis_persists=True))


class Story:
    """One incident, told to and asked by the test."""

    def __init__(self, town: Town, handle: WorkflowHandle[Any, Any], first: Alert) -> None:
        self.town = town
        self.handle = handle
        self.id = handle.id
        self.alert = first
        self.world = town.worlds[handle.id]
        self._acts = Counter[str]()

    async def record(self) -> Record:
        while True:
            try:
                return await self.handle.query(Incident.record)
            except RPCError as error:
                if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise
                await asyncio.sleep(0.02)  # it is just continuing as new

    async def notice(self, *alerts: Alert, incomplete: bool = False) -> None:
        notice = Notice(alerts=alerts, incomplete=incomplete)
        await self._open.signal(Incident.alerts, notice)

    async def over(self) -> None:
        """Alertmanager says that the alert has resolved."""
        await self.notice(resolved(self.alert))

    @property
    def _open(self) -> WorkflowHandle[Any, Any]:
        """The handle of the newest run: the first one's stays with the first."""
        return self.town.env.client.get_workflow_handle(self.id)

    def _act(self, kind: str, by: str, more: dict[str, Any]) -> Act:
        self._acts[kind] += 1
        more.setdefault("id", f"{self.id}-{kind}-{by}-{self._acts[kind]}")
        return Act(by=by, via="cli", **more)

    async def act(self, kind: str, by: str = "dana", **more: Any) -> str:
        act = self._act(kind, by, more)
        return await self._open.execute_update(
            kind.replace("-", "_"), act, id=act.id, result_type=str
        )

    async def act_later(self, kind: str, by: str = "dana", **more: Any) -> None:
        """The same act as a signal: what is sent when no worker answered."""
        person = PersonAct(kind=ActKind(kind), act=self._act(kind, by, more))
        await self._open.signal("person", person)

    async def until(self, what: Callable[[Record], bool], seconds: float = 60.0) -> Record:
        """Wait, in real time, until the record is as asked: for what needs no clock to move."""
        end, pause = time.monotonic() + seconds, 0.02
        while not what(last := await self.record()):
            assert time.monotonic() < end, f"it never came true\n{told(last)}"
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 0.2)  # every look is work for those who are looked at
        return last

    async def pass_time(self, **span: float) -> Record:
        """Let virtual time pass, as much as it lives."""
        with suppress(RPCError):  # it has ended already
            await self.town.env.fast_forward(self.handle, timedelta(**span))
        return await self.record()

    async def ends(self) -> Any:
        """Let virtual time pass until the incident has ended."""
        with suppress(RPCError):  # it has ended already
            await self.town.env.fast_forward(self.handle)
        return await self.handle.result()


def told(record: Record) -> str:
    """The timeline, in minutes from the first contact."""
    zero = record.told_at or record.opened_at
    lines = [f"phase {record.phase}, asks {record.asks!r}"]
    lines += [
        f"{(e.at - zero).total_seconds() / 60:7.2f} {e.kind:12} {e.by}: {e.text}"
        for e in record.timeline
    ]
    return "\n".join(lines)


def minutes(record: Record, kind: str, since: datetime | None = None) -> list[tuple[int, str]]:
    """What stands in the timeline of one kind, in whole minutes from the first contact.

    The last look of a window is up to one interval before its end: 20 seconds count as there.
    """
    zero = since or record.told_at or record.opened_at
    return [
        (int((entry.at - zero).total_seconds() + 20) // 60, entry.text)
        for entry in record.timeline
        if entry.kind == kind
    ]
