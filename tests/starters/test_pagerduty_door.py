"""PagerDuty's door: what is signed and ours is kept by Temporal, once it is kept it is accepted."""

import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.alerts import Alert, AlertStatus
from deploy.gameday.standins.pagerduty import REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import (
    INTEGRATION,
    Hook,
    User,
    incident,
    note,
    payload,
    signed,
)
from starters.opening import grouped, tell
from starters.pagerduty_door import MOST_BODY_BYTES, PATH
from tests.starters.doors import SCOPE, door, settings
from workflows.opening import Opening
from workflows.page_events import PageEvent, PageHappening
from workflows.policy import Policy

SECRET, NEXT = "the-secret-of-this-subscription", "the-secret-that-will-follow"
DANA = User("PDANA01", "Dana Doe")
STRANGER = User("PNOBODY", "Somebody Else")
LIKE_BASE64 = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"


KNOWN = {"webhook_secrets": [SECRET], "people": {"pdana01": "dana"}}


def pagerduty(**more):
    return settings(pagerduty={**KNOWN, **more})


async def opened(client: Client) -> tuple[str, str]:
    """An incident that Temporal keeps, and its first run."""
    alert = Alert(
        fingerprint=uuid.uuid4().hex[:16],
        name="HighErrorRate",
        status=AlertStatus.FIRING,
        starts_at=datetime.now(UTC),
        labels={"alertname": "HighErrorRate", "service": f"api-{uuid.uuid4().hex[:8]}"},
    )
    [group] = grouped([alert], SCOPE)
    await tell(client, group, Policy(), environment="", seconds=5)
    described = await client.get_workflow_handle(group.id).describe()
    return group.id, described.run_id


async def heard(client: Client, name: str) -> list[PageEvent]:
    """The events of PagerDuty that Temporal keeps for an incident."""
    history = await client.get_workflow_handle(name).fetch_history()
    found = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            told = event.workflow_execution_signaled_event_attributes
            if told.signal_name == "page_event":
                found += await client.data_converter.decode(list(told.input.payloads), [PageEvent])
    return found


async def deliver(http: httpx.AsyncClient, said, secrets=(SECRET,), **headers):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return await http.post(PATH, content=body, headers={**signed(body, secrets), **headers})


def happened(name: str, key: str, agent=DANA, **more):
    reference = agent.reference if isinstance(agent, User) else agent
    return payload(name, incident(7, key, "triggered", "API"), agent=reference, **more)


def by_hand(agent=DANA, **data):
    """What PagerDuty says of an incident that a person has just opened."""
    name = f"Q{uuid.uuid4().hex[:13].upper()}"
    opened = {**incident(8, uuid.uuid4().hex, "triggered", "Slow", name=name), **data}
    return payload("triggered", opened, agent=agent.reference)


async def opening(client: Client, name: str) -> Opening:
    history = await client.get_workflow_handle(name).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    [found] = await client.data_converter.decode(list(started.input.payloads), [Opening])
    return found


async def test_what_a_person_does_to_a_page_reaches_its_incident_by_that_persons_name(live):
    name, run = await opened(live.client)
    at = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

    async with door(live.client, pagerduty()) as http:
        answer = await deliver(http, happened("acknowledged", f"{name}/{run}/page-1", at=at))

    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text
    [event] = await heard(live.client, name)
    assert event.happening is PageHappening.ACKNOWLEDGED
    assert (event.by, event.agent, event.human) == ("dana", "Dana Doe (PDANA01)", True)
    assert (event.key, event.at) == (f"{name}/{run}/page-1", at)


@pytest.mark.parametrize(
    ("agent", "by", "human"),
    [
        pytest.param(DANA, "dana", True, id="a user whom we know"),
        pytest.param(STRANGER, "", True, id="a user whom nobody here goes by"),
        pytest.param(INTEGRATION, "", False, id="the echo of our own event"),
        pytest.param({**INTEGRATION, "id": "PDANA01"}, "", False, id="an integration of her id"),
        pytest.param(None, "", False, id="nobody: PagerDuty's own clock"),
    ],
)
async def test_only_a_user_that_the_settings_name_is_a_person_of_ours(live, agent, by, human):
    name, run = await opened(live.client)

    async with door(live.client, pagerduty()) as http:
        await deliver(http, happened("resolved", f"{name}/{run}/page-1", agent))

    [event] = await heard(live.client, name)
    assert (event.by, event.human) == (by, human)


@pytest.mark.parametrize(
    ("secrets", "header", "status"),
    [
        pytest.param([SECRET], {}, 202, id="the secret"),
        pytest.param([NEXT, SECRET], {}, 202, id="two signatures while secrets are exchanged"),
        pytest.param([SECRET], {"x-pagerduty-signature": "v1=00, {}"}, 202, id="blanks"),
        pytest.param([NEXT], {}, 403, id="another secret"),
        pytest.param([], {}, 403, id="no signature"),
        pytest.param([SECRET], {"x-pagerduty-signature": "v0={}"}, 403, id="another version"),
        pytest.param([SECRET], {"x-pagerduty-signature": "v1=é"}, 403, id="no ASCII"),
        pytest.param([SECRET], {"x-pagerduty-signature": "v1="}, 403, id="an empty one"),
    ],
)
async def test_only_what_pagerduty_has_signed_is_read(live, secrets, header, status):
    name, run = await opened(live.client)
    body = json.dumps(happened("acknowledged", f"{name}/{run}/page-1")).encode()
    sent = signed(body, secrets)
    if header:
        shown = header["x-pagerduty-signature"].replace("{}", sent["x-pagerduty-signature"])
        shown = shown.replace("v0=v1=", "v0=")
        sent["x-pagerduty-signature"] = shown.encode()

    async with door(live.client, pagerduty()) as http:
        answer = await http.post(PATH, content=body, headers=sent)

    assert answer.status_code == status, answer.text
    assert len(await heard(live.client, name)) == (status == 202)


async def test_both_secrets_count_while_one_is_exchanged_for_the_other(live):
    name, run = await opened(live.client)
    chosen = pagerduty(webhook_secrets=[SECRET, NEXT])

    async with door(live.client, chosen) as http:
        answers = [
            await deliver(http, happened("acknowledged", f"{name}/{run}/page-1"), [secret])
            for secret in (SECRET, NEXT, "neither-of-them-at-all")
        ]

    assert [each.status_code for each in answers] == [202, 202, 403]


async def test_a_signature_of_other_bytes_is_none(live):
    said = json.dumps(happened("acknowledged", "a/b/c")).encode()
    async with door(live.client, pagerduty()) as http:
        answer = await http.post(PATH, content=said + b" ", headers=signed(said, [SECRET]))
    assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_a_secret_is_used_as_the_text_that_it_is_although_it_looks_like_base64(live):
    # printf '{"event":{"id":"1"}}' | openssl dgst -sha256 -hmac "$SECRET"
    shown = "v1=2a225f51f20cc1845cebda0f5e93120e229cc8f5452e083c133a59eed855c315"
    async with door(live.client, pagerduty(webhook_secrets=[LIKE_BASE64])) as http:
        answer = await http.post(
            PATH, content=b'{"event":{"id":"1"}}', headers={"X-PagerDuty-Signature": shown}
        )
    assert answer.json() == {"ignored": "unreadable"}, "signed, and read"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(
            happened("triggered", "srv01/HTTP", INTEGRATION), "not_ours", id="another system's key"
        ),
        pytest.param(
            happened("acknowledged", "srv01/HTTP"), "not_ours", id="what another system has opened"
        ),
        pytest.param(
            payload("annotated", note("PUNKNOWN", "hm"), agent=DANA.reference),
            "of_no_known_page",
            id="a note about what is not known",
        ),
        pytest.param(
            happened("triggered", "", at=datetime.now(UTC) - timedelta(days=3)),
            "too_late",
            id="an opening that somebody has kept",
        ),
        pytest.param(by_hand(id="../../etc"), "not_ours", id="an id that is none"),
        pytest.param(by_hand(id="P" * 41), "not_ours", id="an id that is too long"),
        pytest.param(
            happened("resolved", f"Gone-api-12345678/{uuid.uuid4()}/page-1"),
            "no_incident",
            id="an incident that is over",
        ),
        pytest.param(happened("responder.added", "a/b/c"), "other_type", id="a type not ours"),
        pytest.param(happened("priority_updated", "a/b"), "other_type", id="another type not ours"),
        pytest.param({"event": {"id": "1", "event_type": "pagey.ping",
                                "occurred_at": "2026-11-23T03:00:00Z"}}, "other_type", id="a ping"),
        pytest.param({"event": {"id": "1"}}, "unreadable", id="half an event"),
        pytest.param(b"{", "unreadable", id="half of JSON"),
        pytest.param(b"[" * 10_000, "unreadable", id="deep JSON"),
        pytest.param(b"\xff\xfe", "unreadable", id="no text"),
    ],
)  # fmt: skip
async def test_what_is_none_of_our_business_is_taken_counted_and_ignored(live, said, why):
    # A refusal would be held against us: after three PagerDuty sends nothing for a day.
    async with door(live.client, pagerduty()) as http:
        answer = await deliver(http, said)
        metrics = (await http.get("/metrics")).text

    assert answer.status_code == HTTPStatus.OK, answer.text
    assert answer.json() == {"ignored": why}
    assert f'responder_pagerduty_events_total{{outcome="{why}"}} 1.0' in metrics


async def test_a_body_without_end_is_refused(live):
    async with door(live.client, pagerduty()) as http:
        answer = await deliver(http, b" " * (MOST_BODY_BYTES + 1))
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_before_the_secret_is_set_nothing_is_refused_for_good(live):
    # It is known only once the subscription is there, and its first events come at once.
    async with door(live.client, settings()) as http:
        answer = await deliver(http, happened("triggered", "a/b/c"))
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "RESPONDER_PAGERDUTY__WEBHOOK_SECRETS" in answer.json()["error"]["message"]


async def test_without_temporal_pagerduty_is_told_to_try_again_in_time():
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    said = happened("acknowledged", f"A-b-12345678/{uuid.uuid4()}/page-1")
    begun = datetime.now(UTC)

    async with door(client, pagerduty()) as http:
        answer = await deliver(http, said)

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["error"]["code"] == "not_accepted"
    assert datetime.now(UTC) - begun < timedelta(seconds=5), "PagerDuty has given up by then"


async def test_a_note_finds_its_page_by_what_was_said_before_of_that_incident(live):
    name, run = await opened(live.client)
    first = happened("acknowledged", f"{name}/{run}/page-1")
    there = first["event"]["data"]["id"]
    written = payload("annotated", note(there, "it was the cache"), agent=DANA.reference)

    async with door(live.client, pagerduty()) as http:
        await deliver(http, first)
        assert (await deliver(http, written)).status_code == HTTPStatus.ACCEPTED

    _, event = await heard(live.client, name)
    assert (event.happening, event.text, event.by) == ("annotated", "it was the cache", "dana")


@asynccontextmanager
async def account():
    async with PagerDutyStandIn(["k" * 32]) as standing:
        yield standing


async def test_a_door_that_was_started_anew_asks_which_page_a_note_is_about(live):
    name, run = await opened(live.client)
    async with account() as there, httpx.AsyncClient() as http:
        event = {"routing_key": "k" * 32, "event_action": "trigger",
                 "dedup_key": f"{name}/{run}/page-1",
                 "payload": {"summary": "s", "source": "s", "severity": "critical"}}  # fmt: skip
        await http.post(f"{there.url}/v2/enqueue", json=event)
        chosen = pagerduty(api_token=REST_TOKEN, api_url=there.url)
        async with door(live.client, chosen) as ours:
            there.hook = Hook(f"http://door{PATH}", [SECRET], ours)
            key = event["dedup_key"]
            assert await there.does(DANA, "annotated", key, text="seen") == [202]
    assert [each.text for each in await heard(live.client, name)] == ["seen"]


async def test_a_note_whose_page_cannot_be_asked_for_now_comes_again(live):
    chosen = pagerduty(api_token=REST_TOKEN, api_url="http://127.0.0.1:1")
    async with door(live.client, chosen) as http:
        said = payload("annotated", note("PX", "hm"), agent=DANA.reference)
        answer = await deliver(http, said)
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "service", "severity", "why"),
    [
        pytest.param({}, "api", "critical", "Slow", id="as it comes"),
        pytest.param({"urgency": "low"}, "api", "warning", "Slow", id="what can wait"),
        pytest.param({"urgency": None}, "api", "critical", "Slow", id="of no urgency"),
        pytest.param(
            {"service": {"id": "P1", "summary": "Pravado  API (EU)"}},
            "pravado-api-eu",
            "critical",
            "Slow",
            id="a name that is no label",
        ),
        pytest.param(
            {"service": {"id": "P1", "summary": "決済"}}, "決済", "critical", "Slow", id="not ASCII"
        ),
        pytest.param({"service": None}, "unknown", "critical", "Slow", id="of no service"),
        pytest.param({"title": None}, "api", "critical", "no title", id="without a title"),
        pytest.param({"title": "x\x00\n y"}, "api", "critical", None, id="with what is no text"),
        pytest.param({"title": "x" * 5000}, "api", "critical", "x" * 1000, id="without an end"),
    ],
)
async def test_what_a_person_opens_there_is_opened_here(live, data, service, severity, why):
    said = by_hand(**data)
    name = f"OpenedInPagerDuty-{said['event']['data']['id']}"
    async with door(live.client, settings(environment="production", pagerduty=KNOWN)) as http:
        answer = await deliver(http, said)
        assert (answer.status_code, answer.json()) == (202, {"accepted": name})

    first = (await opening(live.client, name)).first
    assert (first.name, first.service, first.environment) == (
        "OpenedInPagerDuty",
        service,
        "production",
    )
    assert first.labels["severity"] == severity
    assert first.annotations["opened_by"] == "dana"
    assert "\x00" not in first.annotations["summary"]
    assert why is None or first.annotations["summary"] == why
    await live.client.get_workflow_handle(name).terminate()


async def test_an_opening_that_temporal_does_not_take_comes_again():
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with door(client, pagerduty()) as http:
        answer = await deliver(http, by_hand())
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["error"]["code"] == "not_accepted"


async def test_what_came_early_is_kept_only_of_people_and_within_bounds(live):
    said = by_hand()
    name = f"OpenedInPagerDuty-{said['event']['data']['id']}"
    opened = said["event"]["data"]
    early = [
        payload("acknowledged", opened, agent=who, event_id=f"{number}")
        for number, who in enumerate([STRANGER.reference, INTEGRATION, *[DANA.reference] * 30])
    ]
    async with door(live.client, pagerduty()) as http:
        for each in early:
            assert (await deliver(http, each)).json() == {"ignored": "not_ours"}
        await deliver(http, said)
    heard_of = await heard(live.client, name)
    assert {event.by for event in heard_of} == {"dana"}
    assert len({event.id for event in heard_of}) == 10
    await live.client.get_workflow_handle(name).terminate()
