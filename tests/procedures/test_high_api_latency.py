from datetime import timedelta

import pytest

from activities.deployments import Release, ReleaseHistory
from activities.postgres_statements import Statement, Statements
from activities.record import Asks
from activities.sentry import Transaction, Transactions
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, said, the
from tests.procedures.slow_api import (
    DATABASE,
    FINE,
    INDEX,
    LEAK,
    LLM,
    MIB,
    RESTART,
    SCALE,
    SPIKE,
    SWITCH,
    capacity,
    connections,
    instances,
    latency,
    value,
)


@pytest.mark.parametrize(
    ("base", "expected", "cause"),
    [
        pytest.param(FINE, [RESTART], "no clear cause", id="no clear cause: a restart is proposed"),
        pytest.param(SPIKE, [SCALE], "traffic grew 3.0 times", id="a traffic spike: scale"),
        pytest.param(
            DATABASE, [INDEX], "the database is slow: select 0.90 s", id="database: index"
        ),
        pytest.param(
            LLM, [SWITCH, SWITCH], "an LLM provider is slow: openai 14.00 s", id="LLM: switch"
        ),
        pytest.param(LEAK, [RESTART], "memory grows by 25% an hour", id="memory grows: restart"),
        pytest.param(
            DATABASE | {"providers": LLM["providers"]},
            [INDEX, SWITCH, SWITCH],
            "the database is slow: select 0.90 s; an LLM provider is slow",
            id="two causes: each is treated, in the runbook's order",
        ),
        pytest.param(
            SPIKE | {"queries": DATABASE["queries"]},
            [INDEX],
            "the database is slow",
            id="a spike on a slow database is not scaled: it would drown it",
        ),
        pytest.param(
            SPIKE | {"slope": LEAK["slope"]},
            [SCALE],
            "traffic grew",
            id="memory that grows with traffic is no leak",
        ),
        pytest.param(
            LEAK | {"instances": instances(started=600)},
            [RESTART],
            "no clear cause",
            id="memory that grows after a start is no leak",
        ),
        pytest.param(
            FINE | {"slope": value(10 * MIB / 3600)},
            [RESTART],
            "no clear cause",
            id="memory that grows by a fortieth an hour is no leak",
        ),
        pytest.param(
            FINE | {"slope": value(1000.0), "capacity": capacity(memory_available_bytes=900 * MIB)},
            [RESTART],
            "memory grows",
            id="a host short of memory, and still growing: restart",
        ),
        pytest.param(
            FINE | {"capacity": capacity(memory_available_bytes=900 * MIB)},
            [RESTART],
            "no clear cause",
            id="a host short of memory that does not grow is no leak",
        ),
        pytest.param(
            SPIKE | {"p95": value(0.3)}, [], "p95 is 0.30 s now", id="it is fast again: no step"
        ),
        pytest.param(SPIKE | {"p95": None}, [SCALE], "traffic grew", id="p95 could not be read"),
        pytest.param(SPIKE | {"p95": value(None)}, [SCALE], "traffic grew", id="p95 has no data"),
    ],
)
def test_each_cause_is_treated_as_the_runbook_says(base, expected, cause):
    planned = latency(base)

    assert activities(planned) == expected
    assert cause in planned.cause


def test_a_restart_without_a_clear_cause_is_only_proposed():
    restart = the(latency(), RESTART)

    assert restart.asks is Asks.ALWAYS
    assert restart.effect == "restart all 2 instances of pravado-api, one at a time"
    assert (restart.risk, restart.restarts, restart.undo) == (Risk.DISRUPTIVE, True, False)


@pytest.mark.parametrize("base", [pytest.param(FINE, id="no cause"), pytest.param(LEAK, id="leak")])
@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"instances": instances(status="errored", restarts=16)}, id="given up by pm2"),
        pytest.param({"instances": instances(started=20, restarts=9)}, id="young, again and again"),
    ],
)
def test_what_crashes_over_and_over_is_not_restarted_once_more(base, found):
    planned = latency(base, **found)

    assert RESTART not in activities(planned)
    assert "crashes over and over" in said(planned)


def test_the_restart_of_a_leak_follows_the_policy_and_the_only_instance_is_named():
    assert the(latency(LEAK), RESTART).asks is Asks.POLICY
    assert the(latency(LEAK, instances=None), RESTART).asks is Asks.ALWAYS
    alone = the(latency(LEAK, instances=instances(1)), RESTART).effect
    assert "the one instance" in alone
    assert "nothing is answered meanwhile" in alone
    assert "find the leak" in said(latency(LEAK))


@pytest.mark.parametrize("key", [pytest.param(key, id=f"without {key}") for key in FINE])
def test_one_missing_answer_never_stops_the_plan(key):
    for base in (FINE, SPIKE, DATABASE, LLM, LEAK):
        planned = latency(base, **{key: None})
        risky = [step for step in planned.steps if step.asks is not Asks.ALWAYS]
        causes = {SCALE: SPIKE, SWITCH: LLM, RESTART: LEAK}
        assert all(base is causes[step.activity] for step in risky), "acts without its evidence"


def test_with_nothing_read_at_all_a_restart_is_proposed_and_every_gap_is_named_once():
    planned = latency(dict.fromkeys(FINE))

    assert [(step.activity, step.asks) for step in planned.steps] == [(RESTART, Asks.ALWAYS)]
    assert "not all of the evidence could be read" in planned.cause
    [gaps] = [finding for finding in planned.findings if finding.startswith("6 checks")]
    assert f"could not be read: {LATE} (" in gaps
    assert "p95 by type of query" in gaps


def test_people_get_what_only_they_can_do():
    statement = Statement(
        query_id=1, query="SELECT * FROM users", user="app", calls=900, total_seconds=800.0,
        mean_milliseconds=889.0, max_milliseconds=2000.0, rows=5, share=0.91,
    )  # fmt: skip
    last = Release(name="v1.42.0", at=NOW - timedelta(hours=30), author="dana")
    planned = latency(
        DATABASE,
        {"sentry": "https://sentry.example.com/pravado"},
        statements=Statements(by_total=(statement,)),
        releases=ReleaseHistory(releases=(last,), unread=("GitHub's deployments: down",)),
        transactions=Transactions(
            transactions=(
                Transaction(name="/api/orgs", p95_seconds=1.4, count=900),
                Transaction(name="/api/users/{id}", p95_seconds=0.2, count=900),
            )
        ),
        connections=connections(used=190),
    )
    text = said(planned)

    for expected in (
        "optimise “SELECT * FROM users”: 91% of the database's time, 900 calls of 889 ms",
        "https://app.supabase.com",
        "look for N+1 or unbatched queries, missing time-outs",
        "/api/orgs 0.90 s",
        "https://sentry.example.com/pravado",
        "last deployment: v1.42.0 by dana, 30 hours before the alert began",
        "deployments: GitHub's deployments: down",
        "slow transactions in Sentry: /api/orgs 1.40 s",
        "190 of 200 database connections are used",
    ):
        assert expected in text
    assert "sentry" not in said(latency(DATABASE)).lower()


def test_the_window_and_the_threshold_of_the_settings_are_used_everywhere():
    given = {"fast_window": "10s", "thresholds": {"HighAPILatency": 0.8}, "baseline_offset": "15s"}
    answer = consult("HighAPILatency", **given)

    assert answer.facts.condition.threshold == 0.8
    assert "[10s]" in answer.facts.condition.expression
    asked = {probe.key: probe.ask.get("expression", "") for probe in answer.probes}
    assert not [key for key, expression in asked.items() if "[1m]" in expression]
    assert "[10s] offset 15s" in asked["baseline"]
    assert "[30m]" in asked["slope"]
    assert activities(latency(given=given, p95=value(0.7))) == []
