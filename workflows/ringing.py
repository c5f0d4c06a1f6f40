"""Which pages ring phones too: those of high urgency, where the policy names phones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from activities.outbox import Unsent
from activities.paging import Reach
from activities.record import Record
from activities.words import Urgency

if TYPE_CHECKING:
    from workflows.case import Case

KIND = "phone"


def ring(case: Case, reach: Reach) -> bool:
    """Queue a page for the phones of a level, and tell whether there are any."""
    record, level = case.record, reach.level
    if reach.urgency is not Urgency.HIGH or not phones(case, level):
        return False
    if record.phones.silent(case.now):
        return False
    record.entries += 1
    key = case.key(f"{KIND}-{record.entries}")
    payload = {"level": level, "why": reach.why, "wanted": reach.wanted}
    payload |= {"occasion": reach.occasion}
    record.phones.unsent.append(Unsent(key=key, kind=KIND, payload=payload, queued_at=case.now))
    return True


def phones(case: Case, level: str) -> tuple[str, ...]:
    """Name the phones of *level* that have the app still."""
    dead = case.record.dead_phones
    return tuple(name for name in case.policy.phones.get(level, ()) if name not in dead)


def gone(record: Record) -> list[str]:
    """Say which phones people should take off the list."""
    return [
        f"the phone of {name} has the app no more: take it off the list of phones"
        for name in record.dead_phones
    ]


def hush(record: Record, kind: Literal["acknowledge", "resolve"]) -> None:
    """Ring nobody for what somebody has, or for what is over; a page that is wanted still rings."""
    keeps = kind == "acknowledge"
    for waiting in (record.phones.unsent, record.paging.emails.unsent):
        waiting[:] = [message for message in waiting if keeps and message.payload.get("wanted")]
    reaches = record.paging.reaches
    reaches[:] = [reach for reach in reaches if keeps and reach.wanted]
    for reach in reaches:
        reach.next_at = None  # it is not waited for, and still taken elsewhere where it is lost
    record.clocks.reach_at = None
