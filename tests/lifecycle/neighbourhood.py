"""What incidents ask of each other and of their coordinator: the real one where a test wants it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from temporalio import activity

from activities.autonomy import AutonomyLedger, Verified
from activities.coordination import Coordination, Done, Wanted
from activities.freezing import Freezing
from activities.neighbours import NeighbouringIncidents, OpenIncidents
from activities.week import Weeks


class Neighbourhood(ABC):
    """The activities by which incidents meet; a world that answers for them keeps them apart."""

    @abstractmethod
    def world_of(self, workflow_id: str) -> Any:
        """The world of an incident, by its workflow's id."""

    @property
    def meetings(self) -> list[Callable[..., Any]]:
        """These, and those that are always the real ones: they ask the real Temporal."""
        return [
            self.open, self.take_turn, self.give_back, self.count, NeighbouringIncidents().end,
            Freezing().tell, Freezing().look, AutonomyLedger().level, Weeks().gather,
        ]  # fmt: skip

    @activity.defn(name="incidents.open")
    async def open(self, ask: OpenIncidents) -> Any:
        """The real one where a test wants it: it asks the real Temporal."""
        world = self.world_of(activity.info().workflow_id)
        if "incidents.open" in world.answers:
            return await world.call("incidents.open", [ask])
        return await NeighbouringIncidents().open(ask)

    @activity.defn(name="coordination.take_turn")
    async def take_turn(self, ask: Wanted) -> Any:
        """The real one where a test wants it: two incidents and a coordinator."""
        return await self._coordinated("coordination.take_turn", Coordination().take_turn, ask)

    @activity.defn(name="coordination.give_back")
    async def give_back(self, done: Done) -> Any:
        return await self._coordinated("coordination.give_back", Coordination().give_back, done)

    async def _coordinated(self, name: str, real: Callable[..., Any], said: Any) -> Any:
        world = self.world_of(activity.info().workflow_id)
        if name in world.answers:
            return await world.call(name, [said])
        return await real(said)

    @activity.defn(name="autonomy.count")
    async def count(self, seen: Verified) -> Any:
        """The real one, unless the test has it fail before or after the ledger has counted."""
        world = self.world_of(activity.info().workflow_id)
        await world.meet("autonomy.count")
        counted = await AutonomyLedger().count(seen)
        await world.meet("autonomy.counted")
        return counted
