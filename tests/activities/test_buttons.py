import pytest
from hypothesis import given
from hypothesis import strategies as some

from activities.alerts import Alert, AlertStatus, incident_id
from activities.buttons import MOST_VALUE, Target, decode, encode

RUN = "01997c2e-6a1f-7d0e-9b57-2f0c5b7a9e11"
anything = some.text(max_size=120).filter(lambda name: name.strip())


@given(
    anything, anything, some.text("0123456789abcdef", max_size=12), some.text("af09", max_size=32)
)
def test_a_value_of_any_incident_fits_a_button_and_is_read_back_whole(
    name, service, question, shown
):
    opened = Alert(
        fingerprint="f",
        name=name,
        status=AlertStatus.FIRING,
        starts_at="2026-11-23T03:00:00Z",
        labels={"alertname": name, "service": service},
    )
    target = Target(incident_id(opened), RUN, question, shown)

    value = encode(target)

    assert len(value) <= MOST_VALUE
    assert decode(value) == target


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param("APIDown-api-1", id="an id alone"),
        pytest.param("|run||", id="no incident"),
        pytest.param("APIDown-api-1|||", id="no run"),
        pytest.param("a|b|c|d|e", id="more than it has"),
    ],
)
def test_a_value_that_is_none_of_ours_is_not_guessed_at(value):
    assert decode(value) is None


def test_a_value_that_is_too_long_after_all_is_cut_and_never_names_another_incident():
    value = encode(Target("x" * 400, RUN))

    assert len(value) == MOST_VALUE
    assert decode(value) is None
