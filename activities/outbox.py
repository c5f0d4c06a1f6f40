"""Messages that an incident still owes, channel by channel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from activities.kept import Kept


class Unsent(Kept):
    """A message on its way: kept until the far side has taken it."""

    key: str
    """Idempotency key: the same message has the same one, whoever sends it."""
    kind: str
    payload: dict[str, Any]
    queued_at: AwareDatetime
    tries: int = 0


class Told(Kept):
    """What an audience beside #incidents has heard, and where its thread begins."""

    heard: str = ""
    """The last of it: a severity, "outage" or "over"; empty is nothing."""
    channel_id: str = ""
    ts: str = ""
    off: str = ""
    """Why it is told nothing."""


class Channel(Kept):
    """What one channel still owes, and where its message stands."""

    unsent: list[Unsent] = Field(default_factory=list)
    sent: int = 0
    channel_id: str = ""
    ts: str = ""
    """Of the root message; known here and nowhere else."""
    own: str = ""
    """Id of the incident's own channel, where there is one."""
    shown: str = ""
    """What the far side shows of the incident's state, where that is kept up."""
    audiences: dict[str, Told] = Field(default_factory=dict)
    """By role of a channel."""
    roots: int = 0
    """How many root messages there were: a deleted one is replaced once."""
    tried_root: bool = False
    dirty: bool = False
    """The root message shows an older state than the record."""
    off: str = ""
    """Why nothing is sent: said once."""
    off_until: AwareDatetime | None = None
    """When it is tried again; None is never, where it is off."""

    def silent(self, now: datetime) -> bool:
        """Whether nothing is sent at present."""
        return bool(self.off) and (self.off_until is None or self.off_until > now)
