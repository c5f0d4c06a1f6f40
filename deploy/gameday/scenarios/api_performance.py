"""Game days of the runbook's "API Performance Incidents"."""

from activities.record import Phase
from deploy.gameday.day import Day
from deploy.gameday.releases import Behaviour
from deploy.gameday.reporting import ALL
from deploy.gameday.scenarios.base import Act, Scenario
from deploy.gameday.standins.faults import hanging

_SPIKE = 4.0
_ALWAYS = 10**6
_PROVIDER_SECONDS = 4.0


async def _spike(day: Day) -> None:
    day.platform.spike(_SPIKE)


async def _calm(day: Day) -> None:
    day.platform.calm()


def _wait(seconds: float) -> Act:
    """Have every request wait for something that nobody measures."""

    async def slow(day: Day) -> None:
        day.platform.fail_requests(Behaviour(slow_seconds=seconds))

    return slow


async def _mend(day: Day) -> None:
    day.platform.mend_requests()


async def _slow_provider(day: Day) -> None:
    for provider in (day.outside.openai, day.outside.anthropic):
        provider.fail(hanging(_PROVIDER_SECONDS, times=_ALWAYS))


async def _mend_provider(day: Day) -> None:
    for provider in (day.outside.openai, day.outside.anthropic):
        provider.mend()


async def _report(day: Day) -> None:
    await day.platform.report_slowly()


async def _report_whatever_the_index(day: Day) -> None:
    await day.platform.report_slowly(whose=ALL)


async def _stop_reporting(day: Day) -> None:
    day.platform.stop_reporting()


SCENARIOS = (
    Scenario(
        name="latency",
        alert="HighAPILatency",
        story=f"{_SPIKE:g} times the users come, more than two instances carry.",
        breaks=_spike,
        after={Phase.SETTLING: _calm},
        later="The extra users leave: as many come as on a normal day.",
        normal_seconds=13.0,
    ),
    Scenario(
        name="latency-people",
        alert="HighAPILatency",
        story="Every request waits for a service that nobody measures; you are asked.",
        breaks=_wait(0.7),
        after={Phase.WATCHING: _mend},
        later="People find the service, and call it no longer.",
        normal_seconds=13.0,
        people=True,
    ),
    Scenario(
        name="latency-critical",
        alert="CriticalAPILatency",
        story=f"Both LLM providers take {_PROVIDER_SECONDS:g} seconds for an answer.",
        breaks=_slow_provider,
        after={Phase.SETTLING: _mend_provider},
        later="The providers are as quick as before.",
        normal_seconds=13.0,
    ),
    Scenario(
        name="latency-critical-people",
        alert="CriticalAPILatency",
        story="Every request waits three seconds for a service that nobody measures.",
        breaks=_wait(3.0),
        after={Phase.WATCHING: _mend},
        later="People find the service, and call it no longer.",
        normal_seconds=13.0,
        people=True,
    ),
    Scenario(
        name="queries",
        alert="SlowDatabaseQueries",
        story="A report reads every user there is, for an index is missing; you are asked.",
        breaks=_report,
        after={Phase.SETTLING: _stop_reporting},
        later="The report is done.",
    ),
    Scenario(
        name="queries-people",
        alert="SlowDatabaseQueries",
        story="A report asks for every user there is: no index helps.",
        breaks=_report_whatever_the_index,
        after={Phase.WATCHING: _stop_reporting},
        later="People rewrite the report.",
        people=True,
    ),
)
