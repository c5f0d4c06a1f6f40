import pytest

from starters.acting import Refused
from starters.slack_commands import HELP, KINDS, Wish, read, split
from workflows.acts import ActKind


@pytest.mark.parametrize(
    ("kind", "rest", "wish"),
    [
        pytest.param(ActKind.ACKNOWLEDGE, "", Wish(ActKind.ACKNOWLEDGE), id="nothing more"),
        pytest.param(ActKind.HOLD, "", Wish(ActKind.HOLD, minutes=10), id="hold ten minutes"),
        pytest.param(ActKind.HOLD, "30", Wish(ActKind.HOLD, minutes=30), id="hold thirty"),
        pytest.param(ActKind.HOLD, "2.5m", Wish(ActKind.HOLD, minutes=2.5), id="hold a little"),
        pytest.param(
            ActKind.APPROVE, "0123456789ab",
            Wish(ActKind.APPROVE, question="0123456789ab"), id="approve that question",
        ),
        pytest.param(
            ActKind.REJECT, "0123456789ab not at night",
            Wish(ActKind.REJECT, "not at night", "0123456789ab"), id="reject it, and say why",
        ),
        pytest.param(
            ActKind.REJECT, "not at night", Wish(ActKind.REJECT, "not at night"), id="reject"
        ),
        pytest.param(ActKind.NOTE, "beef 5", Wish(ActKind.NOTE, "beef 5"), id="a note is a text"),
        pytest.param(
            ActKind.RESOLVE, "deadbeef it was", Wish(ActKind.RESOLVE, "deadbeef it was"),
            id="a reason is a text",
        ),
    ],
)  # fmt: skip
def test_what_follows_the_incident_is_read(kind, rest, wish):
    assert read(kind, rest) == wish


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        pytest.param(ActKind.HOLD, "soon", id="a time that is none"),
        pytest.param(ActKind.HOLD, "0", id="no time"),
        pytest.param(ActKind.HOLD, "9999", id="a week"),
        pytest.param(ActKind.HOLD, "٣", id="another script's digit"),
        pytest.param(ActKind.TAKE_OVER, "please", id="words where none belong"),
        pytest.param(ActKind.APPROVE, "yes", id="a question that is none"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_guessed_at(kind, rest):
    with pytest.raises(Refused):
        read(kind, rest)


def test_the_verb_is_read_whatever_its_letters_are():
    assert split("  ACK  HighAPILatency-x ") == ("ack", "HighAPILatency-x")
    assert split("") == ("", "")


def test_the_help_names_every_act_that_there_is():
    for verb in KINDS:
        word = {"acknowledge": "ack", "takeover": "take-over", "handback": "hand-back"}
        assert word.get(verb, verb) in HELP
