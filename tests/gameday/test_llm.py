"""What the game day's API makes of the switches of its language models."""

import itertools
from collections import Counter

import pytest

from activities.switches import DECLARED, Switch
from deploy.gameday.llm import MAPPED, PRICES, Models
from deploy.gameday.switches import SWITCHES


def routed(routing: str, calls: int = 100) -> Counter[str]:
    models = Models.read({"LLM_ROUTING_STRATEGY": routing})
    return Counter(models.provider(number) for number in range(calls))


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        pytest.param("", {"openai": 100}, id="nothing is set"),
        pytest.param("costOptimized", {"openai": 100}, id="as usual"),
        pytest.param("forcedProvider:anthropic", {"anthropic": 100}, id="all"),
        pytest.param("split:anthropic:10", {"openai": 90, "anthropic": 10}, id="a tenth"),
        pytest.param("split:openai:25", {"openai": 25, "anthropic": 75}, id="a quarter"),
    ],
)
def test_calls_go_where_the_switch_says(routing, expected):
    assert routed(routing) == expected


def test_a_small_share_goes_out_evenly():
    models = Models.read({"LLM_ROUTING_STRATEGY": "split:anthropic:10"})
    turns = [n for n in range(50) if models.provider(n) == "anthropic"]

    assert {later - sooner for sooner, later in itertools.pairwise(turns)} == {10}


@pytest.mark.parametrize(
    "wrong",
    [
        {"LLM_ROUTING_STRATEGY": "forcedProvider:nobody"},
        {"LLM_ROUTING_STRATEGY": "split:nobody:10"},
        {"LLM_MODEL": "gpt-99"},
    ],
)
def test_a_wrong_value_ends_the_instance(wrong):
    with pytest.raises(ValueError, match=r"names no provider|none that the platform"):
        Models.read(wrong)


@pytest.mark.parametrize(
    "switch",
    [
        Switch.LLM_ROUTING, Switch.LLM_MODEL, Switch.LLM_TRIES, Switch.LLM_BACKOFF_MS,
        Switch.LLM_QUEUE, Switch.LLM_TIMEOUT_MS, Switch.NON_CRITICAL_LLM_OFF,
    ],
)  # fmt: skip
def test_the_api_begins_with_the_switches_as_they_are_declared(switch):
    declared = DECLARED[switch]

    assert SWITCHES[declared.variable] == declared.default
    assert Models.read({declared.variable: declared.default}) == Models.read({})


def test_every_model_has_a_price_and_the_cheaper_one_is_cheaper():
    assert set(PRICES) == {*MAPPED, *MAPPED.values()}
    assert PRICES["gpt-5.4-mini"] < PRICES["gpt-4"]
