import pytest

from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import activities
from tests.procedures.slow_api import (
    LLM,
    SWITCH,
    instances,
    latency,
    series,
)
from workflows import promql

TIMEOUT = {"LLM time-out (ms)": "10000"}
FIRST, ALL = {"LLM routing": "split:anthropic:10"}, {"LLM routing": "forcedProvider:anthropic"}
BACK = {"LLM routing": "split:openai:10"}, {"LLM routing": "forcedProvider:openai"}


def switches(planned):
    assert set(activities(planned)) == {SWITCH}
    return planned.steps


@pytest.mark.parametrize(
    ("found", "values"),
    [
        pytest.param(
            {}, [FIRST | TIMEOUT, ALL | TIMEOUT],
            id="time-outs down, and a tenth to the other provider, then all",
        ),
        pytest.param(
            {"providers": series("provider", anthropic=14.0, openai=2.0)},
            [each | TIMEOUT for each in BACK],
            id="the other way round",
        ),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=14.0)},
            [TIMEOUT],
            id="both are slow: nowhere to go",
        ),
        pytest.param(
            {"providers": series("provider", mistral=14.0)},
            [TIMEOUT],
            id="a provider without another",
        ),
        pytest.param(
            {"instances": instances(environment={"LLM_TIMEOUT_MS": "5000"})},
            [FIRST, ALL],
            id="a shorter time-out is never made longer",
        ),
        pytest.param(
            {
                "instances": instances(
                    environment={"LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
                )
            },
            [TIMEOUT],
            id="the other provider is forced already",
        ),
    ],
)  # fmt: skip
def test_a_slow_provider_is_waited_for_less_and_left(found, values):
    steps = switches(latency(LLM, **found))

    assert [step.order["values"] for step in steps] == values
    for step in steps:
        assert (step.risk, step.undo, step.restarts) == (Risk.DISRUPTIVE, True, True)
        assert step.asks is Asks.POLICY


def test_all_calls_follow_only_once_the_other_provider_answers_a_share_of_them_fast():
    first, second = switches(latency(LLM))

    answers, quick = first.proves.conditions
    assert (answers.threshold, quick.threshold) == (0.2, 8.0)
    for each in (answers, quick):
        assert 'provider="anthropic"' in each.expression
        assert each.traffic == promql.llm_calls("anthropic"), "a share of nothing proves nothing"
    assert second.needs == second.completes == second.approved_with == first.key
    assert {step.undo_when.checks for step in (first, second)} == {("llm.openai",)}
    assert {step.cool_down_seconds for step in (first, second)} == {1800.0}


def test_switches_are_shown_before_and_after():
    first, second = switches(latency(LLM))

    assert first.effect == (
        "send 10 % of the LLM calls to Anthropic: set “LLM routing” from costOptimized to "
        "split:anthropic:10, “LLM time-out (ms)” from 30000 to 10000, which restarts all 2 "
        "instances of pravado-api once"
    )
    assert second.effect == (
        "send all LLM calls to Anthropic, which restarts pravado-api once more"
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(
            {"providers": series("provider", openai=14.0)},
            "nobody calls Anthropic now",
            id="nobody calls the other",
        ),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=None)},
            "nobody calls Anthropic now",
            id="it has no data",
        ),
        pytest.param(
            {"instances": None},
            "how calls are routed now is not known",
            id="how it is set could not be read",
        ),
        pytest.param(
            {"instances": instances(environment={"LLM_ROUTING_STRATEGY": "forcedProvider:openai"})},
            "LLM routing is forcedProvider:openai: somebody has set it",
            id="somebody, or another incident, has just sent all calls to the slow one",
        ),
    ],
)
def test_going_to_another_provider_asks_where_something_is_not_known(found, why):
    planned = latency(LLM, **found)

    assert {step.asks for step in switches(planned)} == {Asks.ALWAYS}
    assert why in "; ".join(planned.findings)
    assert all(why in "; ".join(step.details) for step in planned.steps)


def test_switches_that_are_set_already_are_not_set_again():
    set_ = {"LLM_TIMEOUT_MS": "10000", "LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
    planned = latency(LLM, instances=instances(environment=set_))

    assert activities(planned) == []
    assert "the LLM switches are set for it already" in planned.findings
