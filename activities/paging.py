"""What an incident keeps of its pages: whom they should reach, and what PagerDuty has told."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from activities.kept import Kept
from activities.outbox import Channel
from activities.words import Urgency


class Way(StrEnum):
    """A way to reach a person."""

    PAGERDUTY = "pagerduty"
    EXPO = "expo"
    """A push to the app on a person's phone."""
    EMAIL = "email"
    SLACK = "slack"
    """A mention in the incident's thread."""

    @property
    def words(self) -> str:
        """Name it as people do."""
        return _WORDS[self]


_WORDS = {
    Way.PAGERDUTY: "PagerDuty",
    Way.EXPO: "the app on their phone",
    Way.EMAIL: "e-mail",
    Way.SLACK: "Slack",
}


class Reach(Kept):
    """One occasion to reach a level: each way is taken once, until somebody acknowledges."""

    occasion: str
    level: str
    urgency: Urgency
    why: str
    wanted: bool = False
    """A person has asked for this level: it goes on although somebody acknowledges."""
    tried: list[Way] = Field(default_factory=list)
    lost: list[Way] = Field(default_factory=list)
    """Ways that did not take it."""
    next_at: AwareDatetime | None = None
    """When the next way is taken if nobody acknowledges; None waits for nothing."""


class Paging(Kept):
    """Pages beyond their sending."""

    there: str = ""
    """Key of the page that a person has opened at PagerDuty by hand, and this with it; empty
    where we page first."""
    told_there: bool = False
    """It is told that somebody here has acknowledged, and will say so in its turn: our echo."""
    reaches: list[Reach] = Field(default_factory=list)
    emails: Channel = Field(default_factory=Channel)
    on_call: dict[str, list[str]] = Field(default_factory=dict)
    """Who is on call, by level, as PagerDuty has said; an empty list is nobody's turn."""
    on_call_unknown: str = ""
    """Why it is not known now."""
    heard: dict[str, AwareDatetime] = Field(default_factory=dict)
    """When what is known of each page happened at PagerDuty: what is older came late."""
    events: list[str] = Field(default_factory=list)
    """Ids of the newest events of PagerDuty that were dealt with."""
    strangers: list[str] = Field(default_factory=list)
    """Users there whom nobody here goes by; each is told of once."""
