"""How long it takes from the webhook to the first page and the first Slack post."""

import time

from tests.benchmarks.figures import Table, milliseconds, p50, p99
from tests.benchmarks.stage import Stage, alerts

RATIO = 1.3
WARM_UP = 3


async def first(stage: Stage, rounds: int) -> Table:
    """Measure the bare minimum and an incident in turn, each with nothing else under way."""
    await stage.bare()
    times: dict[str, list[float]] = {name: [] for name in ("bare", "answer", "page", "post")}
    for turn in range(WARM_UP + rounds):
        measured = await _bare(stage) | await _incident(stage)
        if turn >= WARM_UP:
            for name, seconds in measured.items():
                times[name].append(seconds)
    base = times["bare"]
    table = Table("To the first page", ("from the webhook", "p50", "p99", "ratio of p50"))
    for name, words in (
        ("bare", "the bare minimum, to its call"),
        ("answer", "to the door's answer: Temporal keeps it"),
        ("page", "to the page"),
        ("post", "to the Slack post"),
    ):
        ratio = p50(times[name]) / p50(base)
        table.row(words, milliseconds(p50(times[name])), milliseconds(p99(times[name])),
                  f"{ratio:.2f}")  # fmt: skip
    paged = p50(times["page"]) / p50(base)
    table.aim(f"the page takes less than {RATIO} times the bare minimum (of {rounds} rounds)",
              met=paged < RATIO)  # fmt: skip
    return table


async def _bare(stage: Stage) -> dict[str, float]:
    begun = time.time()
    key = await stage.post_bare()
    assert await stage.until(lambda: key in stage.pages(), 30)
    await stage.quiet()
    return {"bare": stage.pages()[key] - begun}


async def _incident(stage: Stage) -> dict[str, float]:
    before, [alert] = set(stage.pages()), alerts(1)
    begun = time.time()
    assert await stage.post([alert]) == 200
    answered = time.time() - begun
    assert await stage.until(lambda: stage.pages().keys() > before, 30)
    [incident] = stage.pages().keys() - before
    assert await stage.until(lambda: incident in stage.posts(), 30)
    await stage.quiet()
    await stage.end([incident])
    return {
        "answer": answered,
        "page": stage.pages()[incident] - begun,
        "post": stage.posts()[incident] - begun,
    }
