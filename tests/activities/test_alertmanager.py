import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from activities.alertmanager import Alertmanager, OpenAlerts
from activities.errors import Refused, Throttled, Unavailable
from activities.words import CUT_BYTES
from deploy.local import metrics
from tests.activities.attempts import run

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
TOKEN = "tok-hunter2-very-secret"
WEIRD = 'a"b\\c\nd{e}=~ é, x'


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
async def server(tmp_path_factory) -> AsyncIterator[metrics.Alertmanager]:
    async with metrics.Alertmanager(tmp_path_factory.mktemp("alertmanager"), CONFIG) as started:
        now = datetime.now(UTC)
        alerts = [
            {"labels": {"alertname": name, "job": "api", "path": path}, "startsAt": at.isoformat()}
            for name, path, at in (
                ("HighAPILatency", "/b", now - timedelta(minutes=1)),
                ("CriticalAPILatency", "/a", now - timedelta(minutes=2)),
                ("High.PILatency", WEIRD, now - timedelta(minutes=3)),
            )
        ]
        silence = {
            "matchers": [{"name": "path", "value": "/a", "isRegex": False, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "test",
            "comment": "known",
        }
        async with httpx.AsyncClient(base_url=started.url, trust_env=False) as client:
            (await client.post("/api/v2/silences", json=silence)).raise_for_status()
            (await client.post("/api/v2/alerts", json=alerts)).raise_for_status()
            while len((await client.get("/api/v2/alerts")).json()) < 3:
                await asyncio.sleep(0.02)
        yield started


@pytest.mark.parametrize(
    ("ask", "names"),
    [
        pytest.param(OpenAlerts(labels={"job": "api"}),
                     ["High.PILatency", "CriticalAPILatency", "HighAPILatency"],
                     id="all of a service, oldest first"),
        pytest.param(OpenAlerts(labels={"job": "api"}, names=("HighAPILatency", "Other")),
                     ["HighAPILatency"], id="by name"),
        pytest.param(OpenAlerts(names=("High.PILatency",)), ["High.PILatency"],
                     id="a name is no pattern"),
        pytest.param(OpenAlerts(labels={"path": WEIRD}), ["High.PILatency"],
                     id="a label with anything in it"),
        pytest.param(OpenAlerts(labels={"job": 'x", job=~".*'}), [],
                     id="a value that would break out"),
    ],
)  # fmt: skip
async def test_open_alerts_are_found_by_their_labels(server, http, ask, names):
    found = await run(Alertmanager(http, server.url).open_alerts, ask)
    assert [each.labels["alertname"] for each in found.alerts] == names


async def test_a_silenced_alert_is_open_and_says_by_what(server, http):
    ask = OpenAlerts(labels={"path": "/a"})
    [alert] = (await run(Alertmanager(http, server.url).open_alerts, ask)).alerts

    assert alert.state == "suppressed"
    assert len(alert.silenced_by) == 1
    assert alert.starts_at < datetime.now(UTC) - timedelta(seconds=100)


async def test_what_is_no_label_is_refused_unasked(http):
    with pytest.raises(Refused, match="not the name of a label"):
        await run(
            Alertmanager(http, "http://127.0.0.1:9").open_alerts, OpenAlerts(labels={"a b": ""})
        )


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        pytest.param(400, '"bad matcher"', Refused, id="a wrong question"),
        pytest.param(401, f"no: {TOKEN}", Refused, id="a token that is wrong"),
        pytest.param(429, "slow down", Throttled, id="a proxy that wants a pause"),
        pytest.param(500, '"broken"', Unavailable, id="an internal error"),
        pytest.param(503, "<html>", Unavailable, id="a proxy without a server"),
        pytest.param(200, "<html>log in</html>", Unavailable, id="a login page"),
        pytest.param(302, "", Refused, id="somewhere else"),
    ],
)
async def test_answers_that_are_none_are_told_apart(status, body, error):
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, text=body)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        adapter = Alertmanager(http, "http://am.test/", token=SecretStr(TOKEN))
        with pytest.raises(error) as raised:
            await run(adapter.open_alerts, OpenAlerts())

    assert [request.headers["authorization"] for request in asked] == [f"Bearer {TOKEN}"]
    assert TOKEN not in str(raised.value)


async def test_an_unreachable_alertmanager_is_unavailable(http):
    with pytest.raises(Unavailable, match="cannot be reached"):
        await run(Alertmanager(http, "http://127.0.0.1:9").open_alerts, OpenAlerts())


async def test_more_alerts_than_fit_are_counted():
    alerts = [
        {
            "fingerprint": f"{n:016x}",
            "labels": {"alertname": "X", "text": "y" * 200},
            "startsAt": "2026-11-23T05:00:00Z",
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        }
        for n in range(500)
    ]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=alerts))
    async with httpx.AsyncClient(transport=transport) as http:
        found = await run(Alertmanager(http, "http://am.test").open_alerts, OpenAlerts())

    assert len(found.alerts) + found.truncated == 500
    assert found.truncated > 0
    assert len(found.model_dump_json()) < CUT_BYTES + 1000
