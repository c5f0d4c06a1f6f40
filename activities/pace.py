"""How long a change waits for what it changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How long a change looks, and how often, for what it changed to take effect."""

    poll_seconds: float = 1.0
    ready_seconds: float = 30.0
    """At the end of it, what is not there has failed."""
    settle_seconds: float = 3.0
    """What an order of an earlier attempt, still on its way, is given to arrive."""
    ramp_seconds: float = 5.0
    """Between one instance and the next, so that caches fill and the load spreads."""
