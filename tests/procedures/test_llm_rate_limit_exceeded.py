import pytest

from activities.llm_findings import Standing
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import consult, said
from tests.procedures.llm import LIMITED, by_model, limited, look, page, switched

SWITCH = "switches.set"
PATIENCE = {
    "tries of an LLM call": "3",
    "queue for LLM calls": "true",
}
"""The platform waits a second before the second try as it is."""
FIRST = PATIENCE | {"LLM routing": "split:anthropic:10"}
ALL = PATIENCE | {"LLM routing": "forcedProvider:anthropic"}
SET = {"LLM_MAX_TRIES": "3", "LLM_BACKOFF_MS": "1000", "LLM_REQUEST_QUEUE": "true"}


def values(planned):
    assert {step.activity for step in planned.steps} <= {SWITCH}
    return [step.order["values"] for step in planned.steps]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [FIRST, ALL], id="back-off, queue and a tenth elsewhere, then all"),
        pytest.param(
            {"anthropic": look("anthropic", Standing.DOWN)}, [PATIENCE], id="the other is down"
        ),
        pytest.param(
            {"anthropic": look("anthropic", Standing.LIMITED)},
            [PATIENCE],
            id="the other refuses us too",
        ),
        pytest.param(
            {"limited": by_model(openai=0.3, anthropic=0.2)},
            [PATIENCE],
            id="both refuse the platform's calls: none is sent over",
        ),
        pytest.param(
            {"instances": switched(**SET)},
            [{"LLM routing": "split:anthropic:10"}, {"LLM routing": "forcedProvider:anthropic"}],
            id="patient already: only the routing",
        ),
        pytest.param(
            {
                "anthropic": look("anthropic", Standing.DOWN),
                "instances": switched(**SET),
            },
            [],
            id="patient already, and nobody else there",
        ),
        pytest.param(
            {"openai": look("openai", Standing.QUOTA)},
            [{"LLM routing": "split:anthropic:10"}, {"LLM routing": "forcedProvider:anthropic"}],
            id="a quota is no rate: no waiting helps",
        ),
        pytest.param({"limited": by_model(openai=0.005)}, [], id="hardly any is refused now"),
        pytest.param({"limited": None}, [], id="nobody knows which refuses"),
        pytest.param({"openai": None}, [FIRST, ALL], id="how it stands is not known: as measured"),
    ],
)
def test_what_is_done_about_refused_calls(found, expected):
    assert values(limited(**found)) == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            {"openai": look("openai", Standing.QUOTA)}, "Only you can mend that", id="a quota"
        ),
        pytest.param({"anthropic": None}, "Anthropic is not known", id="the other is not known"),
        pytest.param({"instances": None}, "how calls are routed now", id="no switches"),
        pytest.param(
            {"anthropic_page": page("anthropic", "maintenance")}, "says maintenance", id="a page"
        ),
    ],
)
def test_routing_is_asked_for_in_doubt(found, words):
    planned = limited(**found)

    assert {step.asks for step in planned.steps} == {Asks.ALWAYS}
    assert words in said(planned)


def test_the_first_share_is_judged_by_whether_calls_are_still_refused():
    first, second = limited().steps

    assert first.proves is None
    assert second.needs == second.completes == first.key
    assert (first.risk, first.undo, first.restarts) == (Risk.DISRUPTIVE, True, True)
    assert first.asks is Asks.POLICY


def test_patience_alone_goes_back_as_soon_as_it_is_over():
    [step] = limited(anthropic=look("anthropic", Standing.DOWN)).steps

    assert step.undo
    assert step.undo_when is None


def test_an_unread_switch_makes_patience_a_question():
    planned = limited(anthropic=look("anthropic", Standing.DOWN), instances=None)

    assert [step.asks for step in planned.steps] == [Asks.ALWAYS]


def test_people_read_limit_and_where_to_raise_it():
    planned = limited()

    assert "its limit is 60 requests a minute" in planned.findings
    assert planned.cause == "OpenAI refuses 30% of the calls"
    longer = "a request whose calls are refused takes up to 3 s longer meanwhile"
    assert longer in planned.findings
    assert "ask OpenAI for a higher limit, https://platform.openai.com" in planned.when_out


def test_the_settings_say_how_patient_to_be():
    first, _ = limited({"llm_tries": 5, "llm_backoff_milliseconds": 500}).steps

    assert first.order["values"]["tries of an LLM call"] == "5"
    assert first.order["values"]["first wait between them (ms)"] == "500"


def test_nothing_that_could_be_read_changes_nothing():
    planned = limited(**dict.fromkeys(LIMITED))

    assert planned.steps == ()
    assert "which provider refuses calls is not known" in planned.cause


def test_it_has_recovered_under_one_per_cent():
    assert consult("LLMRateLimitExceeded").facts.condition.threshold == 0.01
