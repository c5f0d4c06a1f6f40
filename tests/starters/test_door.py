import asyncio
import json
from http import HTTPStatus

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.alerts import AlertStatus, incident_id
from starters.opening import MOST_BYTES
from tests.starters.doors import PATH, SCOPE, door, elsewhere, groups, recorded, settings, told
from workflows.case import SEARCH_ATTRIBUTES

FIRING = ["firing_single", "firing_group_of_5", "firing_manual_amtool"]


@pytest.mark.parametrize("name", FIRING)
async def test_a_recorded_delivery_opens_one_incident_for_each_thing_that_is_broken(live, name):
    payload = elsewhere(recorded(name))

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    assert answer.status_code == HTTPStatus.OK, answer.text
    expected = groups(payload)
    assert answer.json()["incidents"] == len(expected)
    for group in expected:
        opening, notices = await told(live.client, group.id)
        assert [notice.alerts for notice in notices] == [group.alerts]
        assert opening.first in group.alerts
        assert incident_id(opening.first, SCOPE) == group.id


async def test_an_incident_can_be_found_from_its_first_moment(live):
    payload = elsewhere(recorded("firing_single"))
    async with door(live.client) as http:
        await http.post(PATH, json=payload)

    [group] = groups(payload)
    described = await live.client.get_workflow_handle(group.id).describe()

    found = {
        key.name: described.typed_search_attributes.get(SearchAttributeKey.for_keyword(key.name))
        for key in SEARCH_ATTRIBUTES
    }
    assert found["Phase"] == "opening"
    assert found["Service"] == group.alerts[0].service
    assert found["AlertName"] == group.alerts[0].name
    assert all(isinstance(value, str) for value in found.values())
    assert await described.static_summary() == f"{group.alerts[0].name} on {found['Service']}"
    assert "Opened by 1 alert" in (await described.static_details())


async def test_resolves_and_firings_of_one_incident_travel_in_one_signal(live):
    payload = elsewhere(recorded("firing_group_with_2_resolved_inside"))
    for alert in payload["alerts"]:
        alert["labels"] |= {"alertname": "HighAPILatency", "job": "pravado-api"}

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    [name] = answer.json()["accepted"]
    _, [notice] = await told(live.client, name)
    statuses = [alert.status for alert in notice.alerts]
    assert statuses.count(AlertStatus.RESOLVED) == 2
    assert len(statuses) == len(payload["alerts"])


async def test_a_repeat_and_the_copy_of_a_second_alertmanager_open_nothing_new(live):
    payload = elsewhere(recorded("repeat_first"))
    [group] = groups(payload)

    async with door(live.client) as one, door(live.client) as two:
        answers = await asyncio.gather(*(http.post(PATH, json=payload) for http in (one, two) * 5))

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    runs = [w async for w in live.client.list_workflows(f"WorkflowId = '{group.id}'")]
    assert len(runs) == 1
    _, notices = await told(live.client, group.id)
    assert len(notices) == 10
    assert all(notice.alerts == group.alerts for notice in notices)


async def test_a_resolve_without_an_open_incident_is_noted_and_ignored(live):
    payload = elsewhere(recorded("stale_resolved_after_alertmanager_restart"))
    [group] = groups(payload)

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)
        metrics = (await http.get("/metrics")).text

    assert answer.status_code == HTTPStatus.OK
    assert [w async for w in live.client.list_workflows(f"WorkflowId = '{group.id}'")] == []
    assert "responder_notices_ignored_total 1.0" in metrics


async def test_a_resolve_reaches_the_incident_that_is_open(live):
    firing = elsewhere(recorded("firing_single"))
    resolved = json.loads(json.dumps(firing))
    resolved["alerts"][0] |= {"status": "resolved", "endsAt": "2026-11-23T05:00:00Z"}
    resolved["status"] = "resolved"
    [group] = groups(firing)

    async with door(live.client) as http:
        for payload in (firing, resolved, firing):  # the last one came late
            assert (await http.post(PATH, json=payload)).status_code == HTTPStatus.OK

    _, notices = await told(live.client, group.id)
    assert [notice.alerts[0].firing for notice in notices] == [True, False, True]


async def test_a_truncated_delivery_says_that_it_is_incomplete(live):
    payload = elsewhere(recorded("firing_truncated_max_alerts_1"))

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    _, [notice] = await told(live.client, answer.json()["accepted"][0])
    assert notice.incomplete


async def test_a_group_too_large_for_one_signal_comes_in_several_and_whole(live):
    payload = elsewhere(recorded("firing_single"))
    [first] = payload["alerts"]
    payload["alerts"] = [
        {**first, "fingerprint": f"{n:016x}", "annotations": {"summary": "x" * 3900}}
        for n in range(300)
    ]
    [group] = groups(payload)

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    assert answer.status_code == HTTPStatus.OK
    _, notices = await told(live.client, group.id)
    assert len(notices) > 1
    assert [a for notice in notices for a in notice.alerts] == list(group.alerts)
    assert all(len(notice.model_dump_json()) < MOST_BYTES * 1.1 for notice in notices)


async def test_it_tells_whether_it_is_ready_and_what_it_did(live):
    async with door(live.client) as http:
        await http.post(PATH, json=elsewhere(recorded("firing_group_of_5")))
        await http.post(PATH, content=b"{", headers={"Content-Type": "application/json"})
        health, ready = await http.get("/healthz"), await http.get("/readyz")
        metrics = (await http.get("/metrics")).text

    assert health.json() == {"status": "ok"}
    assert ready.status_code == HTTPStatus.OK
    assert ready.json()["ready"]
    assert 'responder_alerts_received_total{status="firing"} 5.0' in metrics
    assert 'responder_deliveries_refused_total{reason="json"} 1.0' in metrics
    assert "responder_accept_seconds_count 1.0" in metrics


async def test_without_temporal_the_sender_is_told_to_try_again():
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    chosen = settings(door={"deadline_seconds": 1})

    async with door(client, chosen) as http:
        answer = await http.post(PATH, json=elsewhere(recorded("firing_group_of_5")))
        ready, health = await http.get("/readyz"), await http.get("/healthz")

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    error = answer.json()["error"]
    assert error["code"] == "not_accepted"
    assert error["incidents"]
    assert "Traceback" not in answer.text
    assert ready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert health.status_code == HTTPStatus.OK
