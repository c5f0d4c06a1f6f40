"""Thousands of requests that nobody should send: none breaks a door, and nothing comes of them."""

import copy
import json
import time
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from temporalio.api.enums.v1 import EventType

from tests.fuzz.conftest import House
from tests.fuzz.knocking import FORM, PRESS, Answer, Way, slack
from tests.fuzz.malformed import EDITS, EXTREME, JSON, NAMED, SOUP, at_each_field

fuzzing = hypothesis_settings(
    max_examples=350,
    deadline=None,
    # The same each time: a gate must not open by luck. `make fuzz` throws other dice.
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DOORS = ("Alertmanager", "Slack", "PagerDuty")
doors = pytest.mark.parametrize("name", DOORS)


def came_of(way: Way, answer: Answer, body: bytes, what: str = "") -> None:
    """Assert that nothing came of *body* if it is malformed, and only what it says if not."""
    if way.schema is None:
        assert answer.told == [], what
        return
    if answer.told:
        try:
            jsonschema.validate(json.loads(body), way.schema)
        except (ValueError, jsonschema.ValidationError, RecursionError) as error:
            raise AssertionError(f"{what}: {answer.told} came of {body[:500]!r}") from error


@doors
async def test_what_is_wrong_at_any_field_of_a_real_body_is_refused_or_harmless(
    house: House, name: str
) -> None:
    way = house.ways[name]
    asked, refused, taken = 0, 0, 0
    for told, (whole, written) in way.bodies.items():
        for what, sent in at_each_field(whole):
            body = written(sent)
            answer = await house.doors.ask(way.path, body, way.proof(body))
            came_of(way, answer, body, f"{told}: {what}")
            asked += 1
            refused += answer.status >= 400 or b"unreadable" in answer.body
            taken += bool(answer.told)

    assert asked > 1_000
    assert refused > 300
    # Of what nobody reads any value will do: that the rest is refused has to do with itself.
    assert bool(taken) == (way.schema is not None)


@doors
@pytest.mark.parametrize("what", EXTREME)
async def test_bodies_that_break_parsers_break_nothing_here(
    house: House, name: str, what: str
) -> None:
    way, body = house.ways[name], EXTREME[what]
    for kind in ("application/json", FORM):
        answer = await house.doors.ask(way.path, body, {**way.proof(body), "content-type": kind})
        assert answer.told == []
        if name != "PagerDuty":
            assert answer.status in {400, 413, 422} or answer.body == b""
        else:
            assert json.loads(answer.body) == {"ignored": "unreadable"}


@doors
@fuzzing
@given(body=SOUP)
async def test_noise_is_refused(house: House, name: str, body: bytes) -> None:
    way = house.ways[name]
    believed = await house.doors.ask(way.path, body, way.proof(body))
    stranger = await house.doors.ask(way.path, body, {"content-type": "application/json"})

    came_of(way, believed, body)
    probe = name == "Slack" and b"ssl_check=1" in body and not stranger.body
    assert probe or stranger.status in {401, 403}


@doors
@fuzzing
@given(value=NAMED | JSON)
async def test_json_of_any_shape_is_refused(house: House, name: str, value: Any) -> None:
    way = house.ways[name]
    body = json.dumps(value).encode()
    came_of(way, await house.doors.ask(way.path, body, way.proof(body)), body)


@doors
@fuzzing
@given(which=st.integers(0, 99), edits=EDITS)
async def test_a_real_body_that_was_mangled_on_its_way(
    house: House, name: str, which: int, edits: list[Any]
) -> None:
    way = house.ways[name]
    whole, written = list(way.bodies.values())[which % len(way.bodies)]
    body = written(whole)
    for edit in edits:
        body = edit(body)
    # By its sender, who signs what he sends; and by somebody else, after it was signed.
    came_of(way, await house.doors.ask(way.path, body, way.proof(body)), body)
    if body != written(whole) and name != "Alertmanager":
        answer = await house.doors.ask(way.path, body, way.proof(written(whole)))
        assert answer.status in {401, 403}


@pytest.mark.fuzz_full
@pytest.mark.timeout(3_600)
@doors
@hypothesis_settings(fuzzing, max_examples=20_000, derandomize=False)
@given(which=st.integers(0, 99), edits=EDITS, others=st.tuples(SOUP, NAMED | JSON))
async def test_all_of_that_for_long_and_with_other_dice(
    house: House, name: str, which: int, edits: list[Any], others: tuple[bytes, Any]
) -> None:
    way = house.ways[name]
    whole, written = list(way.bodies.values())[which % len(way.bodies)]
    mangled = written(whole)
    for edit in edits:
        mangled = edit(mangled)
    for body in (mangled, others[0], json.dumps(others[1]).encode()):
        came_of(way, await house.doors.ask(way.path, body, way.proof(body)), body)


async def answers(house: House, name: str, **changed: bytes | None) -> Answer:
    """The answer to a real body with headers of its proof changed: another value, or none."""
    way = house.ways[name]
    [(whole, written), *_] = way.bodies.values()
    body = written(whole)
    genuine = {k.lower().encode(): v.encode() for k, v in way.proof(body).items()}
    renamed = {key.replace("_", "-").encode(): value for key, value in changed.items()}
    told = [(key, value) for key, value in {**genuine, **renamed}.items() if value is not None]
    return await house.doors.ask(way.path, body, told)


PROOFS = {
    "Alertmanager": "authorization",
    "Slack": "x_slack_signature",
    "PagerDuty": "x_pagerduty_signature",
}
FORGED = [
    b"", b" ", b"Bearer", b"Bearer ", b"v0=", b"v1=", b"v0", b"=", b",", b"v1=,v1=" * 500,
    b"v0=" + b"0" * 64, b"v1=" + b"0" * 64, b"v0=" + b"g" * 64, b"v1=" + b"0" * 100_000,
    b"Bearer " + b"x" * 100_000, b"Basic " + b"eDp4", b"\x00", b"\xff\xfe", b"v0=\xef\xbd\x81",
    b"Bearer s3cret-token-of-the-doo", b"Bearer s3cret-token-of-the-door ", b"bearer  x",
]  # fmt: skip


@doors
@fuzzing
@given(proof=st.sampled_from(FORGED) | st.binary(max_size=80))
async def test_a_forged_proof_opens_no_door(house: House, name: str, proof: bytes) -> None:
    answer = await answers(house, name, **{PROOFS[name]: proof})

    assert answer.status in {401, 403}
    assert answer.told == []


@doors
async def test_a_real_body_without_proof_opens_no_door(house: House, name: str) -> None:
    answer = await answers(house, name, **{PROOFS[name]: None})
    assert answer.status in {401, 403}


@doors
async def test_two_proofs_are_one_too_many_where_one_is_sent(house: House, name: str) -> None:
    way = house.ways[name]
    [(whole, written), *_] = way.bodies.values()
    body = written(whole)
    genuine = [(k.lower().encode(), v.encode()) for k, v in way.proof(body).items()]
    answer = await house.doors.ask(way.path, body, [*genuine, *genuine])
    if name != "PagerDuty":  # which sends as many signatures as it has secrets
        assert answer.status == 401


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(-301, id="301 s old"),
        pytest.param(301, id="of in 301 s"),
        pytest.param(-(10**9), id="of the last century"),
        pytest.param(10**11, id="of the year 5000"),
    ],
)
async def test_what_slack_signed_at_another_time_is_not_believed(house: House, stamp: int) -> None:
    way = slack(int(time.time()) + stamp)
    for whole, written in way.bodies.values():
        body = written(whole)
        assert (await house.doors.ask(way.path, body, way.proof(body))).status == 401


@fuzzing
@given(stamp=st.binary(max_size=30) | st.sampled_from([b"\xb2\xb3", b"1e9", b"9" * 5_000, b"-1"]))
async def test_a_time_that_is_none_is_not_believed(house: House, stamp: bytes) -> None:
    answer = await answers(house, "Slack", x_slack_request_timestamp=stamp)
    assert answer.status == 401


@doors
@pytest.mark.parametrize(
    "length",
    [b"", b"0", b"-1", b"+5", b"1e3", b"\xb2", b"9" * 20, b"9" * 5_000, b"0x10", b"12, 13", b" 7 "],
)
async def test_a_length_that_is_none_breaks_no_door(house: House, name: str, length: bytes) -> None:
    answer = await answers(house, name, content_length=length)
    assert answer.status == 413 or answer.status < 300


@doors
@pytest.mark.parametrize(
    "kind",
    [
        b"", b"text/plain", b"application/json; charset=utf-16", b"multipart/form-data", b"\xff",
        b"application/x-www-form-urlencoded; charset=\x00", b"application/json" * 5_000, b";", b"*",
    ],
)  # fmt: skip
async def test_a_kind_of_content_that_is_none_breaks_no_door(
    house: House, name: str, kind: bytes
) -> None:
    answer = await answers(house, name, content_type=kind, content_encoding=b"gzip, br, x")
    assert answer.status == 422 or answer.status < 300


METHODS = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO", "post"]


@fuzzing
@given(
    path=st.sampled_from([
        "", "/", "//", "/webhooks", "/webhooks/", "/webhooks/slack/..", "/.env",
        "/webhooks/alertmanager/", "/WEBHOOKS/SLACK", "/metrics/..", "/%2e%2e/etc/passwd", "/\x00",
    ]) | st.text(max_size=60).map(lambda text: f"/{text}"),
    method=st.sampled_from(["POST", *METHODS]) | st.text(min_size=1, max_size=10),
    body=SOUP,
)  # fmt: skip
async def test_a_path_that_is_none_leads_nowhere(
    house: House, path: str, method: str, body: bytes
) -> None:
    known = {"/healthz", "/readyz", "/metrics", *(way.path for way in house.ways.values())}
    if path in known:
        return
    answer = await house.doors.ask(path.encode("utf-8", "replace"), body, method=method)

    assert answer.status in {307, 404, 405}
    assert answer.told == []


@doors
@pytest.mark.parametrize("method", METHODS)
async def test_no_door_opens_to_another_method(house: House, name: str, method: str) -> None:
    way = house.ways[name]
    answer = await house.doors.ask(way.path, b"{}", way.proof(b"{}"), method=method)
    assert answer.status == 405


HOSTILE = [
    "", "|", "|||", "||||", "a|b|c|d", "a|b||" + "x" * 1_900, "x" * 1_900 + "|b||",
    "a|" + "b" * 900 + "||",
    "a\x00b|c||", "../a|b||", "a/after/b|c||", "coordinator-test|x||", "a|b|c|\ud800", "☃|☃|☃|☃",
    "a b|c||", "a'; DROP TABLE x; --|b||", "a\nb|c\rd||\x1b[31m", " | | | ", "%s|{0}|%n|${a}",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("action", ["acknowledge", "approve", "escalate", "resolve", "", "x"])
async def test_a_button_of_a_person_we_know_does_nothing_to_what_is_not_there(
    house: House, action: str, value: str
) -> None:
    way = house.ways["Slack"]
    sent = copy.deepcopy(PRESS)
    sent["user"]["id"] = "U0DANA"
    sent["actions"][0] |= {"action_id": action, "value": value}
    body = urlencode({"payload": json.dumps(sent)}).encode()

    answer = await house.doors.ask(way.path, body, way.proof(body))

    assert answer.status in {200, 422}
    assert not [each for each in answer.told if house.incident in each or "start" in each]


async def test_what_was_open_before_is_as_it_was(house: House) -> None:
    """Last: whatever was sent, this incident heard what PagerDuty's door accepted, and no more."""
    history = await house.client.get_workflow_handle(house.incident).fetch_history()
    happened = {
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    }
    assert happened <= {"alerts", "page_event"}
    assert not [
        event
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED
    ]
    kinds = {each.workflow_type async for each in house.client.list_workflows("")}
    assert kinds == {"Incident"}
