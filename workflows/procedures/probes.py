"""Read-only checks, and what they found."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from activities.prometheus import Query, SeriesQuery
from activities.record import Reading, unread
from activities.words import Order
from workflows import promql
from workflows.procedures.given import Given

Ask = TypeVar("Ask", bound=Order)
Got = TypeVar("Got", bound=BaseModel)


class Probe(Generic[Got]):
    """One read-only check; ``seen[probe]`` is the answer of the activity that it calls."""

    key: str

    def __init__(
        self,
        activity: Callable[[Any, Ask], Awaitable[Got]],
        ask: Ask | Callable[[Given], Ask],
        *,
        why: str,
        seconds: float = 10.0,
    ) -> None:
        self.activity = activity_name(activity)
        self._ask = ask
        self.why = why
        self.seconds = seconds
        kind: type[Got] = inspect.get_annotations(activity, eval_str=True)["return"]
        self.answer, self._fields = TypeAdapter(kind), kind.model_fields.keys()

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = name

    def read(self, answer: Any) -> Got | None:
        """Give the answer that *answer* is the JSON of; None where another version gave it."""
        # Where every field has a default, anything at all would be taken for "nothing was found".
        if isinstance(answer, dict) and not answer.keys() & self._fields:
            return None
        try:
            return self.answer.validate_python(answer)
        except ValidationError:
            return None

    def question(self, given: Given) -> Order:
        """Give what is asked; it may depend on the settings."""
        ask: Order = self._ask if isinstance(self._ask, Order) else self._ask(given)
        if isinstance(ask, Query | SeriesQuery):
            fast = promql.within(ask.expression, given.fast_window, given.pace_window)
            return ask.model_copy(update={"expression": fast})
        return ask


class Evidence:
    """What the probes found; an answer that could not be read is None, and `why_not` says why."""

    def __init__(self, readings: Iterable[Reading], at: datetime) -> None:
        self._readings = {reading.key: reading for reading in readings}
        self.at = at
        """The workflow's time: the time stamp that orders carry."""

    def __getitem__(self, probe: Probe[Got]) -> Got | None:
        reading = self._readings.get(probe.key)
        if reading is None or reading.failed:
            return None
        return probe.read(reading.answer)

    def why_not(self, probe: Probe[Any]) -> str:
        """Say why *probe* has no answer, empty if it has one."""
        reading = self._readings.get(probe.key)
        if reading is None:
            return f"{probe.why}: not asked"
        if reading.failed:
            return f"{probe.why}: could not be read: {reading.failed}"
        return "" if self[probe] is not None else f"{probe.why}: an answer of another version"

    def unread(self, probes: Sequence[Probe[Any]]) -> list[str]:
        """Say why some of *probes* have no answer, once for each reason."""
        readings = {probe.key: self._readings.get(probe.key) for probe in probes}
        failed = [reading for reading in readings.values() if reading and reading.failed]
        others = [p for p in probes if not (r := readings[p.key]) or not r.failed]
        return [*unread(failed), *(why for p in others if (why := self.why_not(p)))]


def activity_name(function: Callable[..., Any]) -> str:
    """Read the name under which an activity method is registered."""
    # The SDK keeps it here and offers no public way to read it back.
    definition = getattr(function, "__temporal_activity_definition", None)
    if definition is None or not definition.name:
        message = f"{function.__qualname__} is not an activity: put @activity.defn(name=...) on it"
        raise TypeError(message)
    return str(definition.name)
