"""Numbers of the policy that would make a response wait for ever, or not at all."""

import math

import pytest
from pydantic import ValidationError

from activities.words import Severity
from workers.settings import Settings
from workers.summary_settings import SummarySettings
from workflows.policy import Policy


@pytest.mark.parametrize("number", [0, -1, math.nan, math.inf, 1e12])
@pytest.mark.parametrize(
    "field", sorted(name for name in Policy.model_fields if name.endswith("_seconds"))
)
def test_a_time_is_more_than_nothing_and_has_an_end(field, number):
    if (field, number) == ("symptom_hold_seconds", 0):
        return  # a page that waits for no cause
    with pytest.raises(ValidationError, match=field):
        Policy(**{field: number})


@pytest.mark.parametrize("number", [0, -1, math.nan])
@pytest.mark.parametrize(
    "field", ["respond_seconds", "escalate_seconds", "question_seconds", "update_seconds"]
)
def test_a_time_of_a_severity_is_more_than_nothing(field, number):
    severities = Policy().model_dump()["severities"]
    severities[Severity.CRITICAL][field] = number

    with pytest.raises(ValidationError, match=field):
        Policy(severities=severities)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"verify_every_seconds": 301}, "verify_seconds", id="no look in a watch"),
        pytest.param({"undo_verify_seconds": 10}, "undo_verify_seconds", id="no look after undo"),
        pytest.param({"settle_seconds": 14}, "settle_seconds", id="no look while it settles"),
        pytest.param({"good_looks": 21}, "good_looks", id="more good looks than looks"),
        pytest.param({"restarts_of_a_target": 0}, "restarts_of_a_target", id="no restart at all"),
        pytest.param({"pace": math.nan}, "pace", id="no pace"),
        pytest.param({"preapproved": ["nonsense"]}, "preapproved", id="not a step"),
        pytest.param({"preapproved": ["host.restart_service@"]}, "preapproved", id="no target"),
        pytest.param({"two_people": ["dangerous"]}, "two_people", id="no risk, and no step"),
        pytest.param({"two_people": ["host.restart_service@"]}, "two_people", id="no such step"),
    ],
)
def test_a_policy_that_could_never_be_kept_is_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        Policy(**given)


def test_a_step_is_preapproved_by_its_activity_and_target():
    assert Policy(preapproved=["host.restart_service@redis"]).preapproved


@pytest.mark.parametrize("named", ["destructive", "postgres.terminate", "switches.set@the API"])
def test_two_people_are_asked_for_by_risk_by_step_or_by_step_and_target(named):
    assert Policy(two_people=[named]).two_people == (named,)


def test_a_mode_of_an_alert_that_there_is_not_is_refused_by_its_name():
    with pytest.raises(ValidationError, match="there is no procedure for HighLLMCosts"):
        Settings(policy={"modes": {"HighLLMCosts": "observe", "HighLLMCost": "observe"}})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"weekday": "monday"}, "weekday", id="no weekday"),
        pytest.param({"weekday": "mon", "at": ""}, "weekday needs at too", id="no time of day"),
        pytest.param({"time_zone": "Berlin"}, "time_zone", id="no time zone"),
        pytest.param({"to": ["nobody"]}, "to", id="no address"),
    ],
)
def test_a_summary_that_could_not_be_sent_is_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        SummarySettings(**given)
