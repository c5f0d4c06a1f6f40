"""Push notifications that fail: what each error leads to, and what is never done for it."""

import pytest

from activities.expo import ExpoSeen, Finding
from activities.prometheus import Series, SeriesAnswer
from activities.push_records import DeadTokens, ErrorCount, PushReceipts, TooBig
from activities.record import Asks
from activities.status_pages import ProviderStatus
from activities.switches import Switch
from activities.words import Mode, Risk, Severity
from tests.procedures.asking import LATE, activities, consult, plan, said, the
from tests.procedures.test_redis_connection_failure import instances
from workflows.policy import Policy, Verdict

NAME = "HighPushNotificationFailureRate"
REMOVE, SWITCH = "push.remove_tokens", "switches.set"
GONE, BIG, RATE = "DeviceNotRegistered", "MessageTooBig", "MessageRateExceeded"
CREDENTIALS = "InvalidCredentials"


def failing(**by: float) -> SeriesAnswer:
    return SeriesAnswer(
        series=tuple(Series(labels={"error_type": name}, value=rate) for name, rate in by.items())
    )


def received(*big: TooBig, **by: int) -> PushReceipts:
    counts = tuple(ErrorCount(error=error, count=count) for error, count in by.items())
    return PushReceipts(minutes=60, by_error=counts, too_big=big)


def tokens(dead: int, total: int = 100_000, once: int = 0) -> DeadTokens:
    return DeadTokens(total=total, dead=dead, once=once, ids=tuple(range(1, min(dead, 1000) + 1)))


def running(**switches: str):
    found = instances()
    environment = {f"PUSH_{name.upper()}": value for name, value in switches.items()}
    return found.model_copy(
        update={
            "instances": tuple(
                each.model_copy(update={"environment": environment}) for each in found.instances
            )
        }
    )


WELL = {
    "from_worker": ExpoSeen(answers=True, sends=True, receipt="ok", milliseconds=90.0),
    "status": ProviderStatus(
        provider="expo", state="operational", said="Push: operational", url="https://status.test"
    ),
    "failures": failing(**{GONE: 2.0}),
    "receipts": received(**{"": 100, GONE: 40}),
    "tokens": tokens(400, once=7),
    "instances": running(),
}


def push(given=None, **found):
    return plan(NAME, WELL | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [REMOVE], id="dead phones: their tokens go"),
        pytest.param({"failures": failing(**{BIG: 1.0})}, [SWITCH], id="too big: minimal payload"),
        pytest.param({"failures": failing(**{RATE: 1.0})}, [SWITCH], id="too many: slower"),
        pytest.param(
            {"failures": failing(**{BIG: 1.0, RATE: 0.5})}, [SWITCH], id="both in one restart"
        ),
        pytest.param(
            {"failures": failing(**{BIG: 1.0, GONE: 0.5})}, [SWITCH, REMOVE], id="the worst first"
        ),
        pytest.param(
            {"failures": failing(**{BIG: 0.5, GONE: 1.0})}, [REMOVE, SWITCH], id="or the other way"
        ),
        pytest.param({"failures": failing(**{CREDENTIALS: 1.0})}, [], id="credentials: a person"),
        pytest.param(
            {"failures": failing(**{CREDENTIALS: 0.2, GONE: 1.0})},
            [],
            id="credentials among others: no token is removed on their word",
        ),
        pytest.param(
            {"failures": failing(MismatchSenderId=1.0)}, [], id="the wrong sender: a person"
        ),
        pytest.param(
            {
                "from_worker": ExpoSeen(
                    answers=False, sends=False, finding=Finding.DOWN, milliseconds=9.0
                )
            },
            [],
            id="Expo itself is down: another procedure's",
        ),
        pytest.param({"failures": failing(ExpoError=1.0)}, [], id="Expo's own trouble: no step"),
        pytest.param(
            {"failures": failing(**{GONE: 0.05, "ExpoError": 1.0})}, [], id="a few are no cause"
        ),
        pytest.param({"failures": None}, [REMOVE], id="Prometheus silent: the receipts say it"),
        pytest.param({"failures": failing()}, [REMOVE], id="no series: the receipts say it"),
        pytest.param({"failures": None, "receipts": None}, [], id="nobody says why: no step"),
        pytest.param({"tokens": None}, [], id="which are dead is not known: none is removed"),
        pytest.param({"tokens": tokens(0, once=90)}, [], id="none said so twice: none is removed"),
        pytest.param(
            {"failures": failing(**{BIG: 1.0}), "instances": running(minimal_payload="true")},
            [],
            id="minimal already",
        ),
        pytest.param(
            {"failures": failing(**{RATE: 1.0}), "instances": running(rate_per_second="1")},
            [],
            id="as slow as can be already",
        ),
    ],
)
def test_the_ladder_follows_the_errors(found, expected):
    assert activities(push(**found)) == expected


@pytest.mark.parametrize("missing", sorted(WELL))
def test_what_cannot_be_read_is_said(missing):
    planned = push(**{missing: None})
    assert any("could not be read" in finding for finding in planned.findings)
    assert LATE in said(planned)


def test_nothing_is_done_when_nothing_can_be_read():
    assert activities(plan(NAME, {})) == []


def test_a_removal_names_what_goes_and_cannot_be_undone():
    step = the(push(), REMOVE)
    assert step.order["ids"] == list(range(1, 401))
    assert step.effect.startswith("remove 400 dead push tokens (0.4% of 100000);")
    assert step.details == [f"ids in push_tokens: {', '.join(map(str, range(1, 21)))} and 380 more"]
    assert (step.risk, step.undo, step.target) == (Risk.DESTRUCTIVE, False, "push tokens")


def test_no_more_are_removed_at_a_time_than_can_be_named():
    planned = push(tokens=tokens(1500, total=1_000_000))
    assert len(the(planned, REMOVE).order["ids"]) == 1000
    assert "1000 of the 1500 dead push tokens" in the(planned, REMOVE).effect
    assert "500 more dead tokens are left for the next time" in planned.findings


@pytest.mark.parametrize(
    ("dead", "mode", "preapproved", "verdict"),
    [
        pytest.param(400, Mode.GUARDED, (), Verdict.ASK, id="destructive: asks"),
        pytest.param(400, Mode.AUTONOMOUS, (), Verdict.ASK, id="by itself: asks too"),
        pytest.param(
            400, Mode.GUARDED, ("push.remove_tokens@push tokens",), Verdict.ACT, id="pre-approved"
        ),
        pytest.param(
            1001,
            Mode.AUTONOMOUS,
            ("push.remove_tokens@push tokens",),
            Verdict.ASK,
            id="more than 1 %: no approval beforehand covers it",
        ),
    ],
)
def test_who_decides_about_a_removal(dead, mode, preapproved, verdict):
    step = the(push(tokens=tokens(dead)), REMOVE)
    policy = Policy(mode=mode, preapproved=preapproved)
    assert policy.decide(step, Severity.WARNING) is verdict


def test_so_many_dead_tokens_make_the_credentials_suspect():
    planned = push(tokens=tokens(1001))
    step = the(planned, REMOVE)
    assert step.asks is Asks.ALWAYS
    assert "credentials" in step.details[1]
    assert the(push(tokens=tokens(1000)), REMOVE).asks is Asks.POLICY
    assert the(push({"push_dead_most_ratio": 0.02}, tokens=tokens(1001)), REMOVE).asks is (
        Asks.POLICY
    )


def test_smaller_and_slower_are_put_back():
    found = {"failures": failing(**{BIG: 1.0, RATE: 1.0})}
    step = the(push(**found, instances=running(rate_per_second="40")), SWITCH)
    assert step.order["values"] == {
        Switch.PUSH_MINIMAL_PAYLOAD: "true",
        Switch.PUSH_RATE_PER_SECOND: "20",
    }
    assert (step.risk, step.undo, step.restarts, step.asks) == (
        Risk.DISRUPTIVE,
        True,
        True,
        Asks.POLICY,
    )


def test_what_is_set_now_is_not_known_so_a_person_decides():
    found = {"failures": failing(**{RATE: 1.0}), "instances": None}
    step = the(push(**found), SWITCH)
    assert (step.asks, step.order["values"]) == (
        Asks.ALWAYS,
        {Switch.PUSH_RATE_PER_SECOND: "50"},
    )


def test_a_crash_loop_is_not_restarted_for_a_switch():
    looping = instances()
    errored = tuple(i.model_copy(update={"status": "errored"}) for i in looping.instances)
    found = {
        "failures": failing(**{BIG: 1.0}),
        "instances": looping.model_copy(update={"instances": errored}),
    }
    planned = push(**found)
    assert activities(planned) == []
    assert "crashes over and over" in said(planned)


def test_people_read_what_was_too_big_and_what_expo_says():
    found = {
        "failures": failing(**{BIG: 3.0, GONE: 1.0}),
        "receipts": received(TooBig(kind="digest", bytes=5012, count=40), **{BIG: 40}),
        "from_worker": ExpoSeen(
            answers=True, sends=None, finding=Finding.UNAUTHORIZED, said="401", milliseconds=9.0
        ),
    }
    text = said(push(**found))
    assert "75% MessageTooBig, 25% DeviceNotRegistered" in text
    assert "40 notifications “digest” are too big, up to 5012 bytes" in text
    assert "from the worker: the access token is refused: 401" in text
    assert "Expo's status page: operational" in text


def test_credentials_are_a_persons_and_said_so():
    planned = push(failures=failing(**{CREDENTIALS: 1.0}))
    assert "EXPO_ACCESS_TOKEN" in planned.when_out
    assert "credentials are refused" in planned.cause


def test_recovered_is_measured_with_traffic():
    facts = consult(NAME).facts
    assert facts is not None
    condition = facts.condition
    assert (condition.threshold, condition.floor) == (0.2, 0.05)
    assert condition.traffic is not None
