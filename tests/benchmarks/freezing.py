"""How long after a freeze the last change begins, and how soon every open incident knows."""

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from deploy.local.programs import temporal
from starters.freezing import freeze
from tests.benchmarks.figures import Table, milliseconds
from tests.conftest import FAST
from tests.lifecycle.drills import drill, scale
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library
from workflows.acts import Act
from workflows.case import SEARCH_ATTRIBUTES

SECONDS = 1.0
STEPS = 40
CHANGES_BEFORE = 2
"""Of each incident, before it is frozen: all of them are at work."""
QUIET_SECONDS = 2.0


class Busy(World):
    """A world that notes when each change begins."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.began: list[float] = []

    def _on_processes__scale(self, order: Any, before: Any) -> Any:
        self.began.append(time.time())
        return super()._on_processes__scale(order, before)


async def freezing(rounds: int, many: int) -> Table:
    """Measure it with ever more incidents, each of which changes one thing after the other."""
    table = Table(
        "From a freeze to the last change",
        (
            "incidents at work",
            "changes/s before",
            "freeze answered",
            "last change began",
            "begun unannounced",
            "all have heard",
        ),
    )
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    slowest, late = 0.0, 0
    async with Town(environment) as town:
        for count in sorted({1, max(many // 5, 1), many}):
            for _ in range(rounds):
                found = await _round(town, count)
                slowest, late = max(slowest, found.last), late + found.late
                table.row(count, *found.cells())
                await town.clear()
    await environment.shutdown()
    table.aim(
        f"no change begins later than {SECONDS:g} s after it was asked for (the last one after "
        f"{slowest:.2f} s)",
        met=slowest < SECONDS,
    )
    table.aim(
        f"none begins after the answer but those that it has named ({late} did)", met=not late
    )
    return table


class Found:
    """What one round came to."""

    def __init__(
        self, asked: float, answered: float, began: list[float], *, late: int, heard: float
    ) -> None:
        self.answered = answered - asked
        self.last = max([at - asked for at in began if at > asked], default=0.0)
        self.late = late
        """Changes that began after the answer, and that the answer had not named."""
        self.heard = heard - asked
        lasted = asked - min(began)
        self.rate = sum(at <= asked for at in began) / lasted if lasted > 0 else 0.0

    def cells(self) -> tuple[str, ...]:
        return (
            f"{self.rate:.0f}",
            milliseconds(self.answered),
            milliseconds(self.last),
            str(self.late),
            milliseconds(self.heard),
        )


async def _round(town: Town, count: int) -> Found:
    somewhere = f"env-{uuid.uuid4().hex[:8]}"
    stories = [await _open(town, somewhere, number) for number in range(count)]
    worlds: list[Any] = [story.world for story in stories]
    while any(len(world.began) < CHANGES_BEFORE for world in worlds):
        await asyncio.sleep(0.02)
    asked = time.time()
    act = Act(id=uuid.uuid4().hex, by="dana", via="cli", text="a benchmark")
    outcome = await freeze(town.env.client, QUICK, somewhere, act)
    answered = time.time()
    await asyncio.sleep(QUIET_SECONDS)  # undisturbed: to ask each of them is work as well
    heard = max([await _heard(story) for story in stories])
    began = [at for world in worlds for at in world.began]
    unnamed = [story.world for story in stories if story.id not in outcome.said]
    late = sum(at > answered for world in unnamed for at in world.began)
    assert any(len(world.began) < STEPS for world in worlds), "there was nothing left to stop"
    await town.env.client.get_workflow_handle(f"coordinator-{somewhere}").terminate("measured")
    return Found(asked, answered, began, late=late, heard=heard)


async def _open(town: Town, somewhere: str, number: int) -> Story:
    world = Busy(town)
    for name in ("coordination.take_turn", "coordination.give_back"):
        world.answers.pop(name)
    steps = [
        scale(target=f"t{number}-{at}", effect=f"change {at}", mends=False, undo=False)
        for at in range(STEPS)
    ]
    vars(world).update({"cures": {}, "library": library(drill(*steps))})
    first = alert("HighDrill", environment=somewhere, expression="")
    return await town.fire(first, policy=QUICK, world=world)


async def _heard(story: Story) -> float:
    """Tell when the incident wrote down that it is frozen."""
    record = await story.until(lambda r: r.people.frozen, seconds=30)
    return next(e.at.timestamp() for e in record.timeline if e.text.startswith("frozen by"))
