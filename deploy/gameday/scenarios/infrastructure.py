"""Game days of the machine, of the runbook's "Infrastructure Incidents"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.scenarios.base import Scenario


async def _hang(day: Day) -> None:
    await day.platform.hang_api()


async def _crash(day: Day) -> None:
    await day.platform.crash_api()


async def _mend_crash(day: Day) -> None:
    await day.platform.mend_crash()


async def _run_away(day: Day) -> None:
    await day.platform.run_away()


async def _keep_busy(day: Day) -> None:
    day.platform.keep_busy()


async def _leak(day: Day) -> None:
    await day.platform.leak_memory()


async def _load_everything(day: Day) -> None:
    day.platform.load_everything()


async def _lighten(day: Day) -> None:
    day.platform.lighten()


async def _flood(day: Day) -> None:
    await day.platform.flood_logs()


async def _dump(day: Day) -> None:
    await day.platform.dump_core()


async def _remove_dump(day: Day) -> None:
    day.platform.remove_dump()


SCENARIOS = (
    Scenario(
        name="api",
        alert="APIDown",
        story="Every instance of the API stands still: it runs, and answers nobody.",
        breaks=_hang,
    ),
    Scenario(
        name="api-people",
        alert="APIDown",
        story="Every instance crashes as soon as it starts; one more restart would cure nothing.",
        breaks=_crash,
        after={Phase.WATCHING: _mend_crash},
        later="People mend what it crashes by, and start it.",
        people=True,
    ),
    Scenario(
        name="cpu",
        alert="HighCPUUsage",
        story="One instance runs away, and keeps the processor busy; you are asked.",
        breaks=_run_away,
        normal_seconds=8.0,
    ),
    Scenario(
        name="cpu-people",
        alert="HighCPUUsage",
        story="A hot path keeps every instance busy: more of them are busy as well.",
        breaks=_keep_busy,
        after={Phase.WATCHING: _lighten},
        later="People mend the hot path.",
        normal_seconds=8.0,
        people=True,
    ),
    Scenario(
        name="memory",
        alert="HighMemoryUsage",
        story="Every instance holds more and more memory; you are asked.",
        breaks=_leak,
        normal_seconds=8.0,
    ),
    Scenario(
        name="memory-people",
        alert="HighMemoryUsage",
        story="Every instance loads all there is as soon as it runs: a restart frees nothing.",
        breaks=_load_everything,
        after={Phase.WATCHING: _lighten},
        later="People have it load only what it needs.",
        normal_seconds=8.0,
        people=True,
    ),
    Scenario(
        name="disk",
        alert="DiskSpaceLow",
        story="An instance writes its log until the disk is full.",
        breaks=_flood,
    ),
    Scenario(
        name="disk-people",
        alert="DiskSpaceLow",
        story="A memory dump fills the disk: there are too few logs to make room.",
        breaks=_dump,
        after={Phase.WATCHING: _remove_dump},
        later="People delete the dump.",
        people=True,
    ),
)
