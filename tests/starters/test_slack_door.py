"""Who is let in at Slack's door: what Slack has signed, lately, and of a bearable size."""

import asyncio
import hashlib
import hmac
import json
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.requests import Request

from activities.buttons import Pressed, Target
from deploy.local.processes import free_port
from starters.door import application
from starters.requests import Refusal
from starters.slack_door import MOST_BODY_BYTES, PATH
from starters.slack_signature import REPLAY_SECONDS, verify
from tests.starters.workspace import SIGNING_SECRET, chosen, post, workspace
from workers.connection import connect
from workers.sections import CodecSettings
from workers.slack_settings import SlackSettings

VECTOR = json.loads(
    (Path(__file__).resolve().parents[1] / "fixtures/slack/slash_command.official.json").read_text()
)
NOBODY = "http://127.0.0.1:9"
FORM = "application/x-www-form-urlencoded"
SECRET = SlackSettings(
    token="xoxb-1", channels={"incidents": "C0INCIDENTS"}, signing_secret=VECTOR["secret"]
).signing_secret


def request(**headers):
    raw = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "method": "POST", "path": PATH})


def official(**changes):
    headers = {
        "x_slack_request_timestamp": VECTOR["timestamp"].encode(),
        "x_slack_signature": VECTOR["signature"].encode(),
        **changes,
    }
    return request(**{name: value for name, value in headers.items() if value is not None})


def signed(body, *, stamp=None, secret=SIGNING_SECRET, kind=FORM):
    stamp = str(int(time.time())) if stamp is None else stamp
    base = b"v0:" + stamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "content-type": kind,
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
    }


@pytest.fixture
async def door(live):
    doors = application(live.client, chosen(NOBODY))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(doors), base_url="http://door"
    ) as http:
        yield http


@pytest.mark.parametrize("age", [0, REPLAY_SECONDS, -REPLAY_SECONDS])
def test_slacks_own_example_is_believed_within_five_minutes(age):
    verify(official(), VECTOR["body"].encode(), SECRET, now=int(VECTOR["timestamp"]) + age)


@pytest.mark.parametrize("age", [REPLAY_SECONDS + 1, -REPLAY_SECONDS - 1])
def test_slacks_own_example_is_not_believed_later_or_earlier(age):
    with pytest.raises(Refusal) as refused:
        verify(official(), VECTOR["body"].encode(), SECRET, now=int(VECTOR["timestamp"]) + age)
    assert refused.value.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({}, VECTOR["body"].encode() + b" ", id="one more byte"),
        pytest.param({}, b"", id="no body"),
        pytest.param({}, b"\xff" + VECTOR["body"].encode(), id="a body that is no text"),
        pytest.param({"x_slack_signature": None}, None, id="no signature"),
        pytest.param({"x_slack_signature": b"v0="}, None, id="an empty signature"),
        pytest.param({"x_slack_signature": "v0=é".encode()}, None, id="a signature not ASCII"),
        pytest.param(
            {"x_slack_signature": VECTOR["signature"][3:].encode()}, None, id="no version"
        ),
        pytest.param(
            {"x_slack_signature": VECTOR["signature"].upper().encode()}, None, id="capitals"
        ),
        pytest.param({"x_slack_request_timestamp": None}, None, id="no time"),
        pytest.param({"x_slack_request_timestamp": b"yesterday"}, None, id="a time that is none"),
        pytest.param({"x_slack_request_timestamp": b"9" * 400}, None, id="a time without end"),
        pytest.param({"x_slack_request_timestamp": "١٥٣".encode()}, None, id="other digits"),
    ],
)
def test_what_slack_has_not_signed_so_is_refused_and_never_an_error_of_ours(headers, body):
    content = VECTOR["body"].encode() if body is None else body
    with pytest.raises(Refusal) as refused:
        verify(official(**headers), content, SECRET, now=int(VECTOR["timestamp"]))
    assert refused.value.status == HTTPStatus.UNAUTHORIZED


async def test_a_signature_over_other_bytes_starts_nothing_and_is_not_to_be_repeated(door):
    body = urlencode({"command": "/incident", "text": "list", "user_id": "U0DANA",
                      "trigger_id": "1"}).encode()  # fmt: skip
    answer = await door.post(PATH, content=body, headers=signed(body, secret="another"))

    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["x-slack-no-retry"] == "1"
    assert (
        'responder_deliveries_refused_total{reason="unauthorized"} 1.0'
        in (await door.get("/metrics")).text
    )


async def test_the_same_request_later_is_a_replay(door):
    body = urlencode({"command": "/incident", "text": "help", "user_id": "U0DANA",
                      "trigger_id": "1"}).encode()  # fmt: skip
    now = int(time.time())

    fresh = await door.post(PATH, content=body, headers=signed(body, stamp=str(now - 290)))
    stale = await door.post(PATH, content=body, headers=signed(body, stamp=str(now - 310)))

    assert fresh.status_code == HTTPStatus.OK
    assert "/incident take-over" in fresh.json()["text"]
    assert stale.status_code == HTTPStatus.UNAUTHORIZED


async def test_slack_finds_the_address_and_that_somebody_answers_there(door):
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}).encode()
    answer = await door.post(PATH, content=body, headers=signed(body, kind="application/json"))
    assert answer.json() == {"challenge": "3eZbrw1a"}

    unsigned = await door.post(PATH, content=body, headers={"content-type": "application/json"})
    assert unsigned.status_code == HTTPStatus.UNAUTHORIZED
    probe = await door.post(PATH, content=b"ssl_check=1&token=x", headers={"content-type": FORM})
    assert (probe.status_code, probe.text) == (HTTPStatus.OK, "")


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        pytest.param(b"x" * (MOST_BODY_BYTES + 1), FORM, (413, "too_large"), id="too large"),
        pytest.param(b"payload=%7B", FORM, (422, "json"), id="half of a payload"),
        pytest.param(b"a=1", FORM, (422, "invalid"), id="a form of something else"),
        pytest.param(b"&".join([b"a=1"] * 99), FORM, (422, "form"), id="fields without end"),
        pytest.param(b"\xff\xfe=1", FORM, (422, "form"), id="no text"),
        pytest.param(b"{}", "text/plain", (422, "content_type"), id="another kind"),
        pytest.param(b"[]", "application/json", (422, "invalid"), id="a list"),
    ],
)
async def test_what_cannot_be_read_is_refused_although_it_is_signed(door, body, kind, expected):
    answer = await door.post(PATH, content=body, headers=signed(body, kind=kind))

    assert (answer.status_code, answer.json()["error"]["code"]) == expected
    assert answer.headers["x-slack-no-retry"] == "1"


async def test_without_the_signing_secret_there_is_no_such_door(live):
    doors = application(live.client, chosen(NOBODY).model_copy(update={"slack": SlackSettings()}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(doors), base_url="http://door"
    ) as http:
        answer = await http.post(PATH, content=b"", headers=signed(b"", secret=""))

    assert answer.status_code == HTTPStatus.NOT_FOUND


_values = some.text(max_size=60) | some.sampled_from(["{}", "[]", '{"type":"block_actions"}'])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    some.one_of(
        some.binary(max_size=200).map(lambda raw: (raw, FORM)),
        some.binary(max_size=200).map(lambda raw: (raw, "application/json")),
        some.dictionaries(
            some.sampled_from(["payload", "command", "text", "user_id", "trigger_id", "x"]),
            _values,
        ).map(lambda fields: (urlencode(fields).encode(), FORM)),
    )
)
async def test_no_signed_body_whatever_it_is_is_an_error_of_ours(door, sent):
    body, kind = sent
    answer = await door.post(PATH, content=body, headers=signed(body, kind=kind))

    assert answer.status_code < 500, answer.text


async def test_with_temporal_away_a_person_hears_that_nothing_was_recorded_as_far_as_is_known(
    monkeypatch,
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    client = await connect(CodecSettings(), role="door", lazy=True)
    target = Target("APIDown-api-0a1b2c3d", "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11")
    async with workspace(client) as slack:
        message = post(slack, (Pressed.ACKNOWLEDGE,), target)

        pressed = await slack.press(message.ts, "acknowledge", user="U0DANA")
        listed = await slack.command("list", user="U0DANA")
        noted = await slack.say("note: it", thread_ts=message.ts, user="U0LEE")

        assert pressed == HTTPStatus.OK
        assert listed.taken
        for user in ("U0DANA", "U0LEE"):
            while not any("Not recorded as far as is known" in s for s in slack.state.told(user)):
                await asyncio.sleep(0.01)
        assert noted.taken, "at the last of its tries it is told, and asked for no more"
