"""What becomes of many alerts at once: how fast they are accepted and paged, and if all are."""

import asyncio
import time
from typing import Any

from deploy.gameday.standins.faults import hanging
from tests.benchmarks.figures import Table
from tests.benchmarks.stage import Stage, alerts

SECONDS = 15
AT_ONCE = 20
"""Groups that Alertmanager sends side by side."""
PATIENCE = 600
HANG_SECONDS = 60


async def bursts(stage: Stage, rounds: int, count: int, flood: int, *, hold: float = 20.0) -> Table:
    """Measure a burst, the same while Slack hangs, and one POST that is too large to be quick."""
    table = Table(
        "A burst of alerts, each of an incident of its own",
        (
            "what came",
            "POSTs",
            "accepted",
            "accepted/s",
            "half paged",
            "all paged",
            "paged",
            "processor each",
        ),
    )
    usual = [await _burst(stage, alerts(count), each=1) for _ in range(rounds)]
    stage.slack.fail(hanging(HANG_SECONDS, times=1_000_000))
    hung = [await _burst(stage, alerts(count), each=1) for _ in range(rounds)]
    stage.slack.faults.clear()
    await asyncio.sleep(hold)  # the calls that hang have the slots for messages until they end
    await stage.quiet()
    huge = await _burst(stage, alerts(flood), each=flood)
    for words, found, many in (
        (f"{count} POSTs of one alert", usual, count),
        ("the same while Slack hangs", hung, count),
        (f"one POST of {flood}", [huge], flood),
    ):
        for each in found:
            table.row(words, *each.cells())
        slowest = max(each.all_paged for each in found)
        lost = sum(many - each.paged for each in found)
        if many == count:
            table.aim(f"{words}: all paged within {SECONDS} s (the slowest took {slowest:.1f} s)",
                      met=slowest < SECONDS and not lost)  # fmt: skip
        else:
            table.aim(f"{words}: every alert has its incident and its page ({lost} lost)",
                      met=not lost)  # fmt: skip
    return table


class Found:
    """What one burst came to."""

    def __init__(
        self, posts: int, accepted: int, accepted_in: float, times: list[float], used: float
    ) -> None:
        self.posts = posts
        self.accepted = accepted
        self.accepted_in = accepted_in
        self.paged = len(times)
        self.used = used
        """Seconds of processor that worker, door and Temporal took until the last page."""
        self.half_paged = sorted(times)[len(times) // 2] if times else 0.0
        self.all_paged = max(times, default=0.0)

    def cells(self) -> tuple[str, ...]:
        return (
            str(self.posts),
            str(self.accepted),
            f"{self.accepted / self.accepted_in:.0f}",
            f"{self.half_paged:.1f} s",
            f"{self.all_paged:.1f} s",
            str(self.paged),
            f"{self.used / max(self.paged, 1) * 1000:.0f} ms",
        )


async def _burst(stage: Stage, sent: list[dict[str, Any]], *, each: int) -> Found:
    before = set(stage.pages())
    begun, posts = time.time(), 0
    end, used = begun + PATIENCE, sum(stage.cpu_seconds().values())
    places = asyncio.Semaphore(AT_ONCE)

    async def deliver(part: list[dict[str, Any]]) -> None:
        nonlocal posts
        async with places:
            while time.time() < end:  # as Alertmanager does, until it is taken
                posts += 1
                if await stage.post(part) == 200:
                    return
                await asyncio.sleep(1)

    parts = [sent[at : at + each] for at in range(0, len(sent), each)]
    await asyncio.gather(*(deliver(part) for part in parts))
    accepted_in = time.time() - begun
    await stage.until(lambda: len(stage.pages().keys() - before) >= len(sent), end - time.time())
    used = sum(stage.cpu_seconds().values()) - used
    mine = {name: at for name, at in stage.pages().items() if name not in before}
    opened = await stage.opened(sent)
    await stage.end([*opened])
    await stage.quiet()
    return Found(posts, len(opened), accepted_in, [at - begun for at in mine.values()], used)
