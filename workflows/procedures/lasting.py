"""An outage that lasts: users are shown the maintenance page, at once only if it is as bad."""

from __future__ import annotations

from activities.prometheus import Prometheus, Query
from activities.record import Asks
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
        """Plan the maintenance page; alone only where most requests have failed for minutes."""
        failed = number(seen[self.throughout])
        # Not known is not for minutes: without data of all of them a person decides.
        asks = Asks.NEVER if failed is not None and failed > _HALF else Asks.ALWAYS
        return self.maintenance(seen, why=why, asks=asks)
