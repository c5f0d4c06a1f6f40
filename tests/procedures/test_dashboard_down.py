from datetime import timedelta

import pytest

from activities.dashboard import DashboardLook, DashboardSeen, Trouble
from activities.pages import BuildLogLines, PagesDeployments
from activities.pages_project import PagesDeployment
from activities.prometheus import Value
from activities.record import Asks
from activities.status_pages import ProviderStatus
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the

ROLLBACK = "pages.rollback"


def deployment(name: str, minutes_ago: float, **more) -> PagesDeployment:
    at = NOW - timedelta(minutes=minutes_ago)
    usual = {
        "id": f"{name}-of-36-characters",
        "name": name,
        "created_at": at,
        "live_at": at,
        "state": "out",
        "stage": "deploy",
        "branch": "main",
        "commit": "c0ffee1234567890",
        "message": f"Make {name}",
        "variables": "same",
    }
    return PagesDeployment(**usual | more)


def deployments(*last: PagesDeployment, live: str = "") -> PagesDeployments:
    first = next((each.id for each in last if each.state == "out"), "")
    return PagesDeployments(canonical=live or first, last=last)


def looks(*troubles: Trouble, text: str = "it answers 522") -> DashboardSeen:
    seen = tuple(
        DashboardLook(trouble=trouble, said=text if trouble else "it answers as it should")
        for trouble in troubles
    )
    return DashboardSeen(url="https://dashboard", looks=seen, ray="8f-LHR")


def status(state: str, words: str = "Pages: so") -> ProviderStatus:
    return ProviderStatus(provider="cloudflare", state=state, said=words, url="https://cfstatus")


def measured(value: float | None) -> Value:
    return Value(value=value, at=NOW)


BAD, GOOD, OLD = deployment("bad", 4), deployment("good", 600), deployment("old", 9000)
BROKEN = {
    "seen_by_us": looks(*[Trouble.STATUS] * 3),
    "seen_by_prometheus": measured(0.0),
    "cloudflare": status("operational"),
    "deployments": deployments(BAD, GOOD, OLD),
    "build": BuildLogLines(deployment=BAD.id, text="one\ntwo\nthe build is done", lines=3),
}


def dashboard(given=None, **found):
    return plan("DashboardDown", BROKEN | found, **(given or {}))


def test_a_deployment_of_the_last_hour_is_rolled_back_to_the_one_before():
    planned = dashboard()
    step = the(planned, ROLLBACK)

    assert activities(planned) == [ROLLBACK]
    assert step.order == {"to": GOOD.id}
    assert step.effect == (
        "roll the dashboard back from bad (c0ffee12: Make bad) to good (c0ffee12: Make good)"
    )
    assert step.why == "bad was deployed 4 minutes before the alert"
    assert step.details == ["good (c0ffee12: Make good) was live for 10 hours"]
    assert (step.risk, step.asks, step.target) == (Risk.DISRUPTIVE, Asks.POLICY, "dashboard")
    assert not step.undo, "it would bring the broken one back"
    assert "hold deployments of the dashboard" in said(planned)
    assert "Cloudflare's ray 8f-LHR" in said(planned)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        pytest.param(
            {"cloudflare": status("outage")}, "Cloudflare itself says outage", id="Cloudflare down"
        ),
        pytest.param(
            {"cloudflare": status("maintenance")}, "itself says maintenance", id="maintenance"
        ),
        pytest.param(
            {"seen_by_us": looks(*[Trouble.NONE] * 3)}, "answers the worker", id="we see it well"
        ),
        pytest.param({"deployments": None}, "could not be read", id="deployments unread"),
        pytest.param({"deployments": deployments()}, "is none of the last", id="none at all"),
        pytest.param(
            {"deployments": deployments(GOOD, OLD)}, "nothing was deployed", id="nothing lately"
        ),
        pytest.param(
            {"deployments": deployments(deployment("edge", 60.1), OLD)},
            "nothing was deployed in the 60 minutes",
            id="over an hour ago",
        ),
        pytest.param({"deployments": deployments(BAD)}, "no earlier deployment", id="the first"),
        pytest.param(
            {"deployments": deployments(BAD, GOOD, live=GOOD.id)},
            "it was rolled back already, to good",
            id="once is enough",
        ),
        pytest.param(
            {"deployments": deployments(BAD, GOOD, live="something else")},
            "is none of the last",
            id="what is live is unknown",
        ),
        pytest.param(
            {"deployments": deployments(deployment("next", 1, state="on its way"), BAD, GOOD)},
            "next (c0ffee12: Make next) is on its way",
            id="a deployment is on its way",
        ),
        pytest.param(
            {"deployments": deployments(deployment("mend", -2), GOOD)},
            "was deployed after the alert began",
            id="the live one came after the alert",
        ),
        pytest.param(
            {
                "deployments": deployments(
                    deployment("red", 2, state="failed", stage="build"), GOOD, OLD
                )
            },
            "nothing was deployed in the",
            id="a build that failed changed nothing",
        ),
    ],
)
def test_nothing_is_changed_where_a_rollback_is_no_answer(found, cause):
    planned = dashboard(**found)

    assert activities(planned) == []
    assert cause in planned.cause
    assert "https://dash.cloudflare.com" in planned.when_out


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        pytest.param({"seen_by_us": None}, "three times in a row", id="we could not look"),
        pytest.param(
            {"seen_by_us": looks(Trouble.STATUS, Trouble.NONE, Trouble.STATUS)},
            "three times in a row",
            id="it comes and goes",
        ),
        pytest.param(
            {"seen_by_us": looks(*[Trouble.NAME] * 3)}, "three times in a row", id="our name server"
        ),
        pytest.param({"seen_by_prometheus": None}, "Prometheus does not", id="Prometheus unread"),
        pytest.param(
            {"seen_by_prometheus": measured(None)}, "Prometheus does not", id="no data is not down"
        ),
        pytest.param({"seen_by_prometheus": measured(1.0)}, "Prometheus does not", id="two minds"),
        pytest.param({"cloudflare": None}, "could not be read", id="Cloudflare's page unread"),
        pytest.param({"cloudflare": status("unknown")}, "status: unknown", id="its page unclear"),
        pytest.param({"cloudflare": status("degraded")}, "status: degraded", id="it is degraded"),
        pytest.param(
            {"deployments": deployments(BAD, deployment("good", 600, variables="others"), OLD)},
            "environment variables",
            id="other variables",
        ),
        pytest.param(
            {
                "deployments": deployments(
                    deployment("bad", 4, variables=""), deployment("good", 600, variables="")
                )
            },
            "environment variables",
            id="variables that are not told",
        ),
        pytest.param(
            {"deployments": deployments(BAD, deployment("short", 20))},
            "short was live for only 16 minutes",
            id="a way back that did not prove itself",
        ),
    ],
)
def test_a_person_decides_where_anything_speaks_against_it(found, doubt):
    planned = dashboard(**found)

    assert the(planned, ROLLBACK).asks is Asks.ALWAYS
    assert doubt in planned.cause


def test_a_deployment_that_was_live_too_shortly_is_passed_over():
    planned = dashboard(deployments=deployments(BAD, deployment("also-bad", 20), GOOD, OLD))

    assert the(planned, ROLLBACK).order == {"to": GOOD.id}
    assert the(planned, ROLLBACK).asks is Asks.POLICY


def test_the_intervals_are_settings():
    late = deployments(deployment("bad", 90), deployment("short", 100))
    given = {"rollback_within_minutes": 120, "rollback_healthy_minutes": 5}

    assert the(dashboard(given, deployments=late), ROLLBACK).asks is Asks.POLICY
    thresholds = consult("DashboardDown", **given).facts.thresholds
    assert thresholds == {k: float(v) for k, v in given.items()}


def test_people_get_the_end_of_the_build_log_and_where_cloudflare_tells_more():
    failed = deployment("red", 2, state="failed", stage="build")
    log = BuildLogLines(deployment=failed.id, text="a\nb\nError: no such module", lines=3)
    planned = dashboard(deployments=deployments(failed, GOOD), build=log)
    away = dashboard({"cloudflare_console": "https://cf"}, cloudflare=status("outage"))

    assert "last deployment of the dashboard: red (c0ffee12: Make red) on main" in said(planned)
    assert "failed at build" in said(planned)
    assert "the newest build's log ends: a / b / Error: no such module" in planned.findings
    assert "https://cfstatus" in away.when_out
    assert "https://cf" in away.when_out


def test_what_could_not_be_read_is_said_with_its_reason():
    planned = dashboard(build=None)

    assert f"the newest build's log: could not be read: {LATE}" in planned.findings


def test_nothing_read_at_all_changes_nothing_and_claims_nothing():
    planned = plan("DashboardDown", {})

    assert activities(planned) == []
    assert "is said to be down, and could not be looked at" in planned.cause


def test_it_has_recovered_when_it_says_what_it_should():
    assert consult("DashboardDown").facts.condition.checks == ("dashboard.answers",)
