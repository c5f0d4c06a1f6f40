import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.people import Question
from activities.record import Phase
from activities.words import Risk
from starters.keys import Keys, Stage, Wanted
from tests import records
from tests.records import after
from workflows.acts import ActKind

RUN = "0d9c8b7a-1111-4222-8333-944455556666"


def asking(identity="q-1", shown="digest-1"):
    return Question(
        id=identity,
        shown=shown,
        step="processes.restart",
        text="Restart the 5 API instances, one at a time?",
        risk=Risk.DISRUPTIVE,
        asked_at=after(60),
        next_level_at=after(360),
        expires_at=after(660),
        asked_level="on-call",
    )


def incident(**fields):
    return records.bare(**fields)


def typed(keys, text, record):
    """Press one key after the other, as a person does; the last act that it comes to."""
    acts = [keys.press(char, record) for char in text]
    return [each for each in acts if each is not None]


@pytest.mark.parametrize(
    ("keys", "act"),
    [
        pytest.param("ay", Wanted(ActKind.ACKNOWLEDGE, run=RUN), id="acknowledge"),
        pytest.param("hy", Wanted(ActKind.HOLD, run=RUN), id="hold"),
        pytest.param("tY", Wanted(ActKind.TAKE_OVER, run=RUN), id="take over"),
        pytest.param("mrouter is off\r", Wanted(ActKind.NOTE, "router is off", run=RUN), id="note"),
        pytest.param(
            "rpool\x7f\x7fwer\ny", Wanted(ActKind.RESOLVE, "power", run=RUN), id="resolve, mistyped"
        ),
        pytest.param(
            "ehelp\ry", Wanted(ActKind.ESCALATE, "help", shown="0", run=RUN), id="escalate"
        ),
        pytest.param("mé ü\r", Wanted(ActKind.NOTE, "é ü", run=RUN), id="letters of any language"),
    ],
)
def test_a_key_and_its_confirmation_come_to_one_act(keys, act):
    assert typed(Keys("ana"), keys, incident()) == [act]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("an", id="no to the question"),
        pytest.param("a\x1b", id="escape"),
        pytest.param("aa", id="the same key held down"),
        pytest.param("a\r", id="enter alone agrees to nothing"),
        pytest.param("r\r", id="no reason"),
        pytest.param("r   \ry", id="a blank reason"),
        pytest.param("rover\rn", id="a reason, and then no"),
        pytest.param("y", id="nothing is asked"),
        pytest.param("b", id="nobody has taken over"),
        pytest.param("x?1 \x00", id="keys without a meaning"),
    ],
)
def test_nothing_is_done_without_agreement(keys):
    watching = Keys("ana")

    assert typed(watching, keys, incident()) == []
    assert not watching.over


@pytest.mark.parametrize(
    ("keys", "acts"),
    [
        pytest.param("yyes\r", [ActKind.APPROVE], id="the word written out"),
        pytest.param("yYES\r", [ActKind.APPROVE], id="in capitals"),
        pytest.param("yy\r", [], id="the key twice approves nothing"),
        pytest.param("yyyyyyy", [], id="the key held down approves nothing"),
        pytest.param("yno\r", [], id="another word"),
        pytest.param("ny", [ActKind.REJECT], id="a no needs one more key"),
    ],
)
def test_an_approval_has_to_be_written_out(keys, acts):
    found = typed(Keys("ana"), keys, incident(question=asking()))

    assert [each.kind for each in found] == acts
    assert all((each.question, each.shown) == ("q-1", "digest-1") for each in found)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(None, id="nothing is asked any more"),
        pytest.param(asking("q-2", "digest-1"), id="another question"),
        pytest.param(asking("q-1", "digest-2"), id="the same question of another state"),
    ],
)
def test_an_answer_is_void_once_something_else_is_asked(later):
    keys = Keys("ana")
    typed(keys, "yye", incident(question=asking()))

    assert typed(keys, "s\r", incident(question=later)) == []
    assert "not open any more" in keys.said
    assert not keys.went_well


def test_what_is_agreed_to_is_shown_with_its_exact_effect_and_by_whom():
    record = incident(question=asking())
    keys = Keys("ana")
    typed(keys, "y", record)

    line = keys.line(record)

    assert "Approve: Restart the 5 API instances, one at a time?" in line
    assert "as ana" in line


@pytest.mark.parametrize(
    ("fields", "shown", "hidden"),
    [
        pytest.param({}, "[a] acknowledge", "[y]", id="nothing is asked"),
        pytest.param({"question": asking()}, "[y] approve  [n] reject", "[b]", id="it asks"),
        pytest.param({"phase": Phase.RESOLVED}, "[q] quit", "[r]", id="it is over"),
    ],
)
def test_only_keys_that_mean_something_are_offered(fields, shown, hidden):
    choices = "  ".join(Keys("ana").choices(incident(**fields)))

    assert shown in choices
    assert hidden not in choices


@pytest.mark.parametrize(
    "pasted", ["ay", "tyhy", "\x1b[A", "\x1bOP", "q\x00"], ids=["two", "four", "up", "F1", "q"]
)
def test_what_is_pasted_and_arrow_keys_decide_nothing(pasted):
    keys = Keys("ana")

    assert keys.press(pasted, incident(question=asking())) is None
    assert not keys.over
    assert "[a] acknowledge" in keys.choices(incident())


def test_a_text_may_be_pasted_and_commands_no_terminal():
    keys = Keys("ana")
    record = incident()
    keys.press("m", record)

    act = keys.press("see \x07the\x9b logs\r", record)

    assert act == Wanted(ActKind.NOTE, "see the logs", run=RUN)


def test_q_leaves():
    keys = Keys("ana")
    keys.press("q", incident())

    assert keys.over


@given(st.lists(st.text(alphabet="ynahtbemrq es\r\x1b\x7fX", min_size=1, max_size=4)))
def test_whatever_is_typed_approves_only_by_the_word(chunks):
    record, keys = incident(question=asking()), Keys("ana")

    for chunk in chunks:
        stage, before = keys.stage, keys.line(record)
        act = keys.press(chunk, record)
        keys.choices(record)
        if act is not None and act.kind is ActKind.APPROVE:
            written = before.partition("Enter: ")[2].partition("▌")[0] + chunk
            assert stage is Stage.SWEARING
            assert "\x7f" in chunk or written.strip().lower().startswith("yes")
