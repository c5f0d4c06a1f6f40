"""The maintenance page: when nothing else protects users, and how traffic comes back."""

from __future__ import annotations

from activities.edge import Edge
from activities.maintenance import TARGET, GoIntoMaintenance, Maintenance
from activities.record import Asks
from activities.verification import Answering, Condition
from activities.words import Nothing, Risk
from workflows.procedures.base import Evidence, Probe, Procedure, Step, step

_RENEWED_IN = 3
"""Renewals within one expiry: two may fail."""


class GoesIntoMaintenance(Procedure):
    """Knows the maintenance page, and plans to show it."""

    edge = Probe(Maintenance.state, Nothing(), why="whether the maintenance page is on")

    @property
    def behind(self) -> Condition:
        """What recovery is measured by while users are kept away."""
        return Answering(checks=self.given.maintenance_checks)

    def maintenance(
        self, seen: Evidence, *, why: str, asks: Asks = Asks.POLICY
    ) -> tuple[Step, ...]:
        """Plan to show users the maintenance page; traffic returns in stages once it is well."""
        given = self.given
        stages = ", ".join(f"{share:.0%}" for share in given.maintenance_stages)
        lasts = given.maintenance_minutes * 60
        change = step(
            Maintenance.on,
            GoIntoMaintenance(message=given.maintenance_message, lasts_seconds=lasts),
            target=TARGET,
            why=why,
            effect="show every user the maintenance page",
            details=(
                f"users read: “{given.maintenance_message}” ETA unknown",
                "inbound webhooks get 503, never 200, so that their senders try again",
                f"renewed while needed; else it ends in {lasts / 60:g} min, if the API answers",
                f"traffic returns in stages ({stages}), each verified",
                *_held(seen[self.edge]),
            ),
            expect="users see the page within a minute; what is behind it can recover",
            risk=Risk.OUTAGE,
            asks=asks,
            undo=True,
            apply_seconds=180,
            mends=False,
            behind=self.behind,
            stages=given.maintenance_stages,
            lasts_seconds=lasts,
            renew_seconds=lasts / _RENEWED_IN,
        )
        return (change,)


def _held(edge: Edge | None) -> tuple[str, ...]:
    if edge is None or not edge.on:
        return ()
    return (f"the page is on already: {', '.join(edge.holders)}",)
