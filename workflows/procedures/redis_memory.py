"""Runbook, "Cache Performance Incidents": a Redis that runs out of memory."""

from __future__ import annotations

from activities.alerts import Alert
from activities.prometheus import Prometheus, Query
from activities.redis import Memory, Redis
from activities.redis_cleaning import DeletePrefix, DropExpired, RedisCleaning, Walk
from activities.redis_config import RedisConfig, SetEvictionPolicy
from activities.redis_keys import Keys, ScanBudget
from activities.verification import Below
from activities.words import Nothing, Risk, Severity
from workflows import promql
from workflows.procedures.base import Evidence, Ladder, Probe, Procedure, Step, step
from workflows.procedures.measured import mebibytes, number
from workflows.procedures.redis_evidence import biggest, by_prefix, prefix_of, size

Planned = tuple[tuple[Step, ...], tuple[str, ...]]


class RedisHighMemoryUsage(Procedure):
    """Redis uses more than 90 % of its memory."""

    severity = Severity.WARNING
    impact = "Redis is about to refuse writes, or to drop keys: cached pages, sessions and queues."
    section = "redis-high-memory-usage--90"
    recovered = Below(expression=promql.REDIS_MEMORY, threshold=0.9, unit="%")

    used = Probe(
        Prometheus.value,
        Query(expression=promql.REDIS_MEMORY),
        why="share of its memory by Prometheus",
    )
    memory = Probe(Redis.memory, Nothing(), why="memory in use, its limit, and what goes then")
    keys = Probe(Redis.biggest_keys, ScanBudget(), why="largest keys, within a budget")

    def plan(self, alert: Alert, seen: Evidence) -> Ladder:  # noqa: ARG002 (the evidence says more)
        """Drop what has expired; evict, and delete what is disposable, where a person says so."""
        memory, keys = seen[self.memory], seen[self.keys]
        findings = (*self._told(seen), *biggest(keys), *by_prefix(keys))
        if memory is None or memory.used_ratio is None:
            why = seen.why_not(self.memory) or "Redis tells no limit of its memory"
            return Ladder(
                "how full Redis is could not be seen, so nothing is changed",
                (),
                (why, *findings),
                f"Please look at its memory ({self._where()}).",
            )
        share = f"{mebibytes(memory.used_bytes)} of {mebibytes(memory.max_bytes)}"
        larger = f"Give Redis more memory than {mebibytes(memory.max_bytes)} ({self._where()})."
        dropping = self._drop_expired(memory, keys)
        if memory.used_ratio < self.threshold:
            words = f"Redis says that it uses {memory.used_ratio:.0%} ({share}), which is not full"
            return Ladder(words, dropping[0], (*findings, *dropping[1]), larger)
        planned = (dropping, self._evict(memory, keys), self._delete(keys))
        of_what = "the host's memory, for it has no limit" if memory.max_is_host else "its memory"
        return Ladder(
            cause=f"Redis uses {memory.used_ratio:.0%} of {of_what} ({share})",
            steps=tuple(each for steps, _ in planned for each in steps),
            findings=(*findings, *(said for _, told in planned for said in told)),
            when_out=larger,
        )

    def _told(self, seen: Evidence) -> list[str]:
        memory, by_prometheus = seen[self.memory], number(seen[self.used])
        told = [f"by Prometheus it is {by_prometheus:.0%}"] if by_prometheus is not None else []
        if memory is None:
            return told
        if memory.refused_writes:
            told.append(f"{memory.refused_writes} writes were refused for lack of memory so far")
        if memory.max_is_host:
            told.append("Redis has no maxmemory: it grows until its host kills it, so set one")
        if memory.fragmentation_bytes and memory.fragmentation_bytes > memory.used_bytes / 4:
            lost = mebibytes(memory.fragmentation_bytes)
            told.append(f"{lost} are lost between the pieces: MEMORY PURGE or activedefrag")
        return told

    def _drop_expired(self, memory: Memory, keys: Keys | None) -> Planned:
        """Plan to touch keys, where any of them can have expired unnoticed."""
        if memory.expiring_keys == 0:
            return (), ("no key has an expiry, so there is nothing to drop",)
        if keys is not None and keys.complete:
            return (), ("every key was looked at just now: what had expired is gone",)
        order = DropExpired()
        touch = step(
            RedisCleaning.drop_expired,
            order,
            target="redis",
            why="Redis drops an expired key when it is looked at, and finds the others only slowly",
            effect=f"look at up to {order.walk.keys:,} keys in at most {order.walk.seconds:.0f} s, "
            "reading only, so that Redis drops the expired ones",
            expect="memory falls by what had expired already",
            risk=Risk.REVERSIBLE,
        )
        return (touch,), ()

    def _evict(self, memory: Memory, keys: Keys | None) -> Planned:
        """Plan to evict; it destroys, unless Redis is declared to be a cache and nothing else."""
        order = SetEvictionPolicy()
        if memory.max_is_host:
            return (), ("nothing would be evicted: without a maxmemory there is no limit",)
        if memory.policy.startswith("allkeys-"):
            so_far = f"{memory.policy}, {memory.evicted_keys or 0} keys so far"
            return (), (
                f"it evicts already ({so_far}) and stays near its limit",
                "only fewer keys or more memory end this: eviction frees no more than it must",
            )
        if memory.rdb is None or not memory.policy:
            return (), (f"its policy is the provider's to set: {self.given.redis_console}",)
        cache_only = self.given.redis_cache_only
        loss = "it is declared to be only a cache" if cache_only else "QUEUES AND SESSIONS TOO"
        lasting = [p for p in keys.prefixes if p.without_expiry] if keys else []
        change = step(
            RedisConfig.set_eviction_policy,
            order,
            target="redis",
            why=f"writes fail at the limit as long as it is {memory.policy}",
            effect=f"set maxmemory-policy from {memory.policy} to {order.policy}: at its limit "
            f"Redis drops for good the keys that were used longest ago; {loss}",
            details=tuple(
                f"{prefix.name}: {prefix.without_expiry} keys that would never expire may go"
                for prefix in lasting[:10]
            ),
            expect="writes succeed again; memory stays near the limit, so that the alert goes on",
            risk=Risk.DISRUPTIVE if cache_only else Risk.DESTRUCTIVE,
            undo=True,
            mends=False,
        )
        return (change,), ()

    def _delete(self, keys: Keys | None) -> Planned:
        """Plan to delete each disposable prefix of which keys were, or may have been, seen."""
        declared = self.given.redis_disposable_prefixes
        if not declared:
            return (), ("no prefix is declared disposable, so nothing is deleted",)
        steps, findings = [], []
        for prefix in declared:
            found = prefix_of(keys, prefix)
            if keys is not None and keys.complete and self._absent(keys, prefix):
                findings.append(f"there are no keys that begin with {prefix}")
                continue
            seen = (
                f"{found.keys} were seen, with {size(found.size_bytes)}"
                if found
                else "how many there are is not known"
            )
            order = DeletePrefix(prefix=prefix, walk=Walk(keys=5_000_000))
            delete = step(
                RedisCleaning.delete_prefix,
                order,
                key=f"redis.delete_prefix@{prefix}",
                target="redis",
                why=f"{prefix} is declared disposable",
                effect=f"delete the keys that begin with {prefix} ({seen}), in the background",
                expect="memory falls by what they took",
                risk=Risk.DESTRUCTIVE,
                apply_seconds=180,
            )
            steps.append(delete)
        return tuple(steps), tuple(findings)

    def _absent(self, keys: Keys, prefix: str) -> bool:
        """Tell whether a whole look has seen no key of *prefix*, nor of any group around it."""
        group = prefix.split(":", 1)[0]
        listed = len(keys.prefixes) < ScanBudget().most
        return listed and all(not each.name.startswith(group) for each in keys.prefixes)

    def _where(self) -> str:
        given = self.given
        console = given.redis_console
        return f"maxmemory of the service {given.redis_unit}" if given.redis_unit else console
