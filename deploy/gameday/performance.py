"""One scenario played to its end: broken, answered, watched, and judged."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape
from temporalio.client import Client

from activities.record import Phase, Record
from activities.verification import Sample
from deploy.gameday.day import POLICY, Day
from deploy.gameday.engineer import Engineer
from deploy.gameday.scenarios import Scenario
from deploy.gameday.show import Show
from deploy.gameday.verdict import otherwise, shortcomings, summary
from deploy.local.ending import ended_when_asked
from starters.finding import Filters, NoWorker, incidents, record_of
from workers.ending import goodbye
from workflows.glance import words

_OURS = "game day"
_LOOK_SECONDS = 0.4
_OWN_SECONDS = 120.0
"""What a busy machine needs for all that is not waiting."""
_REAL_SECONDS = 4000.0
"""What a response waits in real life: it watches, settles, undoes, and settles again."""
_HEALTHY_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Performed:
    """How a scenario went."""

    scenario: Scenario
    wrong: tuple[str, ...]
    """What is not as it must be at the end; nothing is well."""
    unwell: tuple[str, ...] = ()
    """What of the platform, or outside of it, is not as it was found."""
    record: Record | None = None
    broken_at: datetime | None = None
    messages: int = 0
    """Posted to Slack meanwhile."""
    pages: int = 0


class Performance:
    """One scenario, from the fault to the report."""

    def __init__(
        self,
        scenario: Scenario,
        show: Show,
        *,
        yes: bool = False,
        keep: bool = False,
        pace: float,
    ) -> None:
        """Describe it.

        Args:
            scenario: What is broken.
            show: Told how it goes.
            yes: Whether all that is asked is approved.
            keep: Whether all is left up until the process is asked to end.
            pace: What every wait of the responder is shortened by.
        """
        self._scenario, self._show = scenario, show
        self._yes, self._keep, self._pace = yes, keep, pace
        self._happened: set[Phase] = set()

    @property
    def patience_seconds(self) -> float:
        """How long the response may take, people's time to answer not counted."""
        return _OWN_SECONDS + _REAL_SECONDS * self._pace

    async def play(self, folder: Path, reports: Path | None = None) -> int:
        """Play it with all data in *folder*, and give the exit status."""
        performed: Performed | None = None
        self._open_show()
        with ended_when_asked() as asked:
            async with Day(folder, pace=self._pace, reports=reports) as day:
                client = await day.stack.client()
                try:
                    performed = await self.perform(day, client)
                    if self._keep:
                        self._places(day)
                        self._show.say("All is left up. Ctrl-C ends it.", "bold", _OURS)
                        await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self._show.say("Stopping; once more Ctrl-C cuts it short.", "bold", _OURS)
                    raise
        await goodbye()
        if performed is None:
            self._show.say("Ended before it was over.", "bold yellow", _OURS)
            return asked.status
        return 1 if performed.wrong else 0

    def _open_show(self) -> None:
        real = POLICY["verify_seconds"]
        self._show.header(
            f"Game day: {self._scenario.name}",
            self._scenario.story,
            f"Every wait is shortened to {self._pace:g} of real life: ten minutes of settling "
            f"take {words(600 * self._pace)}. A step has {words(real * self._pace)} to help.",
            "Real: PostgreSQL, Valkey, nginx, ssh, Prometheus, Alertmanager, Temporal. "
            "Stand-ins: every service outside, from Slack to Cloudflare.",
        )
        self._show.say("starting the platform and the responder …", who=_OURS)

    async def perform(self, day: Day, client: Client) -> Performed:
        """Break it and look on, on a day that goes on already; say how it went."""
        show, scenario = self._show, self._scenario
        self._places(day)
        if unwell := await self._unwell(day):
            wrong = [f"the platform was not well before: {why}" for why in unwell]
            return Performed(scenario, self._verdict(wrong), tuple(unwell))
        if earlier := await self._none_open(client, within=_HEALTHY_WITHIN_SECONDS):
            wrong = [f"{each} is open from an earlier day" for each in earlier]
            return Performed(scenario, self._verdict(wrong), tuple(wrong))
        normal = day.used_since + scenario.normal_seconds - time.monotonic()
        if normal > 0:
            show.say("a normal day, so that there is something to compare with …", who=_OURS)
            await asyncio.sleep(normal)
        await day.platform.forget_restarts()
        show.say(f"BREAKING: {scenario.story}", "bold red", _OURS)
        told, paged = len(day.slack.messages()), len(day.pagerduty.alerts)
        show.leave_out(day.slack, day.pagerduty)
        broken, broken_at = time.monotonic(), datetime.now(UTC)
        await scenario.breaks(day)
        record = await self._follow(day, client)
        over = record is not None and record.phase is Phase.RESOLVED
        left = await self._none_open(client, within=self.patience_seconds if over else 0)
        if record is not None:
            with contextlib.suppress(NoWorker):
                record = await record_of(client, record.id)
            show.record(record)
            show.messages(day.slack, day.pagerduty)
        unwell = await self._unwell(day, within=_HEALTHY_WITHIN_SECONDS if over else 0)
        wrong = shortcomings(record, unwell=unwell, still_open=left)
        wrong += otherwise(record, scenario.alert, people=scenario.people)
        return Performed(
            scenario,
            self._verdict(wrong, record, seconds=time.monotonic() - broken),
            (*unwell, *left),
            record,
            broken_at,
            messages=len(day.slack.messages()) - told,
            pages=len(day.pagerduty.alerts) - paged,
        )

    async def _follow(self, day: Day, client: Client) -> Record | None:
        """Watch the incident until nothing more comes; None if there was none in time."""
        show, incident = self._show, ""
        engineer = Engineer(client, show, yes=self._yes)
        record: Record | None = None
        left = self.patience_seconds
        try:
            while left > 0:
                began = time.monotonic()
                await asyncio.sleep(_LOOK_SECONDS)
                if not incident:
                    incident = await self._opened(client)
                else:
                    with contextlib.suppress(NoWorker):
                        record = await record_of(client, incident)
                        show.record(record)
                        show.samples(await watched(client, incident), record)
                        show.messages(day.slack, day.pagerduty)
                        await self._go_on(day, record)
                        await engineer.take_part(record)
                if record is not None and _over(record, engineer):
                    return record
                if record is None or not engineer.asked(record):
                    left -= time.monotonic() - began
        finally:
            engineer.leave()
        show.say(f"it is not over after {words(self.patience_seconds)}", "bold red", _OURS)
        return record

    async def _opened(self, client: Client) -> str:
        found = await incidents(client, Filters(indicator=self._scenario.indicator))
        if not found:
            return ""
        self._show.say(f"incident {found[0].id}", "bold", who="responder")
        return found[0].id

    async def _go_on(self, day: Day, record: Record) -> None:
        """Do what the world does meanwhile."""
        if record.phase in self._scenario.after and record.phase not in self._happened:
            self._happened.add(record.phase)
            self._show.say(self._scenario.later, "bold", who="platform")
            await self._scenario.after[record.phase](day)

    async def _unwell(self, day: Day, within: float = _HEALTHY_WITHIN_SECONDS) -> list[str]:
        """Ask the platform itself, from outside and through, until it is well."""
        until = time.monotonic() + within
        while reasons := [*await day.platform.healthy(), *await day.outside.unwell()]:
            if time.monotonic() > until:
                return reasons
            await asyncio.sleep(1)
        told = "it is healthy: every route, SQL, PING, p95, instances, settings"
        self._show.say(told, "green", who="platform")
        return []

    async def _none_open(self, client: Client, within: float) -> list[str]:
        """Wait until no incident is open; name those that still are."""
        until, named = time.monotonic() + within, False
        while found := [each.id for each in await incidents(client, Filters())]:
            if time.monotonic() > until:
                return found
            if not named and time.monotonic() > until - within + 3 * _LOOK_SECONDS:
                named = True
                self._show.say(f"waiting for what is still open: {', '.join(found)}", who=_OURS)
            await asyncio.sleep(_LOOK_SECONDS)
        return []

    def _places(self, day: Day) -> None:
        temporal = day.stack.temporal
        self._show.path("Temporal UI", temporal.ui_url)
        self._show.path("Slack", f"{day.slack.url}/  (a stand-in)")
        self._show.path("Prometheus", day.platform.prometheus_url)
        self._show.path("Command", f"TEMPORAL_ADDRESS={temporal.address} responder list")

    def _verdict(
        self, wrong: list[str], record: Record | None = None, seconds: float = math.nan
    ) -> tuple[str, ...]:
        lines = [f"[bold red]✗[/] {escape(each)}" for each in wrong]
        if record is not None:
            lines += [escape(line) for line in summary(record)]
            lines.append(f"From the fault to here {seconds:.0f} s, at pace {self._pace:g}.")
        self._show.header("NOT WELL" if wrong else "RESOLVED", *lines)
        for path in record.report if record else ():
            self._show.path("Report", _short(path))
        return tuple(wrong)


def _over(record: Record, engineer: Engineer) -> bool:
    if record.phase is Phase.RESOLVED:
        return True
    # With what was asked refused, it is for people now, and nobody else is here.
    return engineer.rejected and record.phase is Phase.WATCHING


def _short(path: str) -> str:
    file, here = Path(path), Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else path


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
