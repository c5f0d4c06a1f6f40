"""What a button in Slack says when it is pressed: which act, on which incident, shown how.

A press arrives minutes or days after the button was drawn. So its value names the incident's first
run, the question and a digest of what stood beside the button: the incident can tell a press on
what is true now from one on what was true then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_VALUE = 255
"""Characters of a button's value that we use; Slack itself takes more."""
MOST_SHOWN = 32
_SEPARATOR = "|"
"""No incident's id, run id or digest has it."""
_PARTS = 4


class Pressed(StrEnum):
    """The acts that have a button; as an action's id, each is at most once on a message."""

    ACKNOWLEDGE = "acknowledge"
    HOLD = "hold"
    """For ten minutes."""
    STOP = "stop"
    """A take-over in a word that is found in a hurry: no further step until it is handed back."""
    ESCALATE = "escalate"
    TAKE_OVER = "take-over"
    HAND_BACK = "hand-back"
    RESOLVE = "resolve"
    """Opens a window that asks for the reason."""
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True)
class Target:
    """What a button is pressed for."""

    incident: str
    """The workflow's id."""
    run: str
    """The first run's id: an incident that closed before has the same id and another run."""
    question: str = ""
    """Which question is answered; empty where none is."""
    shown: str = ""
    """Digest of what was shown: of a question its orders and evidence; of Escalate the level
    that was reached, as a number, so that two who press it call one level. Other doors may name
    the level that is to be called, or the moment, where what was reached could not be looked at."""


def encode(target: Target) -> str:
    """Write *target* as the value of a button."""
    parts = (target.incident, target.run, target.question, target.shown[:MOST_SHOWN])
    # Never longer by how ids are made. Were it so, the reader would not know it, and say that:
    # a message that is refused as a whole would be worse.
    return _SEPARATOR.join(parts)[:MOST_VALUE]


def decode(value: str) -> Target | None:
    """Read the value of a button; None where it is none of ours."""
    parts = value.split(_SEPARATOR)
    if len(parts) != _PARTS or not all(parts[:2]):
        return None
    return Target(*parts)
