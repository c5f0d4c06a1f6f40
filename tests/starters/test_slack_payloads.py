import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from activities.buttons import Target, decode
from starters.slack_payloads import (
    Challenge,
    Press,
    Remark,
    Submission,
    Whence,
    from_fields,
    from_json,
)

PAYLOADS = Path(__file__).resolve().parents[1] / "fixtures" / "slack"
RUN = "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"


def sent(name, **changes):
    return {**json.loads((PAYLOADS / f"{name}.json").read_text()), **changes}


def test_a_press_says_who_where_what_and_is_named_by_its_click():
    press = from_json(json.dumps(sent("block_actions")))

    assert isinstance(press, Press)
    assert press.whence == Whence(
        user="U0DANA",
        team="T0PRAVADO",
        channel="C0INCIDENTS",
        thread="1732330790.000200",
        response_url="https://hooks.slack.com/actions/T0PRAVADO/8012345678902/AbCdEfGhIjKlMnOpQrStUvWx",
    )
    assert decode(press.value) == Target(
        "APIDown-api-0a1b2c3d", RUN, "0123456789ab", "fedcba987654"
    )
    assert press.id == "slack-press-approve-1732330800.000100-U0DANA-1732330805.123456"


def test_another_click_or_another_person_is_another_act_and_the_same_delivery_is_the_same():
    first = sent("block_actions")
    action = {**first["actions"][0], "action_ts": "1732330806.000000"}
    other = {**first["user"], "id": "U0LEE"}
    ids = [
        from_json(json.dumps(payload)).id
        for payload in (
            first,
            {**first, "trigger_id": "another"},
            {**first, "actions": [action]},
            {**first, "user": other},
        )
    ]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_window_brings_its_reason_and_what_was_put_into_it():
    submission = from_json(json.dumps(sent("view_submission")))

    assert isinstance(submission, Submission)
    assert (submission.id, submission.window) == ("slack-window-V08ABCDEF12", "resolve")
    assert submission.fields == {"reason": "it was the router"}
    assert json.loads(submission.carried)["channel"] == "C0INCIDENTS"


def test_a_message_is_named_by_itself_and_read_as_it_was_written():
    remark = from_json(json.dumps(sent("event_message")))

    assert isinstance(remark, Remark)
    assert remark.id == "slack-remark-C0INCIDENTS-1732330820.000300"
    assert remark.text == "note: restarted <it>"
    assert remark.whence.thread == "1732330790.000200"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"bot_id": "B0OTHER"}, id="of a bot"),
        pytest.param({"subtype": "message_changed"}, id="a change of one"),
        pytest.param({"subtype": "bot_message", "user": None}, id="of an old bot"),
        pytest.param({"thread_ts": ""}, id="outside of threads"),
        pytest.param({"thread_ts": "1732330820.000300"}, id="the first of a thread"),
        pytest.param({"type": "reaction_added"}, id="no message"),
        pytest.param({"user": {"id": "U0DANA"}}, id="a user in another shape"),
    ],
)
def test_a_message_that_no_person_wrote_in_a_thread_is_not_listened_to(changes):
    event = {**sent("event_message")["event"], **changes}
    if event["user"] is None:
        del event["user"]

    assert from_json(json.dumps(sent("event_message", event=event))) is None


def test_what_nobody_waits_for_is_nothing_and_no_error():
    for kind in ("shortcut", "view_closed", "block_suggestion", "app_rate_limited", ""):
        assert from_json(json.dumps({"type": kind})) is None
    assert from_json(b"{}") is None


def test_the_question_for_our_address_is_answered_with_its_own_word():
    asked = {"type": "url_verification", "token": "deprecated", "challenge": "3eZbrw1aBm2rZgRN"}

    assert from_json(json.dumps(asked)) == Challenge("3eZbrw1aBm2rZgRN")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half of it"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b'{"type":"block_actions"}', id="a press by nobody"),
        pytest.param(
            json.dumps({"type": "block_actions", "user": {"id": "U1"}, "actions": []}).encode(),
            id="a press of nothing",
        ),
        pytest.param(b'{"type":"event_callback","event":7}', id="an event that is none"),
        pytest.param(b'{"type":' + b"[" * 5_000, id="too deep"),
        pytest.param(b'{"type":7}', id="a kind that is none"),
        pytest.param(b'{"type":"url_verification","challenge":"\\ud800"}', id="half a character"),
    ],
)
def test_what_slack_would_not_send_is_refused(payload):
    with pytest.raises(ValidationError):
        from_json(payload)


@given(some.dictionaries(some.text(max_size=20), some.text(max_size=200), max_size=8))
def test_no_form_whatever_it_holds_is_more_than_refused(fields):
    try:
        from_fields(fields)
    except ValidationError:
        return
    assert fields["command"]
    assert fields["user_id"]


_json = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=40),
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
_places = some.sampled_from(
    ["user", "actions", "container", "team", "view", "event", "response_url", "type", "trigger_id"]
)


@given(some.sampled_from(["block_actions", "view_submission", "event_message"]), _places, _json)
def test_a_real_payload_with_one_strange_part_is_read_or_refused(name, place, value):
    try:
        received = from_json(json.dumps(sent(name, **{place: value})))
    except ValidationError:
        return
    assert received is None or len(received.id) <= 200
