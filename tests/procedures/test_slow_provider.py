import pytest

from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import activities, the
from tests.procedures.slow_api import (
    LLM,
    SWITCH,
    instances,
    latency,
    series,
)


@pytest.mark.parametrize(
    ("found", "values"),
    [
        pytest.param(
            {},
            {"LLM time-out (ms)": "10000", "LLM routing": "forcedProvider:anthropic"},
            id="time-outs down, and the other provider",
        ),
        pytest.param(
            {"providers": series("provider", anthropic=14.0, openai=2.0)},
            {"LLM time-out (ms)": "10000", "LLM routing": "forcedProvider:openai"},
            id="the other way round",
        ),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=14.0)},
            {"LLM time-out (ms)": "10000"},
            id="both are slow: nowhere to go",
        ),
        pytest.param(
            {"providers": series("provider", mistral=14.0)},
            {"LLM time-out (ms)": "10000"},
            id="a provider without another",
        ),
        pytest.param(
            {"instances": instances(environment={"LLM_TIMEOUT_MS": "5000"})},
            {"LLM routing": "forcedProvider:anthropic"},
            id="a shorter time-out is never made longer",
        ),
        pytest.param(
            {
                "instances": instances(
                    environment={"LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
                )
            },
            {"LLM time-out (ms)": "10000"},
            id="the other provider is forced already",
        ),
    ],
)
def test_a_slow_provider_is_waited_for_less_in_one_restart(found, values):
    switch = the(latency(LLM, **found), SWITCH)

    assert switch.order["values"] == values
    assert (switch.risk, switch.undo, switch.restarts) == (Risk.DISRUPTIVE, True, True)
    assert switch.asks is Asks.POLICY


def test_switches_are_shown_before_and_after():
    assert the(latency(LLM), SWITCH).effect == (
        "set LLM time-out (ms) from 30000 to 10000, LLM routing from costOptimized to "
        "forcedProvider:anthropic, which restarts all 2 instances of pravado-api once"
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"providers": series("provider", openai=14.0)}, id="nobody calls the other"),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=None)}, id="it has no data"
        ),
        pytest.param({"instances": None}, id="how it is set could not be read"),
    ],
)
def test_going_to_a_provider_that_nobody_measured_asks(found):
    assert the(latency(LLM, **found), SWITCH).asks is Asks.ALWAYS


def test_switches_that_are_set_already_are_not_set_again():
    set_ = {"LLM_TIMEOUT_MS": "10000", "LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
    planned = latency(LLM, instances=instances(environment=set_))

    assert activities(planned) == []
    assert "the LLM switches are set for it already" in planned.findings
