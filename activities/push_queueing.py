"""Lets the platform queue its push notifications while Expo is away, and send them afterwards.

The drain belongs to the undo: so it comes when Expo has been well for the whole settling time, no
other change is under way, and nobody has taken over. Where it fails, the queueing is still in
place, and both are tried after another settling time; where the alert comes back, the queueing is
put back. A step of the ladder could not be that: the ladder ends with the recovery.
"""

from __future__ import annotations

from pydantic import Field
from temporalio import activity

from activities.changes import Targets, heartbeats
from activities.push_drain import TARGET, PushDrain
from activities.switches import SetSwitches, Switch, Switches, SwitchValues
from activities.words import Done, Name, Order


class QueuePushes(Order):
    """An order to queue push notifications instead of sending them."""

    app: Name = "pravado-api"
    drain_per_second: float = Field(default=100.0, ge=1, le=500)

    @property
    def switches(self) -> SetSwitches:
        """Give what is set for it."""
        return SetSwitches(app=self.app, values={Switch.PUSH_QUEUEING: "true"})


class PushQueueing:
    """Switches the queue on, and empties it when it is switched off."""

    def __init__(self, switches: Switches, drain: PushDrain, targets: Targets) -> None:
        self._switches = switches
        self._drain = drain
        self._targets = targets

    @activity.defn(name="push.queue_on.read")
    async def queue_on_read(self, order: QueuePushes) -> SwitchValues:
        """Read what the switch is now."""
        return await self._switches.set_read(order.switches)

    @activity.defn(name="push.queue_on")
    async def queue_on(self, order: QueuePushes, before: SwitchValues) -> Done:
        """Set the switch, where it is still as *before*."""
        return await self._switches.set(order.switches, before)

    @activity.defn(name="push.queue_on.undo")
    async def queue_on_undo(self, order: QueuePushes, before: SwitchValues) -> Done:
        """Send what waits, then put the switch back, then send what came in between."""
        rate = order.drain_per_second
        async with self._targets.one_at_a_time(TARGET), heartbeats("draining the push queue"):
            # Not an `attempt`: whatever ends the drain, the queueing is still in place.
            await self._drain.empty(rate)
            back = await self._switches.set_undo(order.switches, before)
            sent = await self._drain.empty(rate)
        return Done(said=f"{sent.said}; {back.said}", at=back.at)
