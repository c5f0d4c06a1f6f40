"""Watches whether the platform has recovered: one look per attempt, all looks kept as samples.

No slot is held between looks and no history event is written for them: an attempt that has not
seen enough raises a
benign `NotYet` with the poll interval as its delay, and finds its earlier samples in the
heartbeat details. A worker
that dies in between therefore costs a late sample and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field
from temporalio import activity

from activities.changes import silence
from activities.errors import NotYet
from activities.words import Answer, Name, Order

MOST_SAMPLES = 400
_FEW = 10
"""While it settles, at most one look in so many may be bad."""


class Below(Order):
    """Recovered while *expression* stays below *threshold*, with traffic above a floor."""

    kind: Literal["below"] = "below"
    expression: str = Field(min_length=1, max_length=4000)
    """PromQL that yields one value; empty or NaN is unknown."""
    threshold: float
    unit: Literal["", "s", "%", "$/h"] = ""
    traffic: str | None = Field(default=None, max_length=4000)
    """PromQL of the traffic that gives the value its meaning, a second."""
    floor: float = 0.0
    """Traffic at or under this makes the value unknown."""


class Answering(Order):
    """Recovered while every named check answers, each from its own vantage point."""

    kind: Literal["answering"] = "answering"
    checks: tuple[Name, ...] = Field(min_length=1)


class Every(Order):
    """Recovered while every condition holds, looked at in order: one that does not ends the look.

    What stands later costs more, or means nothing before the earlier ones hold.
    """

    kind: Literal["every"] = "every"
    conditions: tuple[Annotated[Below | Answering, Field(discriminator="kind")], ...] = Field(
        min_length=1
    )


Condition = Annotated[Below | Answering | Every, Field(discriminator="kind")]


class Sample(Answer):
    """One look at a condition."""

    at: AwareDatetime
    good: bool | None
    """None is unknown: no data is neither health nor sickness."""
    value: float | None = None
    note: str = ""


class Watch(Order):
    """A question to watch *condition* for a while."""

    condition: Condition
    window_seconds: float = Field(gt=0)
    every_seconds: float = Field(gt=0)
    hold: bool = False
    """False: end as soon as *needed* looks in a row are good. True: every known look of the
    window must be good."""
    needed: int = Field(default=3, ge=1)


class Outcome(StrEnum):
    """How a watch ended."""

    RECOVERED = "recovered"
    IMPROVING = "improving"
    NOT_RECOVERED = "not recovered"
    UNKNOWN = "unknown"


class Verdict(Answer):
    """What a watch saw."""

    outcome: Outcome
    samples: tuple[Sample, ...]
    said: str


Look = Callable[[Condition], Awaitable[Sample]]
"""Takes one sample and never raises for missing data: that is a sample with ``good=None``."""


class Verification:
    """Watches conditions; *looks* has one function for each kind of condition."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = looks

    @activity.defn(name="verification.watch")
    async def watch(self, ask: Watch) -> Verdict:
        """Look once; end with a verdict, or ask to be called again after the poll interval."""
        info = activity.info()
        samples = [
            Sample.model_validate(kept) for kept in info.heartbeat_details[:1] for kept in kept
        ]
        # A crash between the look and the answer repeats the attempt: the look is simply taken
        # again.
        with silence():
            samples.append(await self._looks[ask.condition.kind](ask.condition))
        samples = samples[-MOST_SAMPLES:]
        activity.heartbeat([sample.model_dump(mode="json") for sample in samples])
        elapsed = info.current_attempt_scheduled_time - info.scheduled_time
        over = elapsed + timedelta(seconds=ask.every_seconds) > timedelta(
            seconds=ask.window_seconds
        )
        verdict = hold(samples, over=over) if ask.hold else recover(ask, samples, over=over)
        if verdict is None:
            raise NotYet(samples[-1].note or "not yet", wait=timedelta(seconds=ask.every_seconds))
        return verdict


def recover(ask: Watch, samples: list[Sample], *, over: bool) -> Verdict | None:
    """Judge a watch after a step: enough good looks in a row end it, else the window does.

    What has only just become good as the window ends is looked at on, for as many looks as it
    takes: a bad one ends it.
    """
    streak = samples[-ask.needed :]
    if len(streak) == ask.needed and all(sample.good for sample in streak):
        return _verdict(Outcome.RECOVERED, samples, f"{ask.needed} good looks in a row")
    if not over or samples[-1].good:
        return None
    if samples[-1].good is None:
        return _verdict(Outcome.UNKNOWN, samples, f"no data at the end: {samples[-1].note}")
    if isinstance(ask.condition, Below) and _improving(ask.condition, samples):
        return _verdict(
            Outcome.IMPROVING, samples, "more than halfway from the worst value to the threshold"
        )
    return _verdict(Outcome.NOT_RECOVERED, samples, samples[-1].note)


def hold(samples: list[Sample], *, over: bool) -> Verdict | None:
    """Judge a settling time: two bad looks in a row end it; an unknown one is not health.

    A single bad look is a blip. As the last of the window it is looked at once more.
    """
    known = [sample for sample in samples if sample.good is not None]
    bad = sum(1 for sample in known if not sample.good)
    last = samples[-1]
    if last.good is False and [sample.good for sample in known[-2:]] == [False, False]:
        return _verdict(Outcome.NOT_RECOVERED, samples, f"two bad looks in a row: {last.note}")
    if not over or last.good is False:
        return None
    if last.good is None or len(known) * 2 < len(samples):
        return _verdict(Outcome.UNKNOWN, samples, f"no data for most of the time: {last.note}")
    if bad > max(1, len(known) // _FEW):
        return _verdict(Outcome.NOT_RECOVERED, samples, f"{bad} of {len(known)} looks were bad")
    said = f"{bad} bad, each by itself" if bad else "none bad"
    return _verdict(Outcome.RECOVERED, samples, f"{len(known) - bad} good looks, {said}")


def _improving(condition: Below, samples: list[Sample]) -> bool:
    values = [sample.value for sample in samples if sample.value is not None]
    if not values:
        return False
    worst = max(values)
    return worst > condition.threshold and values[-1] < (worst + condition.threshold) / 2


def _verdict(outcome: Outcome, samples: list[Sample], said: str) -> Verdict:
    return Verdict(outcome=outcome, samples=tuple(samples), said=said)


def unknown(at: datetime, why: str) -> Sample:
    """Make the sample for "could not be read"."""
    return Sample(at=at, good=None, note=why)
