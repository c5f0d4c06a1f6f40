"""An outage that lasts: users are shown the maintenance page, at once only if it is as bad."""

from __future__ import annotations

from dataclasses import replace

from activities.prometheus import Prometheus, Query
from activities.record import Asks
from activities.verification import Below
from workflows import promql
from workflows.procedures.base import Evidence, Probe, Step
from workflows.procedures.given import Given
from workflows.procedures.measured import number
from workflows.procedures.outage import GoesIntoMaintenance

_HALF = 0.5


def _throughout(given: Given) -> Query:
    return Query(expression=promql.failing_throughout(given.outage_seconds))


class ShieldsUsers(GoesIntoMaintenance):
    """Knows how long most requests have failed, and plans to keep users away at last."""

    throughout = Probe(
        Prometheus.value, _throughout, why="share that failed all the time, for minutes"
    )

    def shield(self, seen: Evidence, *, why: str) -> tuple[Step, ...]:
        """Plan the maintenance page; nobody is asked where most requests fail for minutes then.

        It is the last step: whether they do is looked at when its turn has come, and not now.
        """
        given, failed = self.given, number(seen[self.throughout])
        expression = promql.succeeding_throughout(given.outage_seconds)
        lost = Below(
            expression=promql.within(expression, given.fast_window), threshold=1 - _HALF, unit="%"
        )
        minutes = f"{given.outage_seconds / 60:g} min"
        now = "how many failed is not known"
        if failed is not None:
            now = f"at least {failed:.0%} failed at every look"
        alone = (
            f"nobody is asked if, when its turn comes, most requests have failed for {minutes} on "
            f"end; in the last {minutes} {now}"
        )
        shown = self.maintenance(seen, why=why, asks=Asks.ALWAYS)
        return tuple(replace(each, alone_if=lost, details=(*each.details, alone)) for each in shown)
