import pytest

from activities.record import Asks
from activities.words import Risk, Severity
from tests.procedures.asking import activities, consult, plan, said, the
from tests.procedures.failing_api import (
    DATABASE_GONE,
    FULL,
    MAINTENANCE,
    SILENT,
    SWITCH,
)
from tests.procedures.failing_api import FINE as FAILING
from tests.procedures.slow_api import (
    FINE,
    INDEX,
    MIB,
    SCALE,
    capacity,
    connections,
    instances,
    series,
    value,
)
from workflows.policy import Policy, Verdict

SHARED = ("reach", "reach_from_host", "from_worker", "from_host", "service", "sessions", "edge",
          "throughout")  # fmt: skip
SLOW = (
    FINE
    | {key: FAILING[key] for key in SHARED}
    | {
        "p95": value(3.4),
        "connections": connections(used=60, most=400),
    }
)
PROVIDER = {"providers": series("provider", openai=14.0, anthropic=2.0)}
DATABASE = {"queries": series("query_type", select=1.9)}


def critical(given=None, **found):
    return plan("CriticalAPILatency", SLOW | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected", "cause"),
    [
        pytest.param({}, [SCALE, MAINTENANCE], "not what is slow", id="scale, then shield"),
        pytest.param(
            PROVIDER, [SWITCH, SCALE, MAINTENANCE], "an LLM provider is slow: openai 14.00 s",
            id="a slow provider: circuit breaker first",
        ),
        pytest.param(
            DATABASE, [INDEX, MAINTENANCE], "the database is slow: select 1.90 s",
            id="an overloaded database: its own steps, and no scaling",
        ),
        pytest.param(
            DATABASE | PROVIDER, [SWITCH, INDEX, MAINTENANCE], "openai 14.00 s; the database",
            id="both: the breaker is quickest",
        ),
        pytest.param(
            {"connections": FULL}, [SWITCH, MAINTENANCE], "170 of 200 connections are used",
            id="connections used up: they are freed, and no scaling",
        ),
        pytest.param(
            DATABASE_GONE, [MAINTENANCE], "the database does not answer (refused)",
            id="the database does not answer: no scaling",
        ),
        pytest.param(
            {"reach_from_host": SILENT}, [MAINTENANCE], "the database does not answer",
            id="one of two looks says so: no scaling",
        ),
        pytest.param(
            {"instances": instances(10)}, [MAINTENANCE], "not what is slow",
            id="ten run already: none is added",
        ),
        pytest.param(
            {"capacity": capacity(memory_available_bytes=900 * MIB)}, [MAINTENANCE],
            "not what is slow", id="the host has no room for ten",
        ),
        pytest.param({"p95": value(1.2)}, [], "under 2 s", id="it is under the bound by now"),
        pytest.param(
            {"p95": None}, [SCALE, MAINTENANCE], "p95 could not be read",
            id="p95 could not be read: treated as slow",
        ),
    ],
)  # fmt: skip
def test_what_is_slow_is_cut_off_treated_or_given_more_hands(found, expected, cause):
    planned = critical(**found)

    assert activities(planned) == expected
    assert cause in planned.cause


def test_what_could_not_be_read_is_not_called_well():
    assert "whether the database is slow is not known" in critical(queries=None).cause
    assert the(critical(queries=None), SCALE).asks is Asks.ALWAYS


def test_it_says_how_slow_it_is_in_the_words_of_the_runbook():
    planned = critical()

    assert planned.cause.startswith("CRITICAL: API latency is extremely high, p95 is 3.4 s")
    assert "Escalate to the CTO or VP Engineering" in planned.when_out
    assert consult("CriticalAPILatency").facts.impact == "All users experience slow response times."


def test_it_scales_to_ten_and_never_beyond_what_the_settings_allow():
    assert the(critical(), SCALE).order["replicas"] == 10
    assert the(critical({"replicas_critical": 40}), SCALE).order["replicas"] == 12
    assert the(critical(), SCALE).asks is Asks.POLICY
    assert the(critical(connections=None), SCALE).asks is Asks.ALWAYS
    full = critical(connections=connections(used=60, most=200))
    assert SCALE not in activities(full)
    assert "10 instances may open 200 connections, and the database has 187" in said(full)


def test_a_slow_api_is_hidden_from_users_only_after_asking():
    step = the(critical(), MAINTENANCE)

    assert step.risk is Risk.OUTAGE
    assert Policy().decide(step, Severity.CRITICAL) is Verdict.ASK
    assert step.alone_if is not None, "unless most requests fail outright when its turn comes"


def test_nothing_of_the_evidence_could_be_read():
    assert [step.asks for step in critical(**dict.fromkeys(SLOW)).steps] == [Asks.ALWAYS] * 2
