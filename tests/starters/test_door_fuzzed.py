import json

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from starters.payload import Delivery
from tests.starters.doors import PATH, door, recorded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)  # fmt: skip
FIELDS = st.sampled_from(
    ["version", "alerts", "truncatedAlerts", "status", "receiver", "groupLabels"]
)
OF_AN_ALERT = st.sampled_from(
    ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
)

ACCEPTED = "responder_notices_accepted_total"

fuzzing = hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def bent(draw):
    """A real delivery with some of its fields replaced by anything."""
    payload = recorded("firing_single")
    for name in draw(st.lists(FIELDS, max_size=2)):
        payload[name] = draw(JSON)
    if isinstance(payload["alerts"], list) and payload["alerts"]:
        alert = payload["alerts"][0]
        for name in draw(st.lists(OF_AN_ALERT, min_size=1, max_size=2)):
            if isinstance(alert, dict):
                alert[name] = draw(JSON)
    return json.dumps(payload).encode()


@fuzzing
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()) | bent())
async def test_no_body_whatever_breaks_the_door(live, body):
    async with door(live.client) as http:
        answer = await http.post(PATH, content=body, headers={"Content-Type": "application/json"})
        metrics = (await http.get("/metrics")).text

    assert answer.status_code in {200, 422}, answer.text
    if answer.status_code == 422:
        assert set(answer.json()["error"]) <= {"code", "message", "field"}
        [series] = [each for each in metrics.splitlines() if each.startswith(ACCEPTED)]
        assert series == f"{ACCEPTED} 0.0"


LABELS = st.dictionaries(
    st.sampled_from(["service", "severity", "environment", "job", "cluster", "x"]), st.text()
)


@fuzzing
@given(
    labels=LABELS, name=st.text(min_size=1), url=st.text(),
    at=st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
)  # fmt: skip
def test_whatever_fits_the_model_becomes_an_alert(labels, name, url, at):
    payload = recorded("firing_single")
    payload["alerts"][0] |= {
        "labels": {"alertname": name, **labels}, "generatorURL": url, "startsAt": at,
    }  # fmt: skip
    try:
        delivery = Delivery.model_validate_json(json.dumps(payload))
    except ValueError:
        return
    alert = delivery.alerts[0].alert(("environment", "service"))
    assert alert.name
    assert len(alert.labels) <= 64
