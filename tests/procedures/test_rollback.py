"""When an earlier release is gone back to, by whom it is decided, and when never."""

import pytest

from activities.record import Asks
from activities.words import Mode, Risk, Severity
from tests.procedures.asking import LATE, NOW, activities, said, the
from tests.procedures.failing_api import (
    BAD,
    DATABASE_GONE,
    DEPLOYED,
    GOOD,
    OLDER,
    ROLLBACK,
    SILENT,
    high,
    history,
    release,
)
from workflows.policy import Policy, Verdict

UNKNOWN = GOOD.model_copy(update={"healthy_minutes": None})
SICK = GOOD.model_copy(update={"healthy_minutes": 200.0, "unhealthy_minutes": 60.0})


def step_of(**found):
    return the(high(DEPLOYED, **found), ROLLBACK)


def test_it_goes_to_the_newest_release_that_ran_well_and_says_whose_release_it_leaves():
    step = step_of()

    assert step.order["to"] == "v1.42.0"
    assert step.order["leaving"] == "v1.43.0"
    assert step.order["requested_at"] == NOW.isoformat().replace("+00:00", "Z")
    assert step.effect == (
        "roll pravado-api back from v1.43.0 to v1.42.0, which ran well for 28 hours"
    )
    assert step.why == "v1.43.0 by marek was deployed 12 minutes before the alert"
    assert "marek: please hold all deployments until this is resolved" in step.details
    assert (step.risk, step.asks) == (Risk.DISRUPTIVE, Asks.POLICY)
    assert step.once, "once in an incident"
    assert step.restarts, "it counts as a restart"
    assert not step.undo, "going forward again is a deployment"


@pytest.mark.parametrize(
    ("releases", "to"),
    [
        pytest.param([BAD, SICK, OLDER], "v1.41.0", id="the one before ran badly for long"),
        pytest.param(
            [BAD, GOOD.model_copy(update={"healthy_minutes": 29.0}), OLDER],
            "v1.41.0",
            id="the one before has not proved itself for 30 minutes",
        ),
        pytest.param(
            [BAD, GOOD.model_copy(update={"ready": False}), OLDER],
            "v1.41.0",
            id="the one before is not built here",
        ),
        pytest.param(
            [BAD, GOOD.model_copy(update={"left": True}), OLDER],
            "v1.41.0",
            id="an incident has left the one before",
        ),
        pytest.param([BAD, UNKNOWN, OLDER], "v1.41.0", id="how the one before ran is not known"),
    ],
)
def test_a_release_that_is_not_known_to_have_run_well_is_passed_over(releases, to):
    assert step_of(releases=history(*releases)).order["to"] == to


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(
            {"releases": history(BAD.model_copy(update={"migrations": True}), GOOD)},
            "v1.43.0 has migrations",
            id="migrations",
        ),
        pytest.param(
            {"releases": history(BAD.model_copy(update={"schema_changed": True}), GOOD)},
            "v1.43.0 has a change of the schema",
            id="schema",
        ),
        pytest.param(
            {"releases": history(BAD.model_copy(update={"environment_changed": True}), GOOD)},
            "v1.43.0 has a change of the environment",
            id="environment",
        ),
        pytest.param(
            {"releases": history(BAD.model_copy(update={"migrations": None}), GOOD)},
            "whether v1.43.0 has migrations is not told",
            id="nobody tells whether there are migrations",
        ),
        pytest.param(
            {"releases": history(BAD, SICK.model_copy(update={"migrations": True}), OLDER)},
            "v1.42.0 has migrations",
            id="migrations of a release in between",
        ),
        pytest.param(
            {"releases": history(BAD, UNKNOWN)},
            "how v1.42.0 ran is not known",
            id="no release is known to have run well",
        ),
        pytest.param(
            {"releases": history(unread=("GitHub's deployments: GitHub answered 503",))},
            "could not be read: GitHub's deployments: GitHub answered 503",
            id="a source that may know more could not be read",
        ),
        pytest.param(
            {"reach": None, "reach_from_host": None},
            "whether the database answers could not be read",
            id="the database probe could not be read",
        ),
    ],
)
def test_a_person_is_asked_in_every_mode_where_the_way_back_is_not_clear(found, why):
    step = step_of(**found)

    assert f"asked because {why}" in step.details
    for mode in (Mode.GUARDED, Mode.AUTONOMOUS):
        policy = Policy(mode=mode, preapproved=("deployments.rollback@pravado-api",))
        assert policy.decide(step, Severity.CRITICAL) is Verdict.ASK, "approved beforehand or not"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param({"releases": None}, LATE, id="no history"),
        pytest.param(
            {"releases": history(GOOD, OLDER)}, "the newest, v1.42.0, came 30 hours before",
            id="the last deployment is long ago",
        ),
        pytest.param(
            {"releases": history(release("v1.43.0", 61), GOOD)}, "61 minutes before the alert",
            id="just over an hour before",
        ),
        pytest.param(
            {"releases": history(release("v1.43.0", -3), GOOD)}, "after the alert began",
            id="somebody deploys already",
        ),
        pytest.param(
            {"releases": history(rolling="deploy.lock is there")}, "deploy.lock is there",
            id="a rollout is under way",
        ),
        pytest.param(
            {"releases": history(running="v1.42.0")}, "v1.42.0 runs, and not v1.43.0",
            id="somebody has rolled back already",
        ),
        pytest.param(
            {"releases": history().model_copy(update={"running": ""})},
            "which release runs is not known", id="what runs is not known",
        ),
        pytest.param(DATABASE_GONE, "the database does not answer", id="database gone"),
        pytest.param(
            {"reach_from_host": SILENT}, "the database does not answer",
            id="only the host says that the database does not answer",
        ),
        pytest.param(
            {"releases": history(BAD, SICK)}, "no earlier release that is built",
            id="the only one before ran badly",
        ),
        pytest.param({"releases": history(BAD)}, "no earlier release", id="the first release"),
        pytest.param(
            {"releases": history(BAD, BAD.model_copy(update={"healthy_minutes": 900.0}))},
            "no earlier release", id="the same release deployed twice is no earlier one",
        ),
        pytest.param(
            {"releases": history().model_copy(update={"releases": ()})},
            "no deployment is known", id="an empty history",
        ),
    ],
)  # fmt: skip
def test_it_is_not_rolled_back_and_the_reason_is_said(found, why):
    planned = high(DEPLOYED, **found)

    assert ROLLBACK not in activities(planned)
    assert any("not rolled back: " in line and why in line for line in planned.findings)


def test_how_recent_and_how_proven_are_settings():
    assert ROLLBACK not in activities(high(DEPLOYED, {"rollback_within_minutes": 10}))
    longer = {"rollback_healthy_minutes": 480}
    brief = history(BAD, GOOD.model_copy(update={"healthy_minutes": 400.0}))
    assert ROLLBACK not in activities(high(DEPLOYED, longer, releases=brief))


def test_a_release_by_nobody_known_is_left_all_the_same():
    nobody = BAD.model_copy(update={"author": ""})

    assert "an unknown author" in said(high(DEPLOYED, releases=history(nobody, GOOD)))
