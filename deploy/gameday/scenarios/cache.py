"""Game days of the runbook's "Cache Performance Incidents"."""

from activities.record import Phase
from deploy.gameday.cache import SHORT_LIVED
from deploy.gameday.day import EXPORTS, Day
from deploy.gameday.scenarios.base import Act, Scenario

_QUEUE = "queue:"


def _die_young(times: float) -> Act:
    """Have stable data live so many times shorter."""

    async def shorten(day: Day) -> None:
        day.platform.faults.put(SHORT_LIVED, f"{times}")

    return shorten


async def _live_as_before(day: Day) -> None:
    day.platform.faults.mend(SHORT_LIVED)


async def _kill_redis(day: Day) -> None:
    await day.platform.kill_redis()


async def _break_redis(day: Day) -> None:
    await day.platform.break_redis_for_good()


async def _mend_redis(day: Day) -> None:
    day.platform.mend_redis()
    await day.platform.start_redis()


async def _export(day: Day) -> None:
    await day.platform.fill_redis(EXPORTS)


async def _queue(day: Day) -> None:
    await day.platform.fill_redis(_QUEUE)


async def _work_off(day: Day) -> None:
    await day.platform.empty_redis(_QUEUE)


SCENARIOS = (
    Scenario(
        name="cache",
        alert="HighCacheMissRatio",
        story="Cached plans die 200 times sooner than they did: they are missed again and again.",
        breaks=_die_young(200),
        after={Phase.SETTLING: _live_as_before},
        later="The mistake in the cache's code is corrected.",
    ),
    Scenario(
        name="cache-people",
        alert="HighCacheMissRatio",
        story="What is cached is invalidated at once, so that neither warming nor waiting helps.",
        breaks=_die_young(1e6),
        after={Phase.WATCHING: _live_as_before},
        later="People find what invalidates the cache, and correct it.",
        people=True,
    ),
    Scenario(
        name="redis",
        alert="RedisConnectionFailure",
        story="Redis is killed with kill -9; nothing restarts it but the responder.",
        breaks=_kill_redis,
    ),
    Scenario(
        name="redis-people",
        alert="RedisConnectionFailure",
        story="Redis dies, and a wrong line in its configuration keeps it from starting again.",
        breaks=_break_redis,
        after={Phase.WATCHING: _mend_redis},
        later="People correct the configuration of Redis, and start it.",
        people=True,
    ),
    Scenario(
        name="redis-memory",
        alert="RedisHighMemoryUsage",
        story="An export leaves its files in Redis until nearly all memory is used; you are asked.",
        breaks=_export,
    ),
    Scenario(
        name="redis-memory-people",
        alert="RedisHighMemoryUsage",
        story="A queue that nobody works off fills Redis, and none of it may be thrown away.",
        breaks=_queue,
        after={Phase.WATCHING: _work_off},
        later="People start the workers of the queue, which work it off.",
        people=True,
    ),
)
