"""The policy as a table: who decides about which step."""

import pytest

from activities.record import Asks, PlannedStep
from activities.words import Mode, Risk, Severity
from workflows.policy import Policy, Rights, Verdict

ACT, ASK, NEVER = Verdict.ACT, Verdict.ASK, Verdict.NEVER
RISKS = (Risk.REVERSIBLE, Risk.DISRUPTIVE, Risk.OUTAGE, Risk.DESTRUCTIVE)
TABLE = {
    (Mode.OBSERVE, Severity.CRITICAL): (NEVER, NEVER, NEVER, NEVER),
    (Mode.OBSERVE, Severity.WARNING): (NEVER, NEVER, NEVER, NEVER),
    (Mode.OBSERVE, Severity.INFO): (NEVER, NEVER, NEVER, NEVER),
    (Mode.GUARDED, Severity.CRITICAL): (ACT, ACT, ASK, ASK),
    (Mode.GUARDED, Severity.WARNING): (ACT, ASK, ASK, ASK),
    (Mode.GUARDED, Severity.INFO): (ACT, ASK, ASK, ASK),
    (Mode.AUTONOMOUS, Severity.CRITICAL): (ACT, ACT, ASK, ASK),
    (Mode.AUTONOMOUS, Severity.WARNING): (ACT, ACT, ASK, ASK),
    (Mode.AUTONOMOUS, Severity.INFO): (ACT, ACT, ASK, ASK),
}


def step(risk: Risk, asks: Asks = Asks.POLICY) -> PlannedStep:
    return PlannedStep(
        key="k", activity="a.b", order={}, target="t", why="w", effect="e", risk=risk, asks=asks
    )


@pytest.mark.parametrize(
    ("mode", "severity", "risk", "verdict"),
    [
        pytest.param(
            mode, severity, risk, verdict,
            id=f"{mode}, {severity}: a {risk} step: {verdict}",
        )
        for (mode, severity), verdicts in TABLE.items()
        for risk, verdict in zip(RISKS, verdicts, strict=True)
    ],
)  # fmt: skip
def test_who_decides(mode, severity, risk, verdict) -> None:
    assert Policy(mode=mode).decide(step(risk), severity) is verdict


@pytest.mark.parametrize("risk", RISKS)
def test_a_step_that_always_asks_does(risk) -> None:
    policy = Policy(mode=Mode.AUTONOMOUS)

    assert policy.decide(step(risk, Asks.ALWAYS), Severity.CRITICAL) is ASK


@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("asks", list(Asks))
def test_nothing_overrides_observe_mode(risk, asks) -> None:
    policy = Policy(mode=Mode.OBSERVE, preapproved=("a.b@t",))

    assert policy.decide(step(risk, asks), Severity.CRITICAL) is NEVER


@pytest.mark.parametrize("mode", [Mode.GUARDED, Mode.AUTONOMOUS])
@pytest.mark.parametrize(
    ("allowed", "verdict"),
    [
        pytest.param("a.b@t", ACT, id="this step on this target"),
        pytest.param("a.b@other", ASK, id="this step on another target"),
        pytest.param("c.d@t", ASK, id="another step on this target"),
    ],
)
def test_what_is_preapproved_needs_no_asking(mode, allowed, verdict) -> None:
    policy = Policy(mode=mode, preapproved=(allowed,))

    assert policy.decide(step(Risk.DESTRUCTIVE), Severity.WARNING) is verdict


def test_a_step_is_preapproved_on_a_target_and_nowhere_else() -> None:
    with pytest.raises(ValueError, match="preapproved"):
        Policy(preapproved=("a.b",))


def test_the_intervals_are_the_runbooks() -> None:
    minutes = {
        severity: (each.respond_seconds / 60, each.escalate_seconds / 60, each.levels)
        for severity, each in Policy().severities.items()
    }

    assert minutes == {
        Severity.CRITICAL: (15, 15, ("engineering-lead", "cto")),
        Severity.WARNING: (60, 60, ("engineering-lead",)),
        Severity.INFO: (240, 240, ("engineering-lead",)),
    }


def test_a_severity_without_intervals_is_an_error_that_names_it() -> None:
    known = {k: v for k, v in Policy().severities.items() if k is not Severity.INFO}

    with pytest.raises(ValueError, match="info missing; every severity needs its intervals"):
        Policy(severities=known)


def test_rights_are_by_name_and_else_those_of_everybody() -> None:
    dana, everybody = Rights(approves=RISKS), Rights()
    policy = Policy(people={"dana": dana, "*": everybody})

    assert policy.rights("dana") is dana
    assert policy.rights("somebody") is everybody
    assert Policy(people={"dana": dana}).rights("somebody") is None
    assert policy.approvers(Risk.OUTAGE) == ["dana"]


def test_the_pace_of_a_demonstration_shortens_every_wait_alike() -> None:
    assert Policy(pace=0.1).seconds(600).total_seconds() == 60
