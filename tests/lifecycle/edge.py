"""A platform whose users can be kept away, for drills about the maintenance page."""

from typing import Any

from activities.maintenance import GoIntoMaintenance, Maintenance
from activities.record import Asks
from activities.verification import Answering, Condition, Sample
from activities.words import Risk
from tests.lifecycle.world import Town, World
from workflows.procedures.base import Step, step

EXPIRY = 1800.0
BEHIND = Answering(checks=("flows.all",))


class Edge:
    """The edge of a platform: who holds it closed, and how much each lets through."""

    def __init__(self) -> None:
        self.holds: dict[int, float] = {}

    @property
    def share(self) -> float:
        return min(self.holds.values(), default=1.0)


class Closed(World):
    """A world whose users are kept away by the page; what is behind it is looked at by itself."""

    def __init__(self, town: Town, edge: Edge | None = None) -> None:
        super().__init__(town)
        self.edge = edge or Edge()
        self.behind: bool | None = False
        self.bears = 1.0
        """With more of the users than this it breaks down again."""
        self.shares: list[float] = []

    async def look(self, condition: Condition) -> Sample:
        sample = await super().look(condition)
        if isinstance(condition, Answering):
            good = None if self.behind is None else self.behind and self.edge.share <= self.bears
        else:
            # What is measured of traffic says nothing while there is none.
            good = None if self.edge.share < 1 else bool(self.behind) and self.bears >= 1
        return sample.model_copy(update={"good": good, "note": f"looks {good}"})

    def _on_maintenance__on__read(self, order: Any) -> Any:
        return {"flag": None}

    def _on_maintenance__on(self, order: Any, before: Any) -> Any:
        self.edge.holds[id(self)] = 0.0
        return {"said": "the page is on"}

    def _on_maintenance__on__renew(self, order: Any, before: Any) -> Any:
        assert before == {"flag": None}, "with what was read before the change"
        return {"until": "2026-11-23T00:00:00Z"}

    def _on_maintenance__on__stage(self, order: Any, before: Any, share: float) -> Any:
        self.edge.holds[id(self)] = share
        self.shares.append(share)
        return {"said": f"the edge lets {share:.0%} through", "share": self.edge.share}

    def _on_maintenance__on__undo(self, order: Any, before: Any) -> Any:
        self.edge.holds.pop(id(self), None)
        return {"said": "the page is off"}

    def count_changes(self) -> dict[str, int]:
        names = ("on", "on.renew", "on.stage", "on.undo")
        return {name: self.count(f"maintenance.{name}") for name in names}


def page(**more: Any) -> Step:
    about: dict[str, Any] = {
        "target": "edge",
        "why": "a drill",
        "effect": "show the page",
        "risk": Risk.OUTAGE,
        "asks": Asks.NEVER,
        "undo": True,
        "mends": False,
        "behind": BEHIND,
        "stages": (0.1, 0.5, 1.0),
        "lasts_seconds": EXPIRY,
        "renew_seconds": EXPIRY / 3,
    }
    order = GoIntoMaintenance(message="soon", lasts_seconds=EXPIRY)
    return step(Maintenance.on, order, **about | more)
