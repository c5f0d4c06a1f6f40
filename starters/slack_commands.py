"""The slash command: what it can say, and which incident it means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from temporalio.client import Client

from starters.acting import NotThere, Refused
from starters.finding import Filters, Listed, full_id, incidents
from workflows.acts import ActKind

_WHOLE_ID = re.compile(r"-[0-9a-f]{8}$")
_QUESTION = re.compile(r"[0-9a-f]{8,64}")
_MINUTES = re.compile(r"[0-9]{1,4}(?:\.[0-9]+)?m?")
_MOST_NAMED = 6

HELP = """`/incident list`  what is open
`/incident show [ID]`  one incident at a glance
`/incident ack [ID]`  you are on it: nobody further up is called
`/incident hold [ID] [MINUTES]`  no further step for some minutes, 10 when left out
`/incident take-over [ID]`  the machine stops before its next step; also `stop`
`/incident hand-back [ID]`  the machine looks again and goes on
`/incident approve [ID] [QUESTION]`  let the step that is asked about go ahead
`/incident reject [ID] [QUESTION] [WHY]`  forbid it
`/incident escalate [ID] [WHY]`  call the next level now
`/incident resolve [ID] WHY`  close it
`/incident note [ID] TEXT`  write it into the timeline
`/incident freeze WHY`, `/incident unfreeze [WHY]`  stop all changes, and let them go on
ID is an incident's id or enough of its beginning; left out, it is the only one that is open."""

KINDS = {
    "ack": ActKind.ACKNOWLEDGE,
    "acknowledge": ActKind.ACKNOWLEDGE,
    "hold": ActKind.HOLD,
    "approve": ActKind.APPROVE,
    "reject": ActKind.REJECT,
    "take-over": ActKind.TAKE_OVER,
    "takeover": ActKind.TAKE_OVER,
    "stop": ActKind.TAKE_OVER,
    "hand-back": ActKind.HAND_BACK,
    "handback": ActKind.HAND_BACK,
    "resolve": ActKind.RESOLVE,
    "escalate": ActKind.ESCALATE,
    "note": ActKind.NOTE,
}
WITH_TEXT = {ActKind.REJECT, ActKind.RESOLVE, ActKind.ESCALATE, ActKind.NOTE}
"""Acts that free words may come with."""
_ANSWERS = {ActKind.APPROVE, ActKind.REJECT}


@dataclass(frozen=True)
class Wish:
    """What a command asks for, beside the incident that it names."""

    kind: ActKind
    text: str = ""
    question: str = ""
    minutes: float = 10


def split(text: str) -> tuple[str, str]:
    """Part a command's verb from what follows it; the verb in small letters."""
    verb, _, rest = text.strip().partition(" ")
    return verb.lower(), rest.strip()


def read(kind: ActKind, rest: str) -> Wish:
    """Read what follows the incident; `Refused` says what does not fit."""
    first, _, more = rest.partition(" ")
    question = ""
    if kind in _ANSWERS and _QUESTION.fullmatch(first):
        question, rest = first, more.strip()
    if kind is ActKind.HOLD and rest:
        if not _MINUTES.fullmatch(rest) or not 0.1 <= float(rest.rstrip("m")) <= 1440:
            raise Refused(f"{rest!r} is not a number of minutes between 0.1 and 1440")
        return Wish(kind, minutes=float(rest.rstrip("m")))
    if rest and kind not in WITH_TEXT:
        raise Refused(f"{rest!r} is more than `{kind.value}` takes: nothing was done")
    return Wish(kind, text=rest, question=question)


async def find(client: Client, rest: str, *, text: bool) -> tuple[str, str]:
    """Find the incident that the words begin with, or else the only open one; and what is left.

    Args:
        client: Where incidents are.
        rest: What follows the verb.
        text: Whether free words may follow, so that the first need not be an id.
    """
    first, _, more = rest.partition(" ")
    if _WHOLE_ID.search(first):
        return await full_id(client, first), more.strip()
    found = await incidents(client, Filters())
    named = [each for each in found if first and each.id.startswith(first)]
    # Free words may begin like an indicator; an id goes on after it.
    if named and ("-" in first or not text):
        return _only(named, f"begin with {first}"), more.strip()
    if first and not text and not _is_number(first):
        return await full_id(client, first), more.strip()
    if not found:
        raise NotThere("No incident is open.")
    return _only(found, "are open"), rest


def _is_number(word: str) -> bool:
    return bool(_MINUTES.fullmatch(word) or _QUESTION.fullmatch(word))


def _only(found: list[Listed], what: str) -> str:
    if len(found) == 1:
        return found[0].id
    named = "\n".join(f"• {each.id}" for each in found[:_MOST_NAMED])
    more = "\n…" if len(found) > _MOST_NAMED else ""
    raise NotThere(f"{len(found)} incidents {what}; write which one:\n{named}{more}")
