"""Expo's push service: queue on two sides' word, e-mail what is urgent, and send the rest later."""

import pytest

from activities.expo import ExpoSeen, Finding
from activities.prometheus import Value
from activities.push_records import PushQueue
from activities.record import Asks
from activities.status_pages import ProviderStatus
from activities.words import Mode, Risk, Severity
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the
from tests.procedures.test_push import running
from workflows.policy import Policy, Verdict

NAME = "ExpoPushServiceDown"
QUEUE, EMAIL, DRAIN = "push.queue_on", "push.email_urgent", "push.drain"


def seen(finding: Finding = Finding.DOWN, *, answers: bool = False, **more) -> ExpoSeen:
    return ExpoSeen(answers=answers, sends=None, finding=finding, milliseconds=5.0, **more)


def api(value: float | None) -> Value:
    return Value(value=value, at=NOW)


def queue(waiting: int = 0, urgent: int = 0, expired: int = 0, unknown: int = 0) -> PushQueue:
    return PushQueue(
        waiting=waiting, urgent=urgent, expired=expired, unknown=unknown, oldest_minutes=12.0
    )


UP = seen(Finding.NONE, answers=True, receipt="ok")
OUTAGE = ProviderStatus(
    provider="expo", state="outage", said="Push: major outage", url="https://status.test"
)
DOWN = {
    "from_worker": seen(said="Expo answered 503", failures=3),
    "from_api": api(0),
    "status": OUTAGE,
    "waiting": queue(),
    "instances": running(),
}


def expo(given=None, **found):
    return plan(NAME, DOWN | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [QUEUE, EMAIL], id="down from both sides: queue, then e-mail"),
        pytest.param(
            {"status": None}, [QUEUE, EMAIL], id="the status page is a hint, not a vantage point"
        ),
        pytest.param(
            {"status": OUTAGE.model_copy(update={"state": "operational"})},
            [QUEUE, EMAIL],
            id="and it may lag behind",
        ),
        pytest.param({"from_worker": None}, [QUEUE, EMAIL], id="the worker could not look"),
        pytest.param({"from_api": None}, [QUEUE, EMAIL], id="the API's word could not be read"),
        pytest.param({"from_api": api(1)}, [QUEUE, EMAIL], id="the API sends, the worker cannot"),
        pytest.param({"from_worker": UP}, [QUEUE], id="the worker sends, the API cannot"),
        pytest.param({"from_worker": UP, "from_api": api(1)}, [], id="well from both: no step"),
        pytest.param(
            {"from_worker": UP, "from_api": api(1), "waiting": queue(30)},
            [DRAIN],
            id="well, and nobody has sent what waits",
        ),
        pytest.param(
            {
                "from_worker": UP,
                "from_api": api(1),
                "waiting": queue(30),
                "instances": running(queueing="true"),
            },
            [],
            id="well, but somebody queues: theirs to end",
        ),
        pytest.param(
            {"instances": running(queueing="true")}, [EMAIL], id="queued already: e-mail alone"
        ),
        pytest.param(
            {"from_worker": seen(Finding.UNAUTHORIZED, answers=True)}, [QUEUE], id="a wrong token"
        ),
        pytest.param(
            {"from_worker": seen(Finding.CREDENTIALS, answers=True)}, [QUEUE], id="wrong keys"
        ),
        pytest.param({"from_worker": seen(Finding.OTHER)}, [QUEUE], id="a refusal of another kind"),
        pytest.param({"from_worker": seen(Finding.DNS)}, [QUEUE, EMAIL], id="a name not resolved"),
    ],
)
def test_the_ladder_follows_the_evidence(found, expected):
    assert activities(expo(**found)) == expected


@pytest.mark.parametrize(
    "found",
    [
        {"from_worker": None},
        {"from_worker": UP},
        {"from_worker": seen(Finding.DNS)},
        {"from_worker": seen(Finding.UNAUTHORIZED, answers=True)},
        {"from_worker": seen(Finding.CREDENTIALS, answers=True)},
        {"from_worker": seen(Finding.LIMITED, answers=True)},
        {"from_worker": seen(Finding.OTHER)},
        {"from_api": None},
        {"from_api": api(None)},
        {"from_api": api(1)},
        {"instances": None},
    ],
    ids=str,
)
def test_on_less_than_two_sides_word_a_person_decides(found):
    planned = expo(**found)
    assert the(planned, QUEUE).asks is Asks.ALWAYS
    assert "down: it answers neither" not in planned.cause or "instances" in found


def test_down_from_both_sides_acts_alone_and_is_put_back():
    planned = expo()
    queueing, email = the(planned, QUEUE), the(planned, EMAIL)
    for mode, verdict in ((Mode.GUARDED, Verdict.ACT), (Mode.OBSERVE, Verdict.NEVER)):
        policy = Policy(mode=mode)
        assert policy.decide(queueing, Severity.CRITICAL) is verdict
        assert policy.decide(email, Severity.CRITICAL) is verdict
    assert (queueing.risk, queueing.undo, queueing.restarts) == (Risk.DISRUPTIVE, True, True)
    assert not email.undo
    assert email.needs == queueing.key


def test_the_drain_is_the_undo_and_is_said_beforehand():
    step = the(expo({"push_drain_per_second": 40}), QUEUE)
    assert step.order == {"app": "pravado-api", "drain_per_second": 40.0}
    [drain] = step.details
    assert "what waits is sent, at most 40 a second, each once; what is too late is" in drain
    assert "restarts 2 instances of pravado-api once" in step.effect
    assert step.apply_seconds >= 600


def test_the_urgent_are_counted_and_bounded():
    step = the(expo({"push_urgent_emails_most": 50}, waiting=queue(9, urgent=4)), EMAIL)
    assert step.order["most"] == 50
    assert "(4 wait now), at most 50; they leave the queue" in step.effect


def test_a_drain_of_what_was_left_is_exact_and_asks_where_it_is_not_certain():
    well = {"from_worker": UP, "from_api": api(1), "waiting": queue(30, expired=2, unknown=5)}
    planned = expo(**well)
    step = the(planned, DRAIN)
    assert "send 30 queued notifications" in step.effect
    assert "2 are too late" in step.effect
    assert step.asks is Asks.POLICY
    assert "of 5 it is not known whether they were sent" in said(planned)
    assert the(expo(**well, instances=None), DRAIN).asks is Asks.ALWAYS


def test_a_crash_loop_is_not_restarted_to_queue():
    looping = running()
    errored = tuple(i.model_copy(update={"status": "errored"}) for i in looping.instances)
    planned = expo(instances=looping.model_copy(update={"instances": errored}))
    assert activities(planned) == []
    assert "crashes over and over" in said(planned)


@pytest.mark.parametrize("missing", sorted(DOWN))
def test_what_cannot_be_read_is_said(missing):
    assert LATE in said(expo(**{missing: None}))


def test_people_read_where_to_wait_and_what_happens_then():
    planned = expo(waiting=queue(40, urgent=3))
    assert "https://status.test" in planned.when_out
    assert "sent once it has been well for the settling time" in planned.when_out
    assert "Expo's status page: outage: Push: major outage" in planned.findings
    assert "40 notifications wait in the queue, 3 of them urgent, the oldest for 12 minutes" in (
        planned.findings
    )


def test_recovered_is_a_send_and_its_receipt():
    facts = consult(NAME).facts
    assert facts is not None
    assert facts.condition.checks == ("expo.sends",)
