import json
from http import HTTPStatus

import pytest

from starters.door import application
from starters.opening import MOST_BYTES
from tests.starters.doors import PATH, TOKEN, door, elsewhere, groups, recorded, settings, told
from workers.settings import SettingsWrong


@pytest.mark.parametrize(
    ("headers", "change", "expected"),
    [
        pytest.param({"Authorization": ""}, {}, (401, "unauthorized", None), id="no token"),
        pytest.param(
            {"Authorization": "Bearer wrong"}, {}, (401, "unauthorized", None), id="a wrong token"
        ),
        pytest.param(
            {"Authorization": f"Basic {TOKEN}"}, {}, (401, "unauthorized", None), id="no bearer"
        ),
        pytest.param(
            {"Authorization": f"Bearer {TOKEN}\u00a0"},
            {},
            (401, "unauthorized", None),
            id="a token and a space that is none",
        ),
        pytest.param(
            {"Authorization": "Bearer s3crét"}, {}, (401, "unauthorized", None), id="no ASCII"
        ),
        pytest.param(
            {"Content-Type": "text/plain"}, {}, (422, "content_type", "content-type"), id="no JSON"
        ),
        pytest.param({}, b"{", (422, "json", None), id="half of a JSON text"),
        pytest.param({}, b"", (422, "json", None), id="nothing"),
        pytest.param({}, b'{"version":"4","alerts":[]}', (422, "invalid", "alerts"), id="empty"),
        pytest.param({}, {"version": "3"}, (422, "invalid", "version"), id="another version"),
        pytest.param(
            {}, {"fingerprint": None}, (422, "invalid", "alerts.0.fingerprint"), id="no fingerprint"
        ),
        pytest.param(
            {}, {"startsAt": "yesterday"}, (422, "invalid", "alerts.0.startsAt"), id="no time"
        ),
        pytest.param(
            {}, {"startsAt": "2026-11-23T05:00:00"}, (422, "invalid", "alerts.0.startsAt"),
            id="a time without a zone",
        ),
        pytest.param({}, {"labels": {}}, (422, "invalid", "alerts.0.labels"), id="no name"),
        pytest.param({}, {"status": "maybe"}, (422, "invalid", "alerts.0.status"), id="no status"),
        pytest.param({}, b" " * 5000, (413, "too_large", None), id="a body over the limit"),
    ],
)  # fmt: skip
async def test_a_delivery_that_cannot_be_believed_is_refused_and_starts_nothing(
    live, headers, change, expected
):
    payload = elsewhere(recorded("firing_single"))
    if isinstance(change, bytes):
        content = change
    else:
        payload |= {key: value for key, value in change.items() if key in payload}
        payload["alerts"][0] |= {k: v for k, v in change.items() if k != "version"}
        content = json.dumps(payload).encode()
    sent = {"Content-Type": "application/json", **headers}
    encoded = {name: value.encode() for name, value in sent.items()}

    async with door(live.client, settings(door={"body_bytes": 4096})) as http:
        answer = await http.post(PATH, content=content, headers=encoded)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("field")) == expected
    assert error["message"]
    if not isinstance(change, bytes) and not change:
        [group] = groups(payload)
        assert [w async for w in live.client.list_workflows(f"WorkflowId = '{group.id}'")] == []


async def test_a_body_without_a_length_is_counted_while_it_comes(live):
    async def endless():
        for _ in range(100_000):
            yield b" " * 1024

    async with door(live.client) as http:
        answer = await http.post(
            PATH, content=endless(), headers={"Content-Type": "application/json"}
        )

    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_fields_of_a_newer_alertmanager_do_no_harm(live):
    payload = elsewhere(recorded("firing_single"))
    payload |= {"notification_reason": "first notification", "routeLabels": {"a": "b"}, "new": [1]}
    payload["alerts"][0] |= {"new": {"deep": None}}

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    assert answer.status_code == HTTPStatus.OK


async def test_labels_and_annotations_of_any_size_are_cut_and_the_incident_stays_the_same(live):
    payload = elsewhere(recorded("firing_single"))
    [group] = groups(payload)
    alert = payload["alerts"][0]
    alert["labels"] |= {f"a{n}": "\x00\x1b[31m" + "x" * 3000 for n in range(500)}
    alert["annotations"] = {f"b{n}": "y" * 20_000 for n in range(50)}
    alert["generatorURL"] = "http://prometheus/graph?g0.expr=" + "z" * 10_000

    async with door(live.client) as http:
        answer = await http.post(PATH, json=payload)

    assert answer.json()["accepted"] == [group.id]
    _, [notice] = await told(live.client, group.id)
    assert len(notice.model_dump_json()) < MOST_BYTES
    assert notice.alerts[0].expression == ""
    assert "\x1b" not in notice.model_dump_json()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        pytest.param("/nowhere", "GET", 404, id="an unknown path"),
        pytest.param(PATH, "GET", 405, id="a wrong method"),
    ],
)
async def test_what_is_not_there_is_refused_as_json(live, path, method, status):
    async with door(live.client) as http:
        answer = await http.request(method, path)

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("sections", "safe"),
    [
        pytest.param({"alertmanager": {}}, False, id="no token"),
        pytest.param(
            {"alertmanager": {}, "door": {"insecure": True, "host": "0.0.0.0"}},  # noqa: S104
            False,
            id="no token, for everybody",
        ),
        pytest.param(
            {"alertmanager": {}, "door": {"insecure": True}}, True, id="no token, on loopback"
        ),
        pytest.param(
            {"door": {"host": "0.0.0.0"}},  # noqa: S104
            True,
            id="a token, for everybody",
        ),
    ],
)
async def test_a_door_that_anybody_can_walk_through_does_not_open(live, sections, safe):
    if safe:
        application(live.client, settings(**sections))
    else:
        with pytest.raises(SettingsWrong, match="RESPONDER_ALERTMANAGER__TOKEN"):
            application(live.client, settings(**sections))
