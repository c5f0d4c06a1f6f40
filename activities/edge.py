"""The flag that closes the edge: who holds it closed, until when, and how much is let through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from activities.words import Answer, Name

BYPASS_HEADER = "x-maintenance-bypass"
SHOWN_BY = "x-maintenance"
"""The header by which an answer of the page can be told from one of the platform."""


class Hold(Answer):
    """One incident's claim on the edge."""

    until: AwareDatetime
    """It counts no longer than this: whoever needs it renews it."""
    share: float = Field(default=0.0, ge=0, le=1)
    """Of the users, let through to the platform."""


class Flag(Answer):
    """What the Worker at the edge reads, as JSON."""

    version: Literal[1] = 1
    holders: dict[str, Hold]
    """By workflow id; the edge is open once the last is gone."""
    message: str = ""
    eta: str = "unknown"
    bypass_header: Name = BYPASS_HEADER
    """Its name alone; the value is a secret of the Worker's and of our settings."""
    webhooks: Literal[503] = 503
    """What inbound webhooks get, so that their senders try again; never 200."""

    def holding(self, now: datetime) -> dict[str, Hold]:
        """Give the holds that have not run out."""
        return {who: hold for who, hold in self.holders.items() if hold.until > now}

    def share(self, now: datetime) -> float:
        """Say how much is let through: the strictest hold counts; all, where nobody holds."""
        return min((hold.share for hold in self.holding(now).values()), default=1.0)

    def with_hold(self, who: str, hold: Hold) -> Flag:
        """Give the flag with the hold of *who*, as it is to be now."""
        return self.model_copy(update={"holders": {**self.holders, who: hold}})

    def without(self, who: str) -> Flag:
        """Give the flag without the hold of *who*."""
        left = {name: hold for name, hold in self.holders.items() if name != who}
        return self.model_copy(update={"holders": left})


class Edge(Answer):
    """How the edge is, by the flag."""

    on: bool
    share: float
    """Of the users, let through."""
    holders: tuple[str, ...] = ()
    until: AwareDatetime | None = None
    """When the last hold runs out."""

    @classmethod
    def of(cls, flag: Flag | None) -> Edge:
        """Read it off the flag."""
        now = datetime.now(UTC)
        holding = flag.holding(now) if flag else {}
        return cls(
            on=bool(holding),
            share=flag.share(now) if flag else 1.0,
            holders=tuple(sorted(holding)),
            until=max((hold.until for hold in holding.values()), default=None),
        )
