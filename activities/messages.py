"""The words of a message to people: what it says, not how any channel shows it.

Texts may come from outside (labels, annotations, log lines) and be of any length: whoever renders
them escapes and shortens them. Nothing here is refused for its length, because a refusal while a
workflow builds a message would stop the response for the sake of a long label.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from activities.words import Order, Severity


class PlanState(StrEnum):
    """Where a line of the plan stands."""

    DONE = "done"
    DOING = "doing"
    NEXT = "next"
    SKIPPED = "skipped"
    FAILED = "failed"


class PlanLine(Order):
    """One step of the plan as people read it."""

    state: PlanState
    text: str


class Fact(Order):
    """A labelled value worth knowing at a glance."""

    label: str
    value: str


class Link(Order):
    """A page to open."""

    text: str
    url: str


class Button(Order):
    """An act offered with one press."""

    action: str
    """What is pressed, for the door that receives it; at most 100 characters."""
    text: str
    value: str
    """What it is pressed for (incident, question); at most 255 characters."""
    style: Literal["default", "primary", "danger"] = "default"
    confirm: str = ""
    """The effect in words, shown before it counts; blank asks nothing."""


class Glance(Order):
    """The snapshot of an incident that its root message shows."""

    key: str
    """Tells this message from every other, so that it is posted once."""
    channel: str
    """The role of a channel ("incidents"), not its name."""
    severity: Severity
    title: str
    """Name of the alert."""
    brief: str = ""
    """What is wrong, in words, as it was measured."""
    outage: bool = False
    """The platform is down for its users."""
    service: str
    environment: str
    impact: str
    status: str
    actions: tuple[PlanLine, ...] = ()
    eta: str = "unknown"
    next_update_at: AwareDatetime | None = None
    next_action: str = ""
    next_action_at: AwareDatetime | None = None
    asks: str = ""
    """What is asked of people; blank is nothing."""
    acknowledged_by: str = ""
    facts: tuple[Fact, ...] = ()
    commands: tuple[str, ...] = ()
    """Exact lines for a shell, for when buttons do not work."""
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()
    over: bool = False
    updates: str = ""
    """How often people hear ("every 15 minutes")."""


class Part(Order):
    """A piece of a thread entry: words, or lines kept as they are."""

    text: str
    kind: Literal["text", "code"] = "text"


class Entry(Order):
    """One entry of an incident's thread."""

    key: str
    title: str
    parts: tuple[Part, ...] = ()
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()
    mention: str = ""
    """Whom to call: a Slack user (U…) or group (S…), or "here"; blank calls nobody."""
    broadcast: bool = False
    """True shows the entry in the channel too, not in the thread alone."""


def fitted(key: str, limit: int = 255) -> str:
    """Bring a key under *limit* characters, always to the same one and never to another's."""
    if len(key) <= limit:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: limit - len(digest) - 1]}~{digest}"
