import pytest

from activities.llm_findings import Limits, Standing
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import consult, said
from tests.procedures.llm import DOWN, down, look, page, switched
from tests.procedures.slow_api import series

SWITCH = "switches.set"
ROUTING, OFF = "LLM routing", "non-critical LLM calls off"
FIRST, ALL = {ROUTING: "split:anthropic:10"}, {ROUTING: "forcedProvider:anthropic"}
SHED = {OFF: "true"}


def values(planned):
    assert {step.activity for step in planned.steps} <= {SWITCH}
    return [step.order["values"] for step in planned.steps]


def asks(planned):
    return {step.asks for step in planned.steps}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [FIRST, ALL], id="it is down and the other answers: a tenth, then all"),
        pytest.param(
            {"openai": look("openai", Standing.OVERLOADED)},
            [FIRST | SHED, ALL | SHED],
            id="overloaded is not down: what is not critical is spared in the same restart",
        ),
        pytest.param(
            {"openai": look("openai", Standing.LIMITED)},
            [FIRST | SHED, ALL | SHED],
            id="its 429s spare what is not critical",
        ),
        pytest.param(
            {"anthropic": look("anthropic", Standing.DOWN)}, [SHED], id="both down: spare, no flip"
        ),
        pytest.param(
            {"anthropic": look("anthropic", Standing.QUOTA)},
            [SHED],
            id="the other has no quota: no flip into a bill that nobody pays",
        ),
        pytest.param(
            {"anthropic": look("anthropic", Standing.CREDENTIALS)}, [SHED], id="nor a wrong key"
        ),
        pytest.param(
            {"anthropic": look("anthropic", Standing.OVERLOADED)},
            [SHED],
            id="nor an overloaded one",
        ),
        pytest.param(
            {
                "openai": look("openai", Standing.OVERLOADED),
                "instances": switched(LLM_ROUTING_STRATEGY="forcedProvider:anthropic"),
            },
            [SHED],
            id="overloaded, and routed away already: what is left is to spare",
        ),
        pytest.param(
            {
                "anthropic": look("anthropic", Standing.DOWN),
                "instances": switched(NON_CRITICAL_LLM_OFF="true"),
            },
            [],
            id="both down, and spared already: no step is left",
        ),
        pytest.param(
            {"instances": switched(LLM_ROUTING_STRATEGY="forcedProvider:anthropic")},
            [],
            id="all calls go to the other already: no second flip",
        ),
        pytest.param(
            {"failing": series("provider", openai=0.97, anthropic=0.6)},
            [],
            id="the platform's calls to the other fail too, whatever it answers us",
        ),
        pytest.param(
            {
                "openai": look("openai"),
                "failing": series("provider", openai=0.1, anthropic=0.0),
            },
            [],
            id="it answers again, us and the API: nothing is changed",
        ),
    ],
)
def test_what_is_done_when_a_provider_leaves_calls_unanswered(found, expected):
    assert values(down(**found)) == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            {"openai": look("openai", Standing.QUOTA)},
            "OpenAI: quota exhausted (it is quota exhausted). Only you can mend that: "
            "https://platform.openai.com",
            id="a quota",
        ),
        pytest.param(
            {"openai": look("openai", Standing.CREDENTIALS)}, "Only you can mend", id="a wrong key"
        ),
        pytest.param(
            {"openai": look("openai", Standing.FORBIDDEN)}, "Only you can mend", id="not allowed"
        ),
        pytest.param(
            {"openai": look("openai", Standing.RETIRED)}, "Only you can mend", id="a retired model"
        ),
        pytest.param(
            {"openai": look("openai")}, "answers us, and not the API", id="it answers the worker"
        ),
        pytest.param({"openai": None}, "only the platform's own figures", id="nobody could ask it"),
        pytest.param(
            {"openai": look("openai", Standing.NO_NAME)},
            "only the platform's own figures",
            id="its name could not be resolved here",
        ),
        pytest.param(
            {"openai": look("openai", Standing.UNCLEAR)},
            "only the platform's own figures",
            id="it answers something else",
        ),
        pytest.param({"failing": None}, "nothing says how the platform's calls", id="no figures"),
        pytest.param(
            {"failing": series("provider", anthropic=0.0)},
            "nothing says how the platform's calls",
            id="no figures of it",
        ),
        pytest.param(
            {"failing": series("provider", openai=0.1, anthropic=0.0)},
            "does not answer us, and only 10% of the platform's calls to it fail",
            id="it answers the API, and not us: one word against the other",
        ),
        pytest.param({"anthropic": None}, "Anthropic is not known", id="the other is not known"),
        pytest.param(
            {"anthropic": look("anthropic", Standing.UNCLEAR)},
            "Anthropic: unclear",
            id="the other answers something else",
        ),
        pytest.param(
            {"anthropic_page": page("anthropic", "outage")},
            "Anthropic's status page says outage",
            id="the other's page says outage",
        ),
        pytest.param({"instances": None}, "how calls are routed now is not", id="no switches"),
        pytest.param(
            {"instances": switched(LLM_ROUTING_STRATEGY="split:anthropic:50")},
            "LLM routing is split:anthropic:50: somebody has set it",
            id="somebody routes already",
        ),
        pytest.param(
            {"anthropic": look("anthropic", limits=Limits(requests=50))},
            "Anthropic lets 50 requests a minute through, and 150 come",
            id="the other's limit is too low for all calls",
        ),
    ],
)
def test_a_flip_is_asked_for_where_not_everything_says_that_it_is_right(found, words):
    planned = down(**found)

    assert values(planned) == [FIRST, ALL]
    assert asks(planned) == {Asks.ALWAYS}
    assert words in said(planned)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({}, id="operational, while it is down: the page lags behind"),
        pytest.param({"openai_page": page("openai", "outage")}, id="its page says so too"),
        pytest.param({"openai_page": None, "anthropic_page": None}, id="no page could be read"),
        pytest.param({"anthropic_page": page("anthropic", "unknown")}, id="the other's is unknown"),
        pytest.param({"calls": None}, id="how many calls there are is not known"),
        pytest.param(
            {"anthropic": look("anthropic", limits=Limits())}, id="the other tells no limits"
        ),
    ],
)
def test_two_vantage_points_are_enough_and_a_status_page_is_a_hint(found):
    planned = down(**found)

    assert values(planned) == [FIRST, ALL]
    assert asks(planned) == {Asks.POLICY}


def test_the_two_steps_are_one_change_that_goes_back_once_it_is_well():
    first, second = down().steps

    assert (first.risk, first.undo, first.restarts) == (Risk.DISRUPTIVE, True, True)
    assert (second.needs, second.completes, second.approved_with) == (first.key,) * 3
    assert first.proves is not None
    assert first.proves.kind == "below"
    assert 'provider="anthropic"' in first.proves.expression
    assert second.proves is None
    for step in (first, second):
        assert step.undo_when is not None
        assert step.undo_when.checks == ("llm.openai",)
        assert step.undo_hold_seconds == 1800
        assert step.cool_down_seconds == 1800, "at most one flip in half an hour"
    assert first.effect == (
        "send 10 % of the LLM calls to Anthropic: set “LLM routing” from costOptimized to "
        "split:anthropic:10, which restarts all 2 instances of pravado-api once"
    )


def test_what_is_undone_at_once_is_set_by_both():
    first, second = down(openai=look("openai", Standing.OVERLOADED)).steps

    assert first.order["values"].keys() == second.order["values"].keys()


def test_the_settings_say_how_much_goes_first_and_for_how_long():
    first, _ = down({"llm_first_percent": 25, "llm_hold_seconds": 3600}).steps

    assert first.order["values"] == {ROUTING: "split:anthropic:25"}
    assert first.undo_hold_seconds == 3600


def test_anthropic_down_goes_the_other_way():
    planned = down(
        labels={"provider": "anthropic"},
        openai=look("openai"),
        anthropic=look("anthropic", Standing.DOWN),
        failing=series("provider", anthropic=0.9, openai=0.0),
    )

    assert values(planned) == [{ROUTING: "split:openai:10"}, {ROUTING: "forcedProvider:openai"}]
    assert planned.steps[0].undo_when.checks == ("llm.anthropic",)


@pytest.mark.parametrize("labels", [{}, {"provider": "mistral"}])
def test_without_a_provider_in_the_alert_the_figures_name_it(labels):
    assert values(down(labels=labels)) == [FIRST, ALL]
    unknown = down(labels=labels, failing=None)
    assert values(unknown) == []
    assert unknown.cause == "which provider leaves calls unanswered is not known"


def test_users_are_told_when_neither_answers():
    planned = down(anthropic=look("anthropic", Standing.DOWN, "Anthropic answered 500"))

    assert 'tell users: "AI features are limited at the moment' in said(planned)
    assert planned.cause == (
        "OpenAI: down (OpenAI answered 503); Anthropic: down (Anthropic answered 500)"
    )


def test_people_read_the_pages_the_end_of_a_model_and_how_to_make_it_permanent():
    planned = down(
        openai_page=page("openai", "outage", "API: major_outage"),
        anthropic_page=None,
        anthropic=look("anthropic", retires_on="2026-12-11"),
    )

    assert "OpenAI's page says outage: API: major_outage https://status.openai.com" in (
        planned.findings
    )
    assert any("Anthropic's status page: could not be read" in each for each in planned.findings)
    assert "Anthropic ends claude-haiku-4-5 on 2026-12-11" in planned.findings
    assert "make it permanent in apps/api/src/services/llm.service.ts" in said(planned)


def test_nothing_that_could_be_read_plans_nothing_alone():
    planned = down(**dict.fromkeys(DOWN))

    assert asks(planned) == {Asks.ALWAYS}


def test_it_has_recovered_when_those_that_are_called_answer():
    facts = consult("LLMProviderDown").facts

    assert facts.severity == "critical"
    assert facts.condition.threshold == 0.5
    assert "> 0)" in facts.condition.expression, "one that is not called counts neither way"
    assert facts.condition.traffic
