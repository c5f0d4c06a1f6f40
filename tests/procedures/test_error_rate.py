"""Requests fail: which treatment follows from which status, and who decides."""

from datetime import timedelta

import pytest

from activities.host import Logs
from activities.postgres_findings import Finding
from activities.postgres_reach import Selected
from activities.record import Asks
from activities.sentry import Issue, Issues
from activities.supervisor import Processes
from activities.words import Mode, Severity
from tests.procedures.asking import NOW, activities, consult, said, the
from tests.procedures.failing_api import (
    CRASHED,
    DATABASE_GONE,
    DEPLOYED,
    FINE,
    FULL,
    LATE,
    LOOPING,
    MAINTENANCE,
    REDIS_GONE,
    RESTART,
    ROLLBACK,
    SWITCH,
    UNAVAILABLE,
    critical,
    high,
    statuses,
)
from tests.procedures.slow_api import instances, series, value
from tests.procedures.test_critical_api_latency import critical as latency
from workflows.policy import Policy, Verdict

REDIS = "host.restart_service"
ON = {"NON_CRITICAL_LLM_OFF": "true", "SERVE_CACHED": "true", "LLM_TIMEOUT_MS": "10000"}


@pytest.mark.parametrize(
    ("base", "found", "expected", "cause"),
    [
        pytest.param(FINE, {}, [], "the code fails", id="500 without a deployment: a hotfix"),
        pytest.param(DEPLOYED, {}, [ROLLBACK], "the code fails", id="500 after a deployment"),
        pytest.param(CRASHED, {}, [RESTART], "crashes", id="502: restart"),
        pytest.param(
            DEPLOYED, {"by_status": statuses(s502=1.0), "instances": LOOPING}, [ROLLBACK],
            "over and over", id="502 in a crash loop after a deployment: roll back",
        ),
        pytest.param(
            CRASHED, {"instances": LOOPING}, [], "over and over",
            id="502 in a crash loop of an unchanged release: a person",
        ),
        pytest.param(
            UNAVAILABLE, DATABASE_GONE, [], "the database does not answer (refused)",
            id="503, no database: its own procedure",
        ),
        pytest.param(
            UNAVAILABLE, REDIS_GONE, [REDIS, SWITCH], "Redis is down",
            id="503, no Redis: what its procedure does",
        ),
        pytest.param(
            UNAVAILABLE, {"connections": FULL}, [SWITCH],
            "170 of 200 connections are used", id="503, connections used up: they are freed",
        ),
        pytest.param(
            UNAVAILABLE, {}, [RESTART], "nothing that is measured says why",
            id="503 with all that it stands on well: a restart is proposed",
        ),
        pytest.param(
            LATE, {"providers": series("provider", openai=14.0)}, [SWITCH],
            "an LLM provider is slow: openai 14.00 s", id="504, slow provider: circuit breaker",
        ),
        pytest.param(
            LATE, {"queries": series("query_type", select=2.0)}, [SWITCH],
            "the database is slow: select 2.00 s", id="504, slow database: cached answers",
        ),
        pytest.param(
            LATE, {"providers": series("provider", openai=14.0),
                   "queries": series("query_type", select=2.0)}, [SWITCH],
            "openai 14.00 s; the database is slow", id="504, both slow: one restart for both",
        ),
        pytest.param(
            LATE, {}, [RESTART], "nothing that is measured says why",
            id="504 and nothing is slow: a restart is proposed",
        ),
        pytest.param(
            DEPLOYED, {"by_status": statuses(s500=1.0, s502=0.9, s503=0.8)}, [RESTART],
            "no single status", id="no status dominates: a restart is proposed",
        ),
        pytest.param(
            DEPLOYED, {"by_status": statuses(s500=1.0, s503=1.0)}, [RESTART], "no single status",
            id="two halves dominate nothing",
        ),
        pytest.param(
            DEPLOYED, {"by_status": statuses(s507=1.0)}, [RESTART], "most answer 507",
            id="another status: a restart is proposed",
        ),
        pytest.param(
            DEPLOYED, {"by_status": None}, [RESTART], "no single status",
            id="by status could not be read",
        ),
        pytest.param(
            DEPLOYED, {"failing": value(0.03)}, [], "3.0% of the requests fail now, under 5%",
            id="it is over by now: nothing is changed",
        ),
        pytest.param(
            DEPLOYED, {"failing": value(None)}, [ROLLBACK], "most answer 500",
            id="how many fail is not known: treated as failing",
        ),
    ],
)  # fmt: skip
def test_a_warning_is_treated_by_what_most_failures_have_in_common(base, found, expected, cause):
    planned = high(base, **found)

    assert activities(planned) == expected
    assert cause in planned.cause


def test_a_look_at_the_database_that_learnt_nothing_is_no_outage_of_it():
    blind = Selected(answered=False, finding=Finding.WRONG_CREDENTIALS, said="password")
    assert ROLLBACK in activities(critical(DEPLOYED, reach=blind))
    assert the(critical(DEPLOYED, reach=blind), ROLLBACK).asks is Asks.POLICY
    both = critical(DEPLOYED, reach=blind, reach_from_host=None)
    assert the(both, ROLLBACK).asks is Asks.ALWAYS


@pytest.mark.parametrize(
    ("finding", "procedure"),
    [(Finding.REFUSED, "SupabaseDown"), (Finding.TOO_MANY, "DatabaseConnectionErrors")],
)
def test_people_are_told_which_procedure_treats_the_database(finding, procedure):
    look = Selected(answered=False, finding=finding, said="no", failures=3)

    assert f"{procedure} says what to do" in said(high(UNAVAILABLE, reach=look))


def test_what_redis_s_procedure_asks_is_asked_once_and_under_its_own_keys():
    probes = {probe.key: probe.activity for probe in consult("CriticalAPIErrorRate").probes}
    redis = {probe.key: probe.activity for probe in consult("RedisConnectionFailure").probes}

    assert redis.items() <= probes.items()


def test_a_restart_without_a_cause_is_only_proposed_and_one_for_502_is_the_policys():
    assert the(high(LATE), RESTART).asks is Asks.ALWAYS
    assert the(high(CRASHED), RESTART).asks is Asks.POLICY
    assert the(high(CRASHED, instances=None), RESTART).asks is Asks.ALWAYS


def test_the_circuit_breaker_is_one_restart_and_sets_only_what_is_not_set():
    slow = {"providers": series("provider", openai=14.0)}
    step = the(high(LATE, **slow), SWITCH)
    assert step.order["values"] == {
        "non-critical LLM calls off": "true",
        "cached answers served": "true",
        "LLM time-out (ms)": "10000",
    }
    assert step.undo
    assert step.asks is Asks.POLICY

    halfway = instances(environment={"SERVE_CACHED": "true", "LLM_TIMEOUT_MS": "5000"})
    step = the(high(LATE, instances=halfway, **slow), SWITCH)
    assert step.order["values"] == {"non-critical LLM calls off": "true"}

    planned = high(LATE, instances=instances(environment=ON), **slow)
    assert activities(planned) == []
    assert "the circuit breaker is on already" in planned.findings

    assert the(high(LATE, instances=None, **slow), SWITCH).asks is Asks.ALWAYS


def test_what_two_causes_set_is_set_in_one_restart_each_for_its_reason():
    slow = {"providers": series("provider", openai=14.0), "connections": FULL}
    planned = latency(**slow)

    step = the(planned, SWITCH)
    assert step.order["values"] == {
        "non-critical LLM calls off": "true",
        "cached answers served": "true",
        "LLM time-out (ms)": "10000",
        "database pool size": "88",
    }
    assert "a circuit breaker" in step.why
    assert "the API's own pools may be what runs out" in step.why
    assert step.asks is Asks.POLICY


def test_for_a_slow_database_only_cached_answers_are_switched_on():
    step = the(high(LATE, queries=series("query_type", select=2.0)), SWITCH)

    assert step.order["values"] == {"cached answers served": "true"}


def test_people_read_which_requests_fail_why_they_crash_and_what_sentry_has_seen():
    issue = Issue(
        title="TypeError: plan is undefined", culprit="billing.ts in plan", count=212, users=40,
        first_seen=NOW - timedelta(minutes=9), last_seen=NOW, url="https://sentry.io/i/1",
    )  # fmt: skip
    text = said(
        high(
            CRASHED,
            {"sentry": "https://sentry.io/pravado"},
            issues=Issues(issues=(issue,)),
            logs=Logs(text="listening\nFATAL ERROR: heap out of memory\nlistening", lines=3),
        )
    )

    for expected in (
        "failing requests by status: 502 100%",
        "most errors: /api/dashboard (500) 1.80/s",
        "“TypeError: plan is undefined” 212 times in billing.ts in plan, first at 02:51",
        "the API wrote: FATAL ERROR: heap out of memory",
        "errors: https://sentry.io/pravado",
        "last deployment: v1.42.0 by ana, 30 hours before the alert began",
    ):
        assert expected in text
    assert "listening" not in text


@pytest.mark.parametrize(
    ("base", "found", "expected"),
    [
        pytest.param(
            DEPLOYED, {}, [ROLLBACK, RESTART, MAINTENANCE], id="after a deployment: roll back first"
        ),
        pytest.param(FINE, {}, [RESTART, MAINTENANCE], id="no deployment of late: restart"),
        pytest.param(
            DEPLOYED, {"instances": LOOPING}, [ROLLBACK, MAINTENANCE],
            id="a crash loop is rolled back, and not restarted",
        ),
        pytest.param(
            DEPLOYED, DATABASE_GONE, [MAINTENANCE],
            id="the database does not answer: neither rolled back nor restarted",
        ),
        pytest.param(
            DEPLOYED, REDIS_GONE, [REDIS, SWITCH, MAINTENANCE],
            id="Redis does not answer: what its procedure does",
        ),
        pytest.param(
            DEPLOYED, DATABASE_GONE | REDIS_GONE, [REDIS, SWITCH, MAINTENANCE], id="both are gone"
        ),
        pytest.param(
            DEPLOYED, {"connections": FULL}, [ROLLBACK, SWITCH, RESTART, MAINTENANCE],
            id="connections used up after a deployment: it may be the release that does it",
        ),
        pytest.param(
            FINE, {"connections": FULL}, [SWITCH, RESTART, MAINTENANCE],
            id="connections used up: they are freed",
        ),
        pytest.param(
            LATE, {"providers": series("provider", openai=14.0)}, [SWITCH, MAINTENANCE],
            id="504 by a slow provider: circuit breaker",
        ),
        pytest.param(
            DEPLOYED, {"by_status": None}, [ROLLBACK, RESTART, MAINTENANCE],
            id="by status could not be read: down is down",
        ),
        pytest.param(
            DEPLOYED, {"releases": None}, [RESTART, MAINTENANCE],
            id="deployments could not be read: no rollback",
        ),
        pytest.param(DEPLOYED, {"failing": value(0.01)}, [], id="it is over by now"),
    ],
)  # fmt: skip
def test_an_outage_is_treated_from_below_and_users_are_shielded_at_last(base, found, expected):
    assert activities(critical(base, **found)) == expected


def test_an_outage_says_how_many_fail_in_the_words_of_the_runbook():
    planned = critical(DEPLOYED)

    assert planned.cause.startswith("OUTAGE: 64% of the requests fail")
    assert "ETA unknown" in planned.when_out
    facts = consult("CriticalAPIErrorRate").facts
    assert facts.impact.startswith("Most users cannot use the service")
    assert facts.condition.threshold == 0.05, "between 5 and 20 % it has become High"
    blind = critical(DEPLOYED, reach=None, reach_from_host=None)
    assert "whether the database answers is not known" in blind.cause
    assert "an unknown share" in critical(DEPLOYED, failing=None).cause


def test_an_outage_is_rolled_back_and_restarted_without_asking():
    planned, policy = critical(DEPLOYED), Policy()

    for activity in (ROLLBACK, RESTART):
        step = the(planned, activity)
        assert policy.decide(step, Severity.CRITICAL) is Verdict.ACT
        assert Policy(mode=Mode.OBSERVE).decide(step, Severity.CRITICAL) is Verdict.NEVER
    assert policy.decide(the(high(DEPLOYED), ROLLBACK), Severity.WARNING) is Verdict.ASK


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        pytest.param(
            value(0.52), "at least 52% failed at every look", id="most have failed for minutes"
        ),
        pytest.param(value(0.02), "at least 2% failed at every look", id="few have"),
        pytest.param(None, "how many failed is not known", id="could not be read"),
    ],
)
def test_users_are_shielded_after_asking_unless_it_is_as_bad_when_the_turn_comes(failed, told):
    step = the(critical(DEPLOYED, throughout=failed), MAINTENANCE)

    assert step.asks is Asks.ALWAYS, "as it is now, for its turn is minutes away"
    assert step.alone_if.threshold == 0.5
    assert "[300s:15s]" in step.alone_if.expression
    assert any(detail.endswith(f"in the last 5 min {told}") for detail in step.details)


@pytest.mark.parametrize(
    ("mode", "severity", "verdict"),
    [
        (Mode.GUARDED, Severity.CRITICAL, Verdict.ACT),
        (Mode.AUTONOMOUS, Severity.CRITICAL, Verdict.ACT),
        (Mode.GUARDED, Severity.WARNING, Verdict.ASK),
        (Mode.OBSERVE, Severity.CRITICAL, Verdict.NEVER),
    ],
)
def test_what_needs_no_asking_is_still_the_policys(mode, severity, verdict):
    step = the(critical(DEPLOYED), MAINTENANCE).model_copy(update={"asks": Asks.NEVER})

    assert Policy(mode=mode).decide(step, severity) is verdict


def test_without_any_evidence_nothing_is_done_alone():
    nothing = dict.fromkeys(FINE)

    assert all(step.asks is Asks.ALWAYS for step in critical(nothing, failing=None).steps)
    assert Processes(app="pravado-api", instances=()).online == 0
    planned = high(nothing | {"failing": None})
    assert [step.asks for step in planned.steps] == [Asks.ALWAYS]
