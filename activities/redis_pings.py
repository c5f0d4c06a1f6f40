"""Pinging until it is certain: a Redis is down only once it was silent several times in a row."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import Field
from temporalio import activity

from activities.redis_findings import Finding
from activities.words import Answer, Order


class Pings(Order):
    """A question whether Redis answers."""

    times: int = Field(default=1, ge=1, le=5)
    """Failures in a row before it counts as down."""
    every_seconds: float = Field(default=2.0, ge=0, le=15)


class Pinged(Answer):
    """How the last ping went; the ones before it failed."""

    answered: bool
    finding: Finding = Finding.NONE
    """Can be set though it answered: it is read-only, or cannot save."""
    said: str = ""
    failures: int = 0
    """Pings that failed before."""


P = TypeVar("P", bound=Pinged)


async def insisting(ask: Pings, ping: Callable[[], Awaitable[P]]) -> P:
    """Ping again while it looks down; any other answer than silence is final."""
    pong, failures = await ping(), 0
    while not pong.answered and pong.finding.means_down and failures + 1 < ask.times:
        failures += 1
        if activity.in_activity():
            activity.heartbeat(f"{failures} of {ask.times} pings failed")
        await asyncio.sleep(ask.every_seconds)
        pong = await ping()
    return pong.model_copy(update={"failures": failures})
