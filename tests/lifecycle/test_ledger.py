"""The ledger of earned autonomy as a table: what moves a step, and what never does."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.autonomy import Earning, Level, Verified, WhichLevel
from activities.words import Risk
from workflows.ledger import Ledger, Move

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
STEP = "processes.scale@pravado-api"
THREE = Earning(enabled=True, successes=3)
EVERY_RISK = tuple(Risk)


def seen(number: int, *, helped: bool = True, risk: Risk = Risk.REVERSIBLE) -> Verified:
    return Verified(
        step=STEP, occasion=f"incident-{number}/{STEP}", helped=helped, risk=risk, earning=THREE
    )


def level(ledger: Ledger, earning: Earning = THREE) -> Level:
    return ledger.level(WhichLevel(step=STEP, risk=Risk.REVERSIBLE, earning=earning), T0).level


def moved(ledger: Ledger, number: int, *, up: bool = True) -> str:
    move = Move(id=f"move-{number}", by="dana", step=STEP, up=up, may=EVERY_RISK)
    assert ledger.refusal(move) == ""
    return ledger.move(move, T0)


@pytest.mark.parametrize("begins", list(Level))
def test_an_unknown_step_begins_where_the_settings_say(begins):
    assert level(Ledger(), Earning(enabled=True, begins=begins)) is begins


def test_enough_successes_are_a_proposal_and_nothing_more():
    ledger = Ledger()
    answers = [ledger.count(seen(number), T0) for number in range(1, 7)]

    assert [each.proposed for each in answers] == [None, None, Level.ACT, None, None, Level.ACT]
    assert level(ledger) is Level.ASK, "people decide"
    assert "ask is now act" in moved(ledger, 1)
    assert level(ledger) is Level.ACT
    assert ledger.count(seen(8), T0).proposed is None, "there is nothing above"


def test_one_failure_demotes_at_once_and_the_successes_are_counted_anew():
    ledger = Ledger()
    for number in range(2):
        ledger.count(seen(number), T0)

    answer = ledger.count(seen(2, helped=False), T0)

    assert (answer.demoted_from, answer.level) == (Level.ASK, Level.PROPOSE)
    assert ledger.count(seen(3), T0).successes == 1
    assert (
        "did not help"
        in ledger.level(WhichLevel(step=STEP, risk=Risk.REVERSIBLE, earning=THREE), T0).why
    )


def test_below_the_lowest_level_there_is_nothing():
    ledger = Ledger()
    levels = [ledger.count(seen(number, helped=False), T0).level for number in range(4)]

    assert levels == [Level.PROPOSE, Level.OBSERVE, Level.OBSERVE, Level.OBSERVE]


@pytest.mark.parametrize("helped", [True, False])
def test_what_is_told_twice_counts_once(helped):
    ledger = Ledger()
    first = ledger.count(seen(1, helped=helped), T0)
    for late in range(3):
        again = ledger.count(seen(1, helped=helped), T0 + timedelta(hours=late))
        assert again == first

    entry = ledger.entries[STEP]
    assert (entry.successes, entry.failures) == ((1, 0) if helped else (0, 1))


def test_it_is_the_same_after_it_was_carried_on():
    ledger = Ledger()
    ledger.count(seen(1), T0)
    moved(ledger, 1)
    carried = Ledger.model_validate_json(ledger.model_dump_json())

    assert carried == ledger
    assert carried.count(seen(1), T0).successes == 1
    assert carried.entries[STEP].level is Level.ACT


@pytest.mark.parametrize(
    ("move", "why"),
    [
        ({"step": "a.b@nowhere"}, "nothing is known of a.b@nowhere"),
        ({"may": (Risk.REVERSIBLE,)}, "dana may not decide about destructive steps"),
        ({"may": ()}, "dana may not decide about destructive steps"),
        ({"up": False, "may": ()}, ""),
    ],
    ids=["an unknown step", "a risk above one's rights", "no rights at all", "less is anybody's"],
)
def test_who_may_move_a_step(move, why):
    ledger = Ledger()
    ledger.count(seen(1), T0)
    ledger.count(seen(2, risk=Risk.DESTRUCTIVE), T0)
    asked = Move(**{"id": "1", "by": "dana", "step": STEP, "up": True, **move})

    assert ledger.refusal(asked) == why or (why and why in ledger.refusal(asked))


def test_the_ends_are_refused_and_the_same_click_twice_is_one():
    ledger = Ledger()
    ledger.count(seen(1), T0)
    assert moved(ledger, 1) == moved(ledger, 1)
    assert level(ledger) is Level.ACT
    top = Move(id="2", by="dana", step=STEP, up=True, may=EVERY_RISK)
    assert ledger.refusal(top) == "it is at act already"


def test_it_stays_small_for_ever():
    ledger = Ledger()
    for number in range(3000):
        ledger.count(
            Verified(
                step=f"a.b@target-{number}", occasion=str(number), helped=True,
                risk=Risk.REVERSIBLE, earning=THREE,
            ),
            T0 + timedelta(seconds=number),
        )  # fmt: skip

    assert len(ledger.entries) == 1000
    assert "a.b@target-2999" in ledger.entries
    assert len(ledger.model_dump_json()) < 1_000_000
