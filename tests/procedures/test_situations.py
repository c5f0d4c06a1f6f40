from datetime import UTC, datetime

import pytest

from activities.edge import Flag
from activities.verification import Answering, Below, Condition, Every
from tests.procedures.ladders import every
from workflows.explanation import CHECKS, everything, explained
from workflows.policy import Mode, Policy
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Given
from workflows.procedures.cache import RedisConnectionFailure
from workflows.situations import SITUATIONS
from workflows.situations.base import NOTHING_READ, Situation, Situations
from workflows.situations.by_hand import FLAG, MAINTENANCE

ALL = [pytest.param(these, id=these.procedure.__name__) for these in SITUATIONS]


def test_every_procedure_has_its_situations_in_runbook_order():
    assert [these.procedure for these in SITUATIONS] == list(PROCEDURES)


@pytest.mark.parametrize("these", ALL)
def test_each_situation_is_another_one_and_its_plan_says_so(these):
    names = [one.name for one in these]
    plans = [these.plan(one, Given()) for one in these]

    assert names[-1] == NOTHING_READ
    assert len(names) >= 3
    assert len(set(names)) == len(names)
    assert len({repr(plan) for plan in plans}) == len(plans), "two situations, and one plan"
    assert any(plan.steps for plan in plans) or these.procedure.__name__ in HANDED_OVER
    assert all(plan.cause for plan in plans)
    assert these.by_hand.endswith("\n")


HANDED_OVER: set[str] = set()
"""Procedures that never change anything themselves."""


def test_whatever_a_procedure_may_change_is_in_one_of_its_situations():
    planned = {step.activity for answer in every() if answer.plan for step in answer.plan.steps}
    shown = {name for each in everything(Given(), Policy()) for name in each.may}

    assert planned <= shown, "add a situation in workflows/situations/ in which it is planned"


RESTARTS = {"processes.rolling_restart", "processes.restart_instance"}


@pytest.mark.parametrize("these", ALL)
def test_before_the_api_is_restarted_a_short_profile_stands_in_the_record(these):
    planned = {step.activity for one in these for step in these.plan(one, Given()).steps}
    looked = {probe.activity for probe in these.procedure(Given()).probes()}

    assert "host.busiest_processes" in looked or not planned & RESTARTS


@pytest.mark.parametrize("these", ALL)
def test_a_situation_answers_every_probe(these):
    assert not these.unanswered, "say in workflows/situations/ what it usually finds"


def test_a_situation_answers_no_other_probe_and_what_it_leaves_out_is_not_read():
    [redis] = [these for these in SITUATIONS if these.procedure is RedisConnectionFailure]
    blind = Situations(RedisConnectionFailure, {}, ())
    [nothing] = blind

    with pytest.raises(ValueError, match="no probe moon"):
        redis.plan(Situation("x", {"moon": None}), Given())
    assert blind.unanswered == redis.usual.keys()
    assert "could not be read" in blind.plan(nothing, Given()).findings[0]


@pytest.mark.parametrize("procedure", PROCEDURES, ids=lambda kind: kind.__name__)
def test_recovery_is_said_in_words(procedure):
    one = explained(procedure, Given(fast_window="7s", pace_window="9s"), Policy())

    for said in one.recovered:
        assert not set("{}[]_") & set(said), f"no words for {said}"
    assert checks(one.facts.condition) <= CHECKS.keys()
    assert one.told
    assert one.decision.endswith(".")


def checks(condition: Condition) -> set[str]:
    match condition:
        case Answering():
            return set(condition.checks)
        case Every():
            return set().union(*map(checks, condition.conditions))
        case Below():
            return set()


@pytest.mark.parametrize(
    ("policy", "decided"),
    [
        pytest.param(Policy(), ["asks first", "by itself"], id="guarded"),
        pytest.param(Policy(mode=Mode.OBSERVE), ["only says so", "only says so"], id="observe"),
        pytest.param(
            Policy(preapproved=("host.restart_service@redis",)),
            ["by itself", "by itself"],
            id="approved beforehand",
        ),
    ],
)
def test_who_decides_is_what_the_policy_of_this_installation_says(policy, decided):
    one = explained(RedisConnectionFailure, Given(), policy)
    [lost] = [it for it in one.responses if it.situation.endswith("not declared to keep its data")]

    assert [act.decides for act in lost.acts] == decided


def test_the_maintenance_page_that_is_typed_by_hand_is_one_that_the_edge_understands():
    flag = Flag.model_validate_json(FLAG)

    [hold] = flag.holding(datetime(2026, 11, 23, 3, tzinfo=UTC)).values()
    assert (hold.share, flag.message) == (0.0, "Back soon.")
    assert FLAG in MAINTENANCE


def test_the_settings_of_an_installation_decide_what_is_explained():
    [page] = [
        one
        for one in everything(Given(thresholds={"HighAPILatency": 0.7}), Policy())
        if one.facts.name == "HighAPILatency"
    ]

    assert page.recovered == ("p95 of the API is under 0.7 s, with traffic over 0.1 a second",)
