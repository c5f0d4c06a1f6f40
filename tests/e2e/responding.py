"""One incident of a game day, followed from outside, also while parts of the responder are dead."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.service import RPCError

from activities.record import Phase, StepState
from deploy.gameday.outside import ENGINEER
from deploy.gameday.scenarios import SCENARIOS
from starters.acting import NotTaken, act
from starters.finding import NoWorker, record_of
from tests.gameday.watching import until, well
from workers.connection import unreachable
from workflows.acts import Act, ActKind
from workflows.case import PHASE

LOOK_SECONDS = 0.02
ENDED_WELL = {StepState.HELPED, StepState.DONE, StepState.PLANNED, StepState.UNDONE}
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED

_log = logging.getLogger(__name__)


class Seen:
    """What Temporal alone knows of an incident: no worker is needed."""

    def __init__(self, description):
        self.run = description.run_id
        self.phase = description.typed_search_attributes.get(PHASE) or ""
        pending = description.raw_description.pending_activities
        self.at_work = {each.activity_type.name: each for each in pending if each.state == STARTED}
        self.watches = any(
            each.activity_type.name == "verification.watch" and each.HasField("heartbeat_details")
            for each in pending
        )


CHANGES = {
    "redis": "host.restart_service",
    "connections": "postgres.cancel",
    "latency": "processes.scale",
}
"""The first change of each scenario."""

MOMENTS = {
    # Not shown in the lists, which it would be over for before anybody saw it.
    Phase.INVESTIGATING: lambda seen: "processes.list" in seen.at_work,
    Phase.ASKING: lambda seen: seen.phase == Phase.ASKING,
    Phase.MITIGATING: lambda seen: {*CHANGES.values()} & {*seen.at_work},
    Phase.VERIFYING: lambda seen: seen.phase == Phase.VERIFYING and seen.watches,
    Phase.SETTLING: lambda seen: seen.phase == Phase.SETTLING and seen.watches,
    Phase.UNDOING: lambda seen: "processes.scale.undo" in seen.at_work,
    Phase.DOCUMENTING: lambda seen: "report.write" in seen.at_work,
}
"""When an incident is in the midst of a phase."""


class Incident:
    """One fault, and the incident that comes of it."""

    def __init__(self, day, client, scenario):
        self.day, self.client = day, client
        self.scenario = SCENARIOS[scenario]
        self.platform = day.platform
        self.id = self.run = ""
        self.may_approve = asyncio.Event()
        self._engineer = None
        self._known = set()
        self._commands = len(self.platform.commands())
        self._postgres = self.platform.postgres_log.stat().st_size

    async def __aenter__(self):
        self._known = {run async for run in self._runs()}
        return self

    async def __aexit__(self, *error):
        if self._engineer is not None:
            fell = self._engineer.done()
            self._engineer.cancel()
            await asyncio.wait([self._engineer])
            if fell:
                self._engineer.result()  # nobody was on call any more: say why

    async def breaks(self):
        """Break the platform; from then on an engineer is on call."""
        await asyncio.sleep(self.scenario.normal_seconds)
        await self.scenario.breaks(self.day)
        self._engineer = asyncio.create_task(self._take_part())

    async def stands(self, phase, within=60.0):
        """Wait until the response is in a phase; give the record."""
        async with asyncio.timeout(within):
            while True:
                with contextlib.suppress(NoWorker):
                    record = await self.record()
                    if record.phase is phase:
                        return record
                await asyncio.sleep(0.1)

    async def does(self, kind, text=""):
        """Do what a person does to it."""
        given = Act(id=uuid.uuid4().hex, by=ENGINEER, via="cli", text=text)
        return await act(self.client, self.id, kind, given)

    async def opens(self):
        """Wait until Temporal knows of the incident."""
        async with asyncio.timeout(40):
            while not self.run:
                with contextlib.suppress(RPCError):
                    async for each in self.client.list_workflows(
                        f"WorkflowType = 'Incident' AND Indicator = '{self.scenario.indicator}'"
                    ):
                        if each.run_id not in self._known:
                            self.id, self.run = each.id, each.run_id
                await asyncio.sleep(LOOK_SECONDS)

    async def reaches(self, phase):
        """Wait until the response is in the midst of a phase."""
        await self._until(MOMENTS[phase], f"{phase} was never seen")

    async def seen(self):
        return Seen(await self.client.get_workflow_handle(self.id, run_id=self.run).describe())

    async def record(self):
        return await record_of(self.client, self.id)

    async def ends(self, within=90.0, how="recovered"):
        """Wait until it is over, and until everything is said; give the record."""
        handle = self.client.get_workflow_handle(self.id, run_id=self.run)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while True:
                    try:
                        result = await handle.result()
                        record = await self.record()
                    except (RPCError, NoWorker):
                        await asyncio.sleep(0.1)
                    else:
                        assert result["how"] == how, result
                        return record
        record = await self.record()
        told = "\n".join(f"{it.at:%T} {it.kind}: {it.text}" for it in record.timeline)
        raise AssertionError(f"it is {record.phase} after {within:g} s: {record.asks}\n{told}")

    async def attempts(self):
        """Count the attempts of every activity that its history tells of, the most of each."""
        names, most = {}, Counter()
        history = await self.client.get_workflow_handle(self.id, run_id=self.run).fetch_history()
        for event in history.events:
            if event.HasField("activity_task_scheduled_event_attributes"):
                scheduled = event.activity_task_scheduled_event_attributes
                names[event.event_id] = scheduled.activity_type.name
            if event.HasField("activity_task_started_event_attributes"):
                started = event.activity_task_started_event_attributes
                name = names[started.scheduled_event_id]
                most[name] = max(most[name], started.attempt)
        return most

    async def stalls(self, longest=1.5):
        """Say where its history stood still, in the words of Temporal."""
        names, found, before = {}, [], None
        history = await self.client.get_workflow_handle(self.id, run_id=self.run).fetch_history()
        for event in history.events:
            kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()
            scheduled = event.activity_task_scheduled_event_attributes
            started = event.activity_task_started_event_attributes
            names[event.event_id] = scheduled.activity_type.name
            name = names.get(started.scheduled_event_id) or scheduled.activity_type.name
            said = " ".join(part for part in (kind, name) if part)
            at = event.event_time.ToDatetime()
            if before is not None and (gap := (at - before[0]).total_seconds()) > longest:
                found.append(f"{gap:.1f} s from {before[1]} to {said}")
            before = (at, said)
        return found

    async def wrong(self):
        """Say what is not as it must be, once it is over: nothing is as it should be."""
        record = await self.record()
        return [
            *([] if record.phase is Phase.RESOLVED else [f"the phase is {record.phase}"]),
            *(
                f"{step.effect} is {step.state}: {step.said}"
                for step in record.ladder
                if step.state
                not in (StepState.HELPED, StepState.DONE, StepState.PLANNED, StepState.UNDONE)
            ),
            *self._wrongly_said(),
            *self._wrongly_paged(),
            *self._wrongly_changed(),
            *self._wrongly_written(record),
        ]

    def changes(self):
        """Give what the host was told to change since this began."""
        told = self.platform.commands()[self._commands :]
        return [it for it in told if "restart" in it or "scale" in it]

    def messages(self):
        """Give its Slack messages, oldest first."""
        roots = [it for it in self.day.slack.messages() if f"/{self.run}/root" in it.key]
        return [it for root in roots for it in (root, *self.day.slack.thread(root.ts))]

    def pages(self):
        """Give its alerts at PagerDuty."""
        return [it for it in self.day.pagerduty.alerts if f"/{self.run}/" in it.dedup_key]

    def _wrongly_said(self):
        said = self.messages()
        roots = [it for it in said if it.thread_ts is None]
        numbers = [int(it.key.rsplit("-", 1)[1]) for it in said if it.thread_ts and it.key]
        files = Counter(file["name"] for it in said for file in it.files)
        return [
            *(f"{key} stands {n} times" for key, n in self.day.slack.duplicates().items()),
            *(f"{name} stands {n} times" for name, n in files.items() if n > 1),
            *([] if len(roots) == 1 else [f"{len(roots)} root messages"]),
            *(f"root: {it.text}" for it in roots if not it.text.startswith("✅")),
            *([] if numbers == sorted(numbers) else [f"the thread's order is {numbers}"]),
        ]

    def _wrongly_paged(self):
        pages = self.pages()
        times = Counter(page.dedup_key for page in pages)
        return [
            *([] if pages else ["nobody was paged"]),
            *(f"{key} was opened {n} times" for key, n in times.items() if n > 1),
            *(f"{it.summary} is {it.status}" for it in pages if it.status != "resolved"),
        ]

    def _wrongly_changed(self):
        changes = self.changes()
        if self.scenario.name == "redis":
            once = ["sudo -n systemctl restart redis"]
            return [] if changes == once else [f"the host was told {changes}"]
        if self.scenario.name == "latency":
            there_and_back = ["pm2 scale pravado-api 5", "pm2 scale pravado-api 2"]
            return [] if changes == there_and_back else [f"the host was told {changes}"]
        with self.platform.postgres_log.open() as log:
            log.seek(self._postgres)
            lines = log.read().splitlines()
        ended = Counter(
            (line.split("[")[1].split("]")[0], what)
            for what in ("canceling statement due to user", "terminating connection due to admin")
            for line in lines
            if what in line
        )
        return [
            *(f"the host was told {changes}" for _ in changes[:1]),
            *(f"pid {pid}: {what}, {n} times" for (pid, what), n in ended.items() if n > 1),
            *([] if ended else ["no session was ended"]),
        ]

    def _wrongly_written(self, record):
        folder = self.day.folder / "responder" / "reports" / self.id
        ours = [Path(path) for path in record.report]
        texts = [path.read_text() for path in ours if path.exists()]
        started = [path.name for path in folder.iterdir() if ".part" in path.name]
        return [
            *([] if len(texts) == 2 else [f"the reports {ours} are not both there"]),
            *(f"half a report: {name}" for name in started),
            *(
                f"{step.effect} is not in it"
                for step in record.steps
                for text in texts[1:]
                if step.state is StepState.HELPED and step.key not in text and step.said not in text
            ),
            *([] if texts and texts[0].rstrip().endswith("</html>") else ["the page is cut off"]),
        ]

    async def _runs(self):
        async for each in self.client.list_workflows("WorkflowType = 'Incident'"):
            yield each.run_id

    async def _until(self, what, otherwise):
        began, seen = time.monotonic(), None
        while time.monotonic() - began < 60:
            with contextlib.suppress(RPCError):
                seen = await self.seen()
                if what(seen):
                    return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError(f"{otherwise}: {seen and (seen.phase, [*seen.at_work])}")

    async def _take_part(self):
        """Acknowledge and approve as the engineer on call does: tried until it is taken."""
        kept, done, after = {}, set(), dict(self.scenario.after)

        async def does(kind, question=""):
            what = kept.setdefault((kind, question), uuid.uuid4().hex)
            given = Act(id=what, by=ENGINEER, via="cli", question=question)
            with contextlib.suppress(NotTaken):
                await act(self.client, self.id, kind, given)
                done.add((kind, question))

        while True:
            await asyncio.sleep(0.2)
            try:
                if not self.run:
                    continue
                record = await self.record()
                happens = after.pop(record.phase, None)
                if happens is not None:
                    await happens(self.day)
                if record.paged_at is not None and (ActKind.ACKNOWLEDGE, "") not in done:
                    await does(ActKind.ACKNOWLEDGE)
                asked = record.question
                if asked and not asked.answer and self.may_approve.is_set():
                    await does(ActKind.APPROVE, asked.id)
            except (NoWorker, ConnectionError):
                pass
            except RPCError as error:
                if not unreachable(error):
                    raise


async def calm(day):
    """Put everything back, and wait until nothing fires, nothing is open and all is well."""
    platform = day.platform
    platform.slow_redis_start(0)
    platform.slow_looks(0)
    platform.calm()
    await platform.plug_leak()
    client = await day.stack.client()

    async def quiet():
        open_now = [
            it.id
            async for it in client.list_workflows(
                "WorkflowType = 'Incident' AND ExecutionStatus = 'Running'"
            )
        ]
        async with httpx.AsyncClient(base_url=platform.alertmanager_url, trust_env=False) as http:
            listed = (await http.get("/api/v2/alerts")).json()
        return [*open_now, *(it["labels"]["alertname"] for it in listed)]

    await until(quiet, within=30)
    await until(well, platform)
