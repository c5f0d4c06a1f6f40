"""What no incident may decide alone: whose turn it is, and who undoes what several hold."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.coordination import Done, Wanted
from workflows.policy import Policy
from workflows.turns import Turns

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
API, REDIS = "pravado-api", "redis"


def wanted(incident: str, target: str = API, **more) -> Wanted:
    together = Policy().together(target)
    given = {"key": f"{incident}/{target}", "lasts_seconds": 600.0, "also": together}
    given |= {"looked": True, **more}
    return Wanted(incident=incident, target=target, **given)


def done(incident: str, target: str = API, **more) -> Done:
    return Done(**{"key": f"{incident}/{target}", "incident": incident, "happened": True, **more})


def scaled(turns: Turns, incident: str, to: int, before: int, *, changed: bool = True) -> None:
    """An incident scales the API, and keeps it so for a while."""
    assert turns.take(wanted(incident, claim="scale"), T0).granted
    order = {"replicas": to}
    turns.give_back(
        done(incident, claim="scale", order=order, before={"count": before}, changed=changed), T0
    )


def undone(turns: Turns, incident: str) -> None:
    assert turns.take(wanted(incident, claim="scale", undo=True), T0).granted
    turns.give_back(done(incident, claim="scale", undo=True), T0)


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (API, API, True),
        (API, REDIS, True),
        (REDIS, API, True),
        ("postgres", API, True),
        (REDIS, "postgres", False),
        ("support", API, False),
    ],
    ids=[
        "the same target", "what the target stands on", "what stands on the target",
        "another thing that it stands on", "two that do not touch", "a letter and a restart",
    ],
)  # fmt: skip
def test_two_incidents_change_what_belongs_together_one_after_the_other(first, second, waits):
    turns = Turns()
    assert turns.take(wanted("A", first), T0).granted

    turn = turns.take(wanted("B", second), T0)

    assert (turn.granted, turn.later) == (not waits, waits)
    if waits:
        assert turn.why == f"A is changing {first}"
        turns.give_back(done("A", first), T0)
        assert turns.take(wanted("B", second), T0).granted


def test_the_same_key_twice_is_the_same_turn():
    turns = Turns()
    for _ in range(3):
        assert turns.take(wanted("A", restarts=True), T0).granted

    assert (len(turns.leases), len(turns.restarts)) == (1, 1)


def test_a_turn_that_nobody_gives_back_ends_by_itself():
    turns = Turns()
    turns.take(wanted("A"), T0)

    assert not turns.take(wanted("B"), T0 + timedelta(seconds=599)).granted
    assert turns.take(wanted("B"), T0 + timedelta(seconds=601)).granted


def test_a_turn_of_ones_own_that_was_never_given_back_hides_nobody_elses():
    turns = Turns()
    assert turns.take(wanted("A", REDIS), T0).granted
    assert turns.take(wanted("B", "postgres"), T0).granted

    turn = turns.take(wanted("A", API), T0)

    assert (turn.granted, turn.holder) == (False, "B")


def test_a_turn_of_an_incident_that_was_ended_from_outside_ends_within_a_minute():
    turns = Turns()
    assert turns.take(wanted("A"), T0).granted

    gone = wanted("B", gone=("A",))
    assert turns.take(gone, T0).holder == "A", "its last attempt may be going on"

    assert turns.take(wanted("B"), T0 + timedelta(seconds=61)).granted


def test_restarts_are_counted_over_all_incidents():
    turns = Turns()
    for incident in ("A", "B"):
        assert turns.take(wanted(incident, restarts=True), T0).granted
        turns.give_back(done(incident), T0)

    turn = turns.take(wanted("C", restarts=True), T0 + timedelta(minutes=29))

    assert (turn.granted, turn.later) == (False, False)
    assert turn.why == "pravado-api was restarted 2 times of late, by A, B"
    assert turns.take(wanted("C", restarts=True), T0 + timedelta(minutes=31)).granted


def test_a_restart_that_surely_did_not_happen_is_not_counted():
    turns = Turns()
    for incident in ("A", "B"):
        turns.take(wanted(incident, restarts=True), T0)
        turns.give_back(done(incident, happened=False), T0)

    assert turns.take(wanted("C", restarts=True), T0).granted


def test_a_restart_by_an_undo_that_may_have_got_through_is_counted():
    turns = Turns()
    assert turns.take(wanted("A", restarts=True, undo=True), T0).granted
    turns.give_back(done("A", undo=True, happened=False, maybe=True), T0)

    assert len(turns.restarts) == 1
    assert turns.leases == []


def test_an_undo_that_restarts_is_counted_and_never_refused():
    turns = Turns()
    for incident in ("A", "B"):
        turns.take(wanted(incident, restarts=True), T0)
        turns.give_back(done(incident), T0)

    assert turns.take(wanted("A", restarts=True, undo=True), T0).granted


@pytest.mark.parametrize("leaves_first", ["A", "B"])
def test_high_scales_to_5_and_critical_to_10_and_the_last_goes_back_to_2(leaves_first):
    turns = Turns()
    scaled(turns, "A", 5, before=2)
    scaled(turns, "B", 10, before=5)
    last = "B" if leaves_first == "A" else "A"

    kept = turns.take(wanted(leaves_first, claim="scale", undo=True), T0)
    turn = turns.take(wanted(last, claim="scale", undo=True), T0)

    assert (kept.granted, kept.kept_by) == (False, (last,))
    assert turn.granted
    if last == "B":  # its own order is what is there
        assert (turn.order, turn.before) == ({"replicas": 10}, {"count": 2})


def test_the_weaker_holder_that_is_last_undoes_what_is_there_and_not_its_own_order():
    turns = Turns()
    scaled(turns, "A", 10, before=2)
    scaled(turns, "B", 5, before=10, changed=False)

    assert turns.take(wanted("A", claim="scale", undo=True), T0).kept_by == ("B",)
    turn = turns.take(wanted("B", claim="scale", undo=True), T0)

    assert (turn.order, turn.before) == ({"replicas": 10}, {"count": 2})


def test_what_an_incident_held_that_was_ended_from_outside_is_put_back_by_the_next_holder():
    turns = Turns()
    scaled(turns, "A", 5, before=2)
    scaled(turns, "B", 10, before=5)

    first_look = turns.take(wanted("B", claim="scale", undo=True, looked=False), T0)
    turn = turns.take(wanted("B", claim="scale", undo=True, gone=("A",)), T0)

    assert (first_look.granted, first_look.kept_by) == (False, ("A",))
    assert (turn.granted, turn.before) == (True, {"count": 2})


def test_an_incident_that_stands_alone_undoes_by_what_it_read_itself():
    turns = Turns()
    scaled(turns, "A", 5, before=2)

    turn = turns.take(wanted("A", claim="scale", undo=True), T0)

    assert turn.granted
    assert (turn.order, turn.before) == (None, None)


def test_two_steps_of_one_incident_are_no_two_holders():
    turns = Turns()
    scaled(turns, "A", 5, before=2)
    scaled(turns, "A", 10, before=5)

    assert turns.take(wanted("A", claim="scale", undo=True), T0).granted


def test_a_claim_whose_incident_never_came_back_is_nobodys_after_two_days():
    turns = Turns()
    scaled(turns, "A", 5, before=2)
    scaled(turns, "B", 10, before=5)
    late = T0 + timedelta(hours=49)

    assert turns.take(wanted("B", claim="scale", undo=True), late).granted


def test_what_was_undone_is_held_no_more():
    turns = Turns()
    scaled(turns, "A", 5, before=2)
    undone(turns, "A")

    assert turns.claims == {}
    assert turns.leases == []
