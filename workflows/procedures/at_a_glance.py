"""What every root message shows, whichever procedure asks: who is hit, and what was changed."""

from __future__ import annotations

from typing import Any

from activities.host import Host, RecentDeployments
from activities.prometheus import Prometheus, Query
from workflows import promql
from workflows.procedures.probes import Probe


class AtAGlance:
    """Nothing is decided by these; a procedure that has one of the same name asks its own."""

    failing = Probe(
        Prometheus.value, Query(expression=promql.FAILING_SHARE), why="share of requests failing"
    )
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")


def with_glance(own: list[Probe[Any]]) -> list[Probe[Any]]:
    """Add them to the probes of a procedure."""
    known = {probe.key for probe in own}
    every: list[Probe[Any]] = [AtAGlance.failing, AtAGlance.deployment]
    return [*own, *(probe for probe in every if probe.key not in known)]
