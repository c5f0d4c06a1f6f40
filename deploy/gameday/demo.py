"""`responder demo`: break a real component, and watch the response live until it is resolved."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.people import Question
from activities.record import Phase, Record
from activities.verification import Sample
from deploy.gameday.day import ENGINEER, PACE, Day
from deploy.gameday.scenarios import SCENARIOS, Scenario
from deploy.gameday.show import Show
from starters.acting import NotTaken, act
from starters.finding import Filters, NoWorker, incidents, record_of
from workflows.acts import Act, ActKind
from workflows.glance import words

_LOOK_SECONDS = 0.4
_GIVE_UP_SECONDS = 240.0
_HEALTHY_WITHIN_SECONDS = 20.0


def demo(
    scenario: Annotated[str, typer.Argument(help="What to break; see --list.")] = "redis",
    *,
    list_: Annotated[bool, typer.Option("--list", help="List what can be broken.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Approve whatever is asked.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave all up to look at.")] = False,
    pace: Annotated[
        float, typer.Option(min=0.02, max=1.0, help="Every wait is shortened by this factor.")
    ] = PACE,
    data: Annotated[Path | None, typer.Option(help="Folder for all data; else a new one.")] = None,
) -> None:
    """Break a real component of a small platform, and show the response until it is over."""
    console = Console(highlight=False)
    if list_:
        for known in SCENARIOS.values():
            console.print(f"[bold]{known.name:12}[/] {known.alert}: {known.story}")
        return
    if scenario not in SCENARIOS:
        console.print(f"There is no {scenario!r}; there are {', '.join(SCENARIOS)}.", style="red")
        raise typer.Exit(2)
    folder = data or Path(tempfile.mkdtemp(prefix="responder-demo-"))
    performance = Performance(SCENARIOS[scenario], Show(console), yes=yes, keep=keep, pace=pace)
    try:
        well = asyncio.run(performance.play(folder))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0 if well else 1)


class Performance:
    """One scenario, from the fault to the report."""

    def __init__(
        self, scenario: Scenario, show: Show, *, yes: bool, keep: bool, pace: float
    ) -> None:
        self._scenario, self._show = scenario, show
        self._yes, self._keep, self._pace = yes, keep, pace
        self._happened: set[Phase] = set()
        self._answered: set[str] = set()
        self._acknowledged = False

    async def play(self, folder: Path) -> bool:
        """Play it; tell whether the platform is truly healthy again and the incident over."""
        show = self._show
        show.header(
            f"Game day: {self._scenario.name}",
            self._scenario.story,
            f"Waits are shortened to {self._pace:g} of real life: 5 minutes of watching take "
            f"{words(300 * self._pace)}, 10 minutes of settling {words(600 * self._pace)}.",
            "Real: PostgreSQL, Valkey, nginx, ssh, Prometheus, Alertmanager, Temporal. "
            "Stand-ins: Slack, PagerDuty.",
        )
        show.say("starting the platform and the responder …")
        async with Day(folder, pace=self._pace) as day:
            client = await Client.connect(
                day.stack.temporal.address, data_converter=pydantic_data_converter
            )
            well = await self._perform(day, client)
            if self._keep:
                show.say(f"all is left up; data in {folder}. Ctrl-C ends it.", "bold")
                await asyncio.Event().wait()
        await asyncio.sleep(0.3)  # sdk-python#300: an exit just after the last use may crash
        return well

    async def _perform(self, day: Day, client: Client) -> bool:
        show, platform = self._show, day.platform
        show.say(f"Temporal UI   {day.stack.temporal.ui_url}")
        show.say(f"Slack         {day.slack.url}/  (a stand-in)")
        show.say(f"Prometheus    {platform.prometheus_url}")
        if not await self._healthy(day):
            return False
        if self._scenario.normal_seconds:
            show.say("a normal day, so that there is something to compare with …")
            await asyncio.sleep(self._scenario.normal_seconds)
        show.say(f"BREAKING: {self._scenario.story}", "bold red")
        broken = time.monotonic()
        await self._scenario.breaks(platform)
        record = await self._follow(day, client)
        if record is None:
            show.say("nothing was resolved in time", "bold red")
            return False
        well = await self._healthy(day)
        self._summary(record, time.monotonic() - broken, well=well)
        return well and record.phase is Phase.RESOLVED

    async def _follow(self, day: Day, client: Client) -> Record | None:
        """Watch the incident until it is over; None if it did not come or did not end in time."""
        show, incident = self._show, ""
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while time.monotonic() < give_up:
            await asyncio.sleep(_LOOK_SECONDS)
            if not incident:
                open_now = await incidents(client, Filters())
                incident = open_now[0].id if open_now else ""
                if incident:
                    show.say(f"incident {incident}", "bold")
                continue
            try:
                record = await record_of(client, incident)
            except NoWorker:
                continue
            show.record(record)
            show.samples(await watched(client, incident), record)
            show.messages(day.slack, day.pagerduty)
            await self._take_part(day, client, record)
            if record.phase is Phase.RESOLVED and not record.slack.unsent:
                return record
        return None

    async def _take_part(self, day: Day, client: Client, record: Record) -> None:
        """Do what the world and the engineer on call do meanwhile."""
        if record.phase in self._scenario.after and record.phase not in self._happened:
            self._happened.add(record.phase)
            await self._scenario.after[record.phase](day.platform)
        if record.paged_at is not None and not self._acknowledged:
            self._acknowledged = True
            await self._act(client, record, ActKind.ACKNOWLEDGE)
        question = record.question
        if question is not None and not question.answer and question.id not in self._answered:
            self._answered.add(question.id)
            approved = await self._ask(question)
            kind = ActKind.APPROVE if approved else ActKind.REJECT
            await self._act(client, record, kind, question.id)

    async def _ask(self, question: Question) -> bool:
        self._show.say(f"You are asked: {question.text}?", "bold yellow")
        for line in question.details:
            self._show.say(f"  {line}", "yellow")
        if self._yes:
            self._show.say("--yes answers: approve", "yellow")
            return True
        if not sys.stdin.isatty():
            self._show.say("nobody is at the terminal, so: reject (--yes approves)", "yellow")
            return False
        return await asyncio.to_thread(typer.confirm, "Approve?", default=True)

    async def _act(self, client: Client, record: Record, kind: ActKind, question: str = "") -> None:
        what = Act(id=uuid.uuid4().hex, by=ENGINEER, via="cli", question=question)
        self._show.say(f"$ responder {kind.value} {record.id} --as {ENGINEER}", "bold")
        try:
            await act(client, record.id, kind, what)
        except NotTaken as refused:
            self._show.say(str(refused), "yellow")

    async def _healthy(self, day: Day) -> bool:
        """Ask the platform itself, from outside and through, until it is well."""
        reasons: list[str] = []
        until = time.monotonic() + _HEALTHY_WITHIN_SECONDS
        while time.monotonic() < until:
            reasons = await day.platform.healthy()
            if not reasons:
                self._show.say(
                    "the platform is healthy: every route, SQL, PING, p95, settings", "green"
                )
                return True
            await asyncio.sleep(1)
        for reason in reasons:
            self._show.say(f"not healthy: {reason}", "bold red")
        return False

    def _summary(self, record: Record, seconds: float, *, well: bool) -> None:
        def after(name: str, at: object) -> str:
            known = getattr(record, name)
            return (
                f"{name.removesuffix('_at')} {(known - at).total_seconds():.1f} s" if known else ""
            )

        resolution = record.resolution
        begun = record.starts_at
        acknowledged = record.people.acknowledged_at
        times = [
            after("paged_at", begun),
            f"acknowledged {(acknowledged - begun).total_seconds():.1f} s" if acknowledged else "",
            after("mitigated_at", begun),
            f"resolved {(resolution.at - begun).total_seconds():.1f} s" if resolution else "",
        ]
        style = "green" if well else "red"
        self._show.header(
            "RESOLVED" if resolution and well else "NOT WELL",
            f"[{style}]{resolution.how if resolution else 'open'}[/]: "
            f"{resolution.reason if resolution else ''}",
            f"After the alert: {', '.join(time for time in times if time)}",
            f"Whole game day: {seconds:.0f} s (at pace {self._pace:g})",
            *(f"Report: {path}" for path in record.report),
        )


async def watched(client: Client, incident: str) -> list[Sample]:
    """Read the samples of the watch that is running, out of its heartbeats."""
    description = await client.get_workflow_handle(incident).describe()
    for pending in description.raw_description.pending_activities:
        if pending.activity_type.name == "verification.watch" and pending.HasField(
            "heartbeat_details"
        ):
            [kept] = await client.data_converter.decode(
                pending.heartbeat_details.payloads, [list[Sample]]
            )
            return list(kept)
    return []
