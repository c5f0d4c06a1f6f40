"""Runbook, "Cache Performance Incidents": a cache that is asked in vain."""

from __future__ import annotations

from activities.alerts import Alert
from activities.cache_warming import CacheWarming, WarmUp
from activities.host import Host, RecentDeployments
from activities.postgres import Postgres
from activities.prometheus import Prometheus, Query, SeriesQuery
from activities.record import Asks
from activities.redis import Memory, Redis
from activities.redis_config import RedisConfig, SetPersistence
from activities.redis_keys import ScanBudget
from activities.redis_pings import Pings
from activities.switches import Switch
from activities.verification import Below
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Step, step
from workflows.procedures.deployments import last_deployment
from workflows.procedures.instances import ActsOnInstances, crash_looping
from workflows.procedures.measured import number, over
from workflows.procedures.redis_evidence import by_prefix, room_to_fork

FULL = 0.9
"""Share of its memory from which on Redis evicts or refuses what is put into it."""
_LOOK = "Look at what invalidates keys, and how long they live: the cache is still asked in vain."
_ROOM = "Give Redis more memory, or fewer keys: what is put into it does not stay."

Planned = tuple[tuple[Step, ...], tuple[str, ...]]


class HighCacheMissRatio(ActsOnInstances):
    """More than half of the look-ups in the cache find nothing."""

    severity = Severity.INFO
    impact = "The database answers what the cache should: more load, and slower pages."
    section = "high-cache-miss-ratio--50"
    recovered = Below(
        expression=promql.CACHE_MISSES,
        threshold=0.5,
        unit="%",
        traffic=promql.CACHE_RATE,
        floor=0.1,
    )
    uses = ("redis_young_seconds", "cache_ttl_seconds", "warm_up_most_database")

    misses = Probe(
        Prometheus.value,
        Query(expression=promql.CACHE_MISSES),
        why="share of look-ups that find nothing",
    )
    redis = Probe(Redis.ping, Pings(), why="whether Redis answers, and since when it runs")
    memory = Probe(Redis.memory, Nothing(), why="evicted and expired keys, and what is on disk")
    keys = Probe(Redis.biggest_keys, ScanBudget(), why="a sample of the keys, with their lives")
    connections = Probe(Postgres.connections, Nothing(), why="database connections")
    queries = Probe(
        Prometheus.series,
        SeriesQuery(expression=promql.DATABASE_P95),
        why="database p95 by type of query",
    )
    service = Probe(Host.redis_service, Nothing(), why="Redis as a service of the API host")
    capacity = Probe(Host.capacity, Nothing(), why="CPU, memory and disk of the API host")
    deployment = Probe(Host.recent_deployment, RecentDeployments(), why="recent deployments")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Warm the cache while the database can carry it; keep plans longer; then keep the keys."""
        redis, memory = seen[self.redis], seen[self.memory]
        misses = number(seen[self.misses])
        findings = (
            *([f"{misses:.0%} of the look-ups find nothing now"] if misses is not None else []),
            *_counted(memory),
            *by_prefix(seen[self.keys]),
            *last_deployment(seen[self.deployment]),
        )
        if self.present(seen, Switch.IN_MEMORY_CACHE) == "true":
            words = "the API caches in memory, each instance for itself, and misses more meanwhile"
            return Ladder(words, (), findings, f"{words}: it ends when that is undone.")
        if redis is not None and not redis.answered:
            words = f"Redis does not answer ({redis.finding}): RedisConnectionFailure is about that"
            return Ladder(words, (), findings, words)
        planned = (self._warm_up(seen), self._live_longer(seen), self._persist(seen))
        return Ladder(
            cause=self._cause(seen),
            steps=tuple(each for steps, _ in planned for each in steps),
            findings=(*findings, *(said for _, told in planned for said in told)),
            when_out=_ROOM if memory is not None and _full(memory) else _LOOK,
        )

    def _cause(self, seen: Evidence) -> str:
        memory, young = seen[self.memory], self._young(seen)
        if young:
            lost = " and writes nothing to disk" if memory and memory.persists is False else ""
            return f"Redis started {young}{lost}: what it held may be lost"
        if memory is None:
            return "the cache is asked in vain, and Redis does not say why"
        if _full(memory):
            return f"Redis is full ({memory.used_ratio:.0%}): keys go before they are asked for"
        if memory.keys == 0:
            return "Redis holds no key at all: somebody has emptied it"
        return "keys expire or are invalidated before they are asked for again"

    def _young(self, seen: Evidence) -> str:
        redis = seen[self.redis]
        seconds = redis.uptime_seconds if redis else None
        if seconds is None or seconds > self.given.redis_young_seconds:
            return ""
        return f"{seconds // 60} minutes ago" if seconds >= 60 else f"{seconds} s ago"

    def _warm_up(self, seen: Evidence) -> Planned:
        """Plan to fill the cache, unless the database or Redis could not carry it."""
        connections, memory = seen[self.connections], seen[self.memory]
        most = self.given.warm_up_most_database
        against = ""
        if connections is not None and connections.used_ratio >= most:
            against = (
                f"{connections.used} of {connections.max} database connections are used, "
                f"and it takes less than {most:.0%}"
            )
        elif slow := over(seen[self.queries], self.given.database_slow_seconds):
            against = f"the database is slow ({slow})"
        elif memory is not None and _full(memory):
            against = "Redis is full, and would drop or refuse what it is given"
        if against:
            return (), (f"not warmed: {against}",)
        unread = seen.unread([self.connections, self.queries, self.memory])
        warm = step(
            CacheWarming.warm_up,
            WarmUp(requested_at=seen.at),
            target="cache",
            why="what users ask for most is read from the database once, and not by each of them",
            effect="fill the cache through the platform's own endpoint, a bounded number of keys "
            "a second",
            expect="fewer look-ups find nothing within a minute",
            risk=Risk.REVERSIBLE,
            asks=Asks.ALWAYS if unread else Asks.POLICY,
        )
        return (warm,), tuple(f"warming asks first: {why}" for why in unread)

    def _live_longer(self, seen: Evidence) -> Planned:
        """Plan a longer life for plan policies, unless room or the API is what is missing."""
        memory, wanted = seen[self.memory], self.given.cache_ttl_seconds
        present = self.present(seen, Switch.PLAN_POLICY_TTL_SECONDS)
        if present.isdecimal() and int(present) >= wanted:
            return (), (f"plan policies are kept for {present} s already",)
        if memory is not None and _full(memory):
            return (), ("plan policies are not kept longer: Redis has no room for it",)
        if looping := crash_looping(seen[self.instances], seen.at):
            return (), (f"plan policies are not kept longer: {looping}",)
        change = self.set_switches(
            seen,
            {Switch.PLAN_POLICY_TTL_SECONDS: str(wanted)},
            why="plan policies change rarely; nothing else is kept longer",
            expect="fewer are missed as they are written anew; keys that are written meanwhile "
            "keep the longer life when this is undone",
            asks=Asks.POLICY if present else Asks.ALWAYS,
        )
        return (change,), ()

    def _persist(self, seen: Evidence) -> Planned:
        """Plan snapshots where a restart has just cost the keys, and memory is left for them."""
        memory = seen[self.memory]
        if memory is None or not self._young(seen) or memory.persists:
            return (), ()
        if memory.last_save_failed:
            return (), ("its last snapshot failed: look at its disk and at its log",)
        if memory.rdb is None or not self.given.redis_unit:
            console = self.given.redis_console
            return (), (f"whether it keeps its keys is the provider's to set: {console}",)
        unit = seen[self.service]
        against = room_to_fork(memory, seen[self.capacity] if unit and unit.self_hosted else None)
        if against:
            return (), (f"it is not made to write to disk: {against}",)
        order = SetPersistence()
        change = step(
            RedisConfig.set_persistence,
            order,
            target="redis",
            why="the next restart would cost all keys again",
            effect=f"have Redis write a snapshot by the rule “save {order.save}”; it stays",
            details=(
                "to write a snapshot Redis forks: for a while it may take as much memory again",
            ),
            expect="the next restart keeps all but the last minutes; misses do not end by this",
            risk=Risk.DISRUPTIVE,
            asks=Asks.ALWAYS,
            mends=False,
        )
        return (change,), (
            "put the same rule into the configuration of Redis: a restart takes back what was set",
        )


def _full(memory: Memory) -> bool:
    return memory.used_ratio is not None and not memory.max_is_host and memory.used_ratio >= FULL


def _counted(memory: Memory | None) -> list[str]:
    if memory is None:
        return []
    known = (("evicted", memory.evicted_keys), ("expired", memory.expired_keys))
    counted = [f"{count} {how}" for how, count in known if count is not None]
    return [f"keys since Redis started: {', '.join(counted)}"] if counted else []
