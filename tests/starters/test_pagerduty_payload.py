"""Whatever is signed is read or ignored: nothing that PagerDuty may send one day is an error."""

import contextlib
import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.alerts import Alert
from activities.pagerduty_there import OPENED_THERE as OPENED
from activities.pagerduty_there import incident_of as name_of
from activities.pagerduty_there import key_of
from deploy.gameday.standins.pagerduty_webhooks import User, incident, note, payload
from starters.opening import by_hand
from starters.pagerduty_payload import Happened, Ignored, incident_of, read
from workflows.page_events import PageEvent, PageHappening

DANA = User("PDANA01", "Dana Doe")
KEY = "A-api-12345678/00000000-0000-4000-8000-000000000000/page-1"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
WHOLE = [
    payload("acknowledged", incident(1, KEY, "acknowledged", "t", [DANA]), agent=DANA.reference),
    payload("annotated", note("P1", "seen"), agent=DANA.reference),
    payload("triggered", incident(2, "", "triggered", "t", name="Q1"), agent=DANA.reference),
]


def places(value, path=()):
    """Every place in a payload."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


def replaced(whole, path, value):
    if not path:
        return value
    changed = copy.deepcopy(whole)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


PLACES = [(whole, path) for whole in WHOLE for path in places(whole)]


@given(place=st.sampled_from(PLACES), value=ANYTHING)
@settings(max_examples=1500, deadline=None)
def test_an_event_with_anything_in_the_place_of_anything_is_read_or_ignored(place, value):
    whole, path = place
    body = json.dumps(replaced(whole, path, value)).encode()
    with contextlib.suppress(Ignored):
        happened = read(body)
        assert isinstance(happened, Happened)
        event = happened.told(KEY, {"PDANA01": "dana"})
        assert PageEvent.model_validate_json(event.model_dump_json()) == event
        assert event.by in ("", "dana")
        service, severity = happened.service or "unknown", happened.severity
        first = by_hand(OPENED, service, severity, "", why=happened.title, who="dana", at=event.at)
        assert Alert.model_validate_json(first.model_dump_json()) == first
        assert incident_of(key_of(name_of(happened.there))) == "", "no page of ours"


@given(body=st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_ignored(body):
    with contextlib.suppress(Ignored):
        read(body)


@given(key=st.text(max_size=300))
@settings(max_examples=500, deadline=None)
def test_only_a_key_of_ours_names_an_incident(key):
    named = incident_of(key)
    assert named == "" or key.startswith(f"{named}/")


def test_every_happening_is_read_as_pagerduty_names_it():
    for happening in PageHappening:
        said = payload(happening.value, incident(1, KEY, "triggered", "t"), agent=None)
        assert read(json.dumps(said).encode()).happening is happening
