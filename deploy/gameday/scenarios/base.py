"""One way to break the platform, and how its story goes on once somebody looks after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from activities.alerts import indicator_of
from activities.record import Phase
from deploy.gameday.day import Day

Act = Callable[[Day], Awaitable[object]]
"""Does something to the platform, or to a service outside of it."""


@dataclass(frozen=True)
class Scenario:
    """One way to break the platform, and the alert that must notice it."""

    name: str
    alert: str
    story: str
    """What happens, in a sentence for the terminal."""
    breaks: Act
    after: dict[Phase, Act] = field(default_factory=dict)
    """What the world does by itself once the incident is in a phase for the first time."""
    later: str = ""
    """What that is, in a sentence for the terminal."""
    normal_seconds: float = 0.0
    """How long users must have had answers before, for those who compare with it."""
    people: bool = False
    """The steps do not help on purpose: the ladder goes on to its end, and people take over."""

    @property
    def indicator(self) -> str:
        """What its incident is about, also once a more severe alert has taken over."""
        return indicator_of(self.alert)
