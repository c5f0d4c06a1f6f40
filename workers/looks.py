"""How a verification looks: one function for each kind of condition, none of which ever raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from activities.errors import Failed
from activities.verification import Answering, Condition, Every, Look, Sample, unknown

Check = Callable[[], Awaitable[Sample]]
"""Looks once from one vantage point."""

SECONDS = 20.0
"""Given to one look; a verification's attempt has 30."""

_log = logging.getLogger(__name__)


def answering(checks: Mapping[str, Check]) -> Look:
    """Make the look that asks every check which a condition names."""

    async def look(condition: Condition) -> Sample:
        now = datetime.now(UTC)
        if not isinstance(condition, Answering):
            return unknown(now, "only asks whether something answers")
        strangers = [name for name in condition.checks if name not in checks]
        if strangers:
            return unknown(now, f"this worker has no check {', '.join(strangers)}")
        samples = await asyncio.gather(*(guarded(name, checks[name]) for name in condition.checks))
        return together(list(samples))

    return look


def in_order(looks: Mapping[str, Look]) -> Look:
    """Make the look at several conditions, which ends with the first that does not hold."""

    async def look(condition: Condition) -> Sample:
        if not isinstance(condition, Every):
            return unknown(datetime.now(UTC), "only asks several conditions")
        samples: list[Sample] = []
        for each in condition.conditions:
            samples.append(await looks[each.kind](each))
            if not samples[-1].good:
                return samples[-1].model_copy(update={"value": None})
        # A value of several kinds is none: a chart of seconds and shares would say nothing.
        return together(samples).model_copy(update={"value": None})

    return look


def careful(look: Look) -> Look:
    """Turn what *look* raises, and its silence, into an unknown sample."""

    async def carefully(condition: Condition) -> Sample:
        return await guarded("the look", lambda: look(condition))

    return carefully


async def guarded(name: str, check: Check) -> Sample:
    """Take one sample by *check*; whatever goes wrong with the asking is unknown."""
    try:
        async with asyncio.timeout(SECONDS):
            return await check()
    except TimeoutError:
        return unknown(datetime.now(UTC), f"{name} had no result within {SECONDS:g} s")
    except Failed as failed:
        return unknown(datetime.now(UTC), f"{name} could not be read: {failed.message}")
    except Exception as error:  # noqa: BLE001 (unknown is a sample, whatever the reason)
        # Not its text: a library's may hold anything. It stands in the log, without secrets.
        _log.exception("%s failed", name)
        kind = type(error).__name__
        return unknown(datetime.now(UTC), f"{name} could not be read ({kind})")


def together(samples: list[Sample]) -> Sample:
    """Put looks from several points together: one bad is bad, else one unknown is unknown."""
    verdicts = [sample.good for sample in samples]
    good = False if False in verdicts else None if None in verdicts else True
    values = [sample.value for sample in samples if sample.value is not None]
    notes = [sample.note for sample in samples if sample.note]
    return Sample(
        at=max(sample.at for sample in samples),
        good=good,
        value=max(values, default=None),
        note="; ".join(notes) or "all answer",
    )
