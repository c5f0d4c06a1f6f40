"""Runbook, "Cache Performance Incidents"."""

from __future__ import annotations

from activities.host import Deployments, HostPong
from activities.redis import Memory, Pong
from activities.redis_findings import Finding
from activities.redis_keys import Key, Keys, Prefix
from activities.services import Unit
from activities.status_pages import ProviderStatus
from workflows.procedures.cache import RedisConnectionFailure
from workflows.procedures.cache_misses import HighCacheMissRatio
from workflows.procedures.redis_memory import RedisHighMemoryUsage
from workflows.situations.base import Situation, Situations
from workflows.situations.usual import GIB, MIB, capacity, connections, instances, series, value

_FAILED = Unit(loaded=True, state="failed", result="signal", pid=0, self_hosted=True)
_LOADING = "LOADING Redis is loading the dataset in memory"
_REFUSED = Pong(answered=False, finding=Finding.REFUSED, said="refused", milliseconds=1.0)
_HERE = Unit(loaded=True, state="active", pid=812, self_hosted=True)
_USUAL = Memory(
    used_bytes=20 * MIB,
    max_bytes=64 * MIB,
    used_ratio=0.31,
    policy="noeviction",
    evicted_keys=3,
    expired_keys=90,
    keys=800,
    expiring_keys=300,
    resident_bytes=30 * MIB,
    host_bytes=16 * GIB,
    rdb=False,
    aof=False,
)
_FULL = _USUAL.model_copy(update={"used_bytes": 62 * MIB, "used_ratio": 0.97, "rdb": True})
_PLANS = Prefix(name="plan", keys=40, size_bytes=MIB, without_expiry=0, expires_in_seconds=12)
_EXPORTS = Prefix(name="export", keys=4000, size_bytes=40 * MIB, without_expiry=4000)


def _keys(*prefixes: Prefix) -> Keys:
    largest = Key(name="queue:emails", size_bytes=12 * MIB, kind="list")
    return Keys(biggest=(largest,), prefixes=prefixes, scanned=5000, total=90_000, complete=False)


SITUATIONS = (
    Situations(
        HighCacheMissRatio,
        {
            "misses": value(0.62),
            "redis": Pong(answered=True, milliseconds=1.0, uptime_seconds=40 * 86_400),
            "memory": _USUAL,
            "keys": _keys(_PLANS),
            "connections": connections(used=40),
            "queries": series("query_type", {"select": 0.02}),
            "service": _HERE,
            "capacity": capacity(),
            "deployment": Deployments(last=(), newest_minutes_ago=None),
            "instances": instances(),
        },
        (
            Situation("Keys go before they are asked for again"),
            Situation("Redis has just restarted, and kept nothing", {
                "redis": Pong(answered=True, milliseconds=1.0, uptime_seconds=720),
            }),
            Situation("The database is busy: nothing is warmed", {
                "connections": connections(used=130),
            }),
            Situation("Redis is full", {"memory": _FULL}),
        ),
        by_hand="""\
redis-cli -u "$REDIS_URL" INFO stats          # evicted_keys, expired_keys; INFO server: uptime
redis-cli -u "$REDIS_URL" --scan --count 100 | head -100   # never KEYS "*": it blocks Redis
# only while fewer than 60 % of the database's connections are used:
curl -X POST -H "Authorization: Bearer $TOKEN" https://api.pravado.com/internal/cache/warmup
""",
    ),
    Situations(
        RedisConnectionFailure,
        {
            "from_worker": _REFUSED,
            "from_host": HostPong(answered=False, finding=Finding.REFUSED, said="refused"),
            "provider": ProviderStatus(
                provider="upstash",
                state="operational",
                said="All Systems Operational",
                url="https://status.upstash.com",
            ),
            "service": _FAILED,
            "deployment": Deployments(last=(), newest_minutes_ago=None),
            "instances": instances(),
        },
        (
            Situation(
                "Down from both sides, and a service of the API host that keeps its data",
                declared={"redis_persists": True},
            ),
            Situation("The same, and not declared to keep its data"),
            Situation(
                "Down, and it crashes over and over",
                {"service": _FAILED.model_copy(update={"result": "start-limit-hit"})},
            ),
            Situation("Down, and managed by a provider", declared={"redis_unit": ""}),
            Situation(
                "It answers the API host, and not the worker",
                {"from_host": HostPong(answered=True)},
            ),
            Situation(
                "It runs, and still loads its data",
                {
                    "from_worker": _REFUSED.model_copy(
                        update={"finding": Finding.LOADING, "said": _LOADING}
                    ),
                    "from_host": HostPong(answered=False, finding=Finding.LOADING, said=_LOADING),
                },
            ),
        ),
        by_hand="""\
redis-cli -u "$REDIS_URL" PING                # from the API host, and from where you are
systemctl status redis; journalctl -u redis -n 50
sudo systemctl restart redis                  # not while LOADING; it may lose all
# until it is back; the database carries more, so watch it:
USE_IN_MEMORY_CACHE=true pm2 reload pravado-api --update-env
""",
    ),
    Situations(
        RedisHighMemoryUsage,
        {"used": value(0.968), "memory": _FULL, "keys": _keys(_EXPORTS)},
        (
            Situation("It nears its maxmemory, and nothing is declared"),
            Situation("The same, and Redis is declared a cache, the exports disposable", declared={
                "redis_cache_only": True, "redis_disposable_prefixes": ("export:",),
            }),
            Situation("It evicts already", {
                "memory": _FULL.model_copy(update={"policy": "allkeys-lru"}),
            }),
            Situation("It is managed, and its provider refuses CONFIG", {
                "memory": _FULL.model_copy(update={"rdb": None, "policy": ""}),
            }),
        ),
        by_hand="""\
redis-cli -u "$REDIS_URL" INFO memory
redis-cli -u "$REDIS_URL" --bigkeys -i 0.1    # -i: it pauses, so that others are served
# NOT `--scan --pattern "*" | xargs DEL`: that deletes every key. Expired ones go when looked at:
redis-cli -u "$REDIS_URL" --scan | xargs -n 500 redis-cli -u "$REDIS_URL" EXISTS >/dev/null
redis-cli -u "$REDIS_URL" CONFIG SET maxmemory-policy allkeys-lru   # drops queues and sessions too
""",
    ),
)  # fmt: skip
