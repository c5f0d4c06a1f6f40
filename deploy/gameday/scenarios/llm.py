"""Game days of the runbook's "LLM Provider Incidents"."""

from activities.record import Phase
from deploy.gameday import traffic
from deploy.gameday.day import Day
from deploy.gameday.llm import IGNORED
from deploy.gameday.scenarios.base import Act, Scenario
from deploy.gameday.standins.llm import Trouble

_WILD = 7
"""The organization that runs wild."""
_FEW = 0.5
"""Calls a second: a tenth of what comes is under it, all of it is far above."""


async def _openai_down(day: Day) -> None:
    day.outside.openai.trouble = Trouble.DOWN
    day.outside.status_pages.report("openai", "major_outage", "Elevated errors")


async def _openai_down_and_anthropic_small(day: Day) -> None:
    day.outside.anthropic.carries_a_second = _FEW
    await _openai_down(day)


async def _openai_limited(day: Day) -> None:
    day.outside.openai.most_a_second = _FEW


async def _both_limited(day: Day) -> None:
    day.outside.anthropic.most_a_second = _FEW
    await _openai_limited(day)


async def _providers_well(day: Day) -> None:
    day.outside.openai.mend()
    day.outside.anthropic.mend()
    day.outside.status_pages.mend("openai")


def _wild(rate: float, tokens: int, *, ignored: bool = False) -> Act:
    async def run_wild(day: Day) -> None:
        if ignored:
            day.platform.faults.put(IGNORED)
        traffic.run_wild(day.platform.folder / "traffic", _WILD, rate, tokens)

    return run_wild


async def _calm(day: Day) -> None:
    traffic.calm_down(day.platform.folder / "traffic")
    day.platform.faults.mend(IGNORED)


SCENARIOS = (
    Scenario(
        name="llm-down",
        alert="LLMProviderDown",
        story="OpenAI answers nothing but 503; Anthropic is well.",
        breaks=_openai_down,
        after={Phase.SETTLING: _providers_well},
        later="OpenAI is well again; calls go back once it has been so for long enough.",
    ),
    Scenario(
        name="llm-down-people",
        alert="LLMProviderDown",
        story="OpenAI answers nothing but 503, and Anthropic carries a share but not all calls.",
        breaks=_openai_down_and_anthropic_small,
        after={Phase.WATCHING: _providers_well},
        later="People have OpenAI mended, and a larger Anthropic.",
        people=True,
    ),
    Scenario(
        name="llm-cost",
        alert="HighLLMCost",
        story=f"A program of organization {_WILD} sends whole books to the most expensive model.",
        breaks=_wild(1.0, 4_000),
        after={Phase.SETTLING: _calm},
        later="The program has come to the end of its books.",
    ),
    Scenario(
        name="llm-cost-people",
        alert="HighLLMCost",
        story=f"A program of organization {_WILD} sends whole libraries; the throttle is broken.",
        breaks=_wild(1.5, 28_000, ignored=True),
        after={Phase.WATCHING: _calm},
        later="People call the organization, which stops its program, and mend the throttle.",
        people=True,
    ),
    Scenario(
        name="llm-limit",
        alert="LLMRateLimitExceeded",
        story="OpenAI lets far fewer calls through than it did.",
        breaks=_openai_limited,
        after={Phase.SETTLING: _providers_well},
        later="OpenAI gives the old limit back.",
    ),
    Scenario(
        name="llm-limit-people",
        alert="LLMRateLimitExceeded",
        story="OpenAI lets far fewer calls through than it did, and Anthropic no more than that.",
        breaks=_both_limited,
        after={Phase.WATCHING: _providers_well},
        later="People have both limits raised.",
        people=True,
    ),
)
