"""What many open incidents hold in memory, and what they cost while nothing happens."""

import asyncio
import time
from functools import partial

from tests.benchmarks.figures import Table
from tests.benchmarks.stage import Stage, alerts

PER_POST = 100
IDLE_SECONDS = 20
PATIENCE = 900


async def memory(stage: Stage, count: int, idle: float = IDLE_SECONDS) -> Table:
    """Open *count* incidents, wait until they only watch, and weigh the processes."""
    before = stage.resident()
    known = set(stage.pages())
    sent = alerts(count)
    for at in range(0, count, PER_POST):
        part = sent[at : at + PER_POST]
        while await stage.post(part) != 200:
            await asyncio.sleep(1)
        # One delivery after the other: it is the standing that is measured here, not the rush.
        paged = len(known) + at + len(part)
        await stage.until(partial(_paged, stage, paged), PATIENCE)
    await stage.quiet(2)
    after, used, begun = stage.resident(), stage.cpu_seconds(), time.monotonic()
    await asyncio.sleep(idle)
    busy = time.monotonic() - begun
    cost = {name: seconds - used[name] for name, seconds in stage.cpu_seconds().items()}
    table = Table(
        f"{count} open incidents",
        ("process", "with none", "with all", "each", "processor while they only watch"),
    )
    for name, resident in before.items():
        each = (after[name] - resident) / count * 1024
        table.row(
            name,
            f"{resident:.0f} MiB",
            f"{after[name]:.0f} MiB",
            f"{each:.0f} KiB",
            f"{cost[name] / busy:.0%} of a core",
        )
    opened = await stage.opened(sent)
    table.aim(f"all of {count} are open ({len(opened)} are)", met=len(opened) == count)
    await stage.end(opened)
    return table


def _paged(stage: Stage, count: int) -> bool:
    return len(stage.pages()) >= count
