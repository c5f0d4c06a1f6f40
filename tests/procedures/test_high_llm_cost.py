import pytest

from activities.llm_usage import Spending
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import activities, consult, said, the
from tests.procedures.llm import COSTLY, costly, spender, switched
from tests.procedures.slow_api import value

SWITCH, THROTTLE = "switches.set", "llm.throttle"
CHEAP = {"LLM_MODEL": "gpt-5.4-mini"}


def spending(*organizations):
    return Spending(hours=1, total_usd=100.0, organizations=organizations)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [SWITCH, THROTTLE], id="a cheaper model, then whoever is over the limit"),
        pytest.param(
            {"spending": spending(spender("7", 19.0))}, [SWITCH], id="nobody is over the limit"
        ),
        pytest.param(
            {"spending": spending(spender("7", 900.0, limit=None))}, [SWITCH], id="no limit is set"
        ),
        pytest.param({"spending": spending()}, [SWITCH], id="an empty log names nobody"),
        pytest.param({"spending": None}, [SWITCH], id="a log that cannot be read names nobody"),
        pytest.param({"instances": switched(**CHEAP)}, [THROTTLE], id="the cheaper one already"),
        pytest.param(
            {"instances": switched(**CHEAP), "spending": None}, [], id="nothing is left to do"
        ),
        pytest.param({"cost": value(12.0)}, [], id="the pace has come down by itself"),
        pytest.param({"cost": None}, [SWITCH, THROTTLE], id="the pace is not known: asked"),
        pytest.param({"cost": value(None)}, [SWITCH, THROTTLE], id="no data is not health"),
    ],
)
def test_what_is_done_about_the_bill(found, expected):
    assert activities(costly(**found)) == expected


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="as the policy says"),
        pytest.param({"cost": None}, Asks.ALWAYS, id="the pace is not known"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the present model is not known"),
    ],
)
def test_the_cheaper_model_is_disruptive_and_goes_back(found, asks):
    step = the(costly(**found), SWITCH)

    assert step.order["values"] == {"LLM model": "gpt-5.4-mini"}
    assert (step.risk, step.undo, step.asks) == (Risk.DISRUPTIVE, True, asks)


def test_each_organization_is_named_and_a_person_decides():
    found = spending(spender("7", 160.0), spender("12", 25.5), spender("13", 3.0))
    step = the(costly(spending=found), THROTTLE)

    assert step.order == {"organizations": {"7": 6, "12": 6}}
    assert (step.asks, step.risk, step.undo, step.restarts) == (
        Asks.ALWAYS, Risk.DISRUPTIVE, True, False,
    )  # fmt: skip
    assert step.effect == "slow organization 7, 12 down to 6 LLM requests a minute each"
    assert step.details[0] == (
        "organization 7: $160.00 today, limit $20.00; 400 requests in the last hour"
    )


def test_the_settings_name_model_and_rate():
    planned = costly({"llm_cheaper_model": "gpt-6-luna", "llm_throttled_per_minute": 0})

    assert the(planned, SWITCH).order["values"] == {"LLM model": "gpt-6-luna"}
    assert the(planned, THROTTLE).order == {"organizations": {"7": 0}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "$180 an hour: organization 7 with gpt-4 $160"),
        ({}, "review the prompts of whoever spends most in an hour: 7 $80.00, 12 $1.50"),
        ({"spending": None}, "nobody is slowed down: organizations that spent most: could not"),
        ({"spending": spending()}, "no organization is over a daily limit"),
        ({"instances": switched(**CHEAP)}, "calls go to gpt-5.4-mini already"),
        ({"shares": None}, "by whom is not known"),
        ({"cost": value(12.0)}, "$12 an hour are spent now, under $50: nothing was changed."),
    ],
)
def test_people_read_who_spends_what(found, words):
    assert words in said(costly(**found))


def test_more_are_over_the_limit_than_can_be_read_at_a_glance():
    many = spending(*(spender(str(number), 30.0) for number in range(10)))

    assert len(the(costly(spending=many), THROTTLE).details) == 10


def test_an_organization_without_a_readable_id_is_for_people():
    odd = spending(spender("a b; drop", 30.0), spender("7", 30.0))

    assert the(costly(spending=odd), THROTTLE).order == {"organizations": {"7": 6}}


def test_nothing_that_could_be_read_asks_first():
    planned = costly(**dict.fromkeys(COSTLY))

    assert [step.asks for step in planned.steps] == [Asks.ALWAYS]


def test_it_has_recovered_under_fifty_dollars_an_hour():
    condition = consult("HighLLMCost").facts.condition

    assert (condition.threshold, condition.unit) == (50, "$/h")
