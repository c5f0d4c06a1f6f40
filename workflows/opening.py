"""What an incident starts with, and what is left of it in the end."""

from __future__ import annotations

from typing import Self

from activities.alerts import Alert
from activities.record import Record
from activities.retold import Retold, retold
from activities.words import Order
from workflows.policy import Policy

OPENED_AT = "opened_at"
"""Memo of an incident that has continued as new: its run's own start is not the opening."""


class Opening(Order):
    """What an incident starts with, and what it carries on when it continues as new."""

    # First of all, for whoever looks at the input in Temporal's user interface.
    first: Alert
    """An alert of the incident: it names indicator, service and environment."""
    policy: Policy
    record: Record | None = None


class Closed(Order):
    """How an incident ended, for whoever looks at the result."""

    how: str
    reason: str
    by: str
    report: tuple[str, ...] = ()
    retold: Retold | None = None
    """What a summary of many incidents says of it."""

    @classmethod
    def of(cls, record: Record) -> Self:
        """Say how *record* ended."""
        end = record.resolution
        report = tuple(record.report)
        if end is None:
            return cls(how="", reason="", by="", report=report, retold=retold(record))
        return cls(how=end.how, reason=end.reason, by=end.by, report=report, retold=retold(record))
