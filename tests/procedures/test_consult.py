import pytest
from temporalio.exceptions import ApplicationError

from activities.alerts import Alert
from activities.processes import App, ProcessManager, RollingRestart
from activities.record import Asks, Reading
from activities.words import Nothing, Risk, Severity
from tests.procedures.asking import LATE, NOW, alert, consult
from workflows.consult import MOST_BYTES, Consultation, Library
from workflows.procedures import PROCEDURES
from workflows.procedures.base import Evidence, Given, Ladder, Probe, Procedure, step
from workflows.rules import rules

NAMES = [procedure.__name__ for procedure in PROCEDURES]


def nothing_read(name: str) -> tuple[Reading, ...]:
    return tuple(
        Reading(key=probe.key, why=probe.why, failed=LATE) for probe in consult(name).probes
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_first_question_gets_facts_and_probes(name):
    answer = consult(name)

    assert answer.plan is None
    assert answer.facts.name == name
    assert answer.facts.title.endswith(".")
    assert answer.facts.impact
    assert answer.facts.runbook == ""
    assert len(answer.facts.version) == 12
    assert answer.probes
    assert len({probe.key for probe in answer.probes}) == len(answer.probes)
    assert all(probe.why and 0 < probe.seconds <= 45 for probe in answer.probes)


@pytest.mark.parametrize("name", NAMES)
def test_the_second_question_gets_the_plan_even_where_nothing_could_be_read(name):
    answer = consult(name, nothing_read(name))

    assert answer.probes == ()
    assert answer.facts == consult(name).facts
    assert answer.plan.cause
    assert answer.plan.when_out
    assert all(step.asks is Asks.ALWAYS for step in answer.plan.steps), "acts on nothing"


@pytest.mark.parametrize("name", NAMES)
def test_no_readings_at_all_are_no_reason_to_fail(name):
    assert consult(name, ()).plan.cause


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_another_version_is_one_that_could_not_be_read(name):
    strange = tuple(
        Reading(key=probe.key, why=probe.why, answer={"of": "another version"})
        for probe in consult(name).probes
    )

    plan = consult(name, strange).plan

    assert any("an answer of another version" in finding for finding in plan.findings)
    assert all(step.asks is Asks.ALWAYS for step in plan.steps), "acts on what it cannot read"


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_of_another_version_is_taken_for_one_that_found_nothing(name):
    [kind] = [each for each in PROCEDURES if each.__name__ == name]

    for probe in kind(Given()).probes():
        assert probe.read({"of": "another version"}) is None, probe.key


def test_an_alert_without_a_procedure_gets_neither_facts_nor_a_plan():
    for readings in (None, ()):
        answer = consult("NobodyWroteThis", readings)
        assert (answer.facts, answer.probes, answer.plan) == (None, (), None)


def test_the_hash_of_the_question_changes_with_what_is_asked():
    first, again = consult(NAMES[0]), consult(NAMES[0])
    planned = consult(NAMES[0], ())

    assert first.question == again.question
    assert len({first.question, planned.question, consult(NAMES[1]).question}) == 3


def test_what_a_decision_hangs_on_stands_in_the_facts():
    facts = consult("HighAPILatency", replicas_high=7, thresholds={"HighAPILatency": 0.8}).facts

    assert facts.thresholds["HighAPILatency"] == 0.8
    assert facts.thresholds["replicas_high"] == 7


class Talkative(Procedure):
    """It says too much."""

    severity = Severity.INFO
    impact = "None."
    section = "none"
    recovered = PROCEDURES[0].recovered
    instances = Probe(ProcessManager.processes, App(), why="instances")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        return Ladder("words", findings=("ä" * MOST_BYTES,))


class Faulty(Talkative):
    """It has a bug."""

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:
        raise ZeroDivisionError


def asked(procedure: type[Procedure]):
    library = Library((procedure,), Given())
    return library.consult(Consultation(alert=alert(procedure.__name__), at=NOW, readings=()))


def test_an_answer_that_is_too_large_is_refused_in_bytes_and_not_tried_again():
    with pytest.raises(ApplicationError, match="more than 65536") as refused:
        asked(Talkative)

    assert (refused.value.type, refused.value.non_retryable) == ("TooLarge", True)


def test_a_bug_in_a_procedure_is_an_error_for_the_incident_to_handle():
    with pytest.raises(ZeroDivisionError):
        asked(Faulty)


def restart(**more):
    return step(
        ProcessManager.rolling_restart,
        RollingRestart(requested_at=NOW),
        **{"target": "api", "why": "w", "effect": "e", "risk": Risk.DISRUPTIVE} | more,
    )


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((restart(), restart()), id="two steps of one key"),
        pytest.param(
            (restart(needs="nothing@nobody"),), id="a step that needs one that is not there"
        ),
        pytest.param(
            (restart(approved_with="b@b"), restart(key="b@b")), id="approved with a later step"
        ),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_an_error(steps):
    with pytest.raises(ValueError, match=r"key|builds on"):
        Ladder("cause", steps)


def test_a_step_for_something_that_is_no_activity_is_an_error():
    class Nobody:
        async def change(self, order: Nothing, before: Nothing) -> Nothing:
            return before

    with pytest.raises(TypeError, match="is not an activity"):
        step(Nobody.change, Nothing(), target="t", why="w", effect="e", risk=Risk.REVERSIBLE)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_that_a_procedure_names_is_a_setting(name):
    [procedure] = [kind for kind in PROCEDURES if kind.__name__ == name]

    assert set(procedure.uses) <= set(Given.model_fields)


def test_the_registry_is_in_runbook_order_and_named_after_the_alerts():
    order = [rule.alert for rule in rules()]

    assert set(NAMES) <= set(order)
    assert sorted(NAMES, key=order.index) == NAMES
