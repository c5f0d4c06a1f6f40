import pytest

from activities.prometheus import Value
from activities.record import Asks
from activities.redis import Memory
from activities.redis_keys import Key, Keys, Prefix
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the

DROP, EVICT, DELETE = "redis.drop_expired", "redis.set_eviction_policy", "redis.delete_prefix"
MIB = 2**20


def memory(**more) -> Memory:
    full = {
        "used_bytes": 62 * MIB,
        "max_bytes": 64 * MIB,
        "used_ratio": 0.97,
        "policy": "noeviction",
        "evicted_keys": 0,
        "keys": 5000,
        "expiring_keys": 300,
        "resident_bytes": 70 * MIB,
        "rdb": True,
        "aof": False,
    }
    return Memory(**full | more)


def prefix(name: str, **more) -> Prefix:
    return Prefix(**{"name": name, "keys": 100, "size_bytes": MIB, "without_expiry": 0} | more)


def keys(*prefixes: Prefix, complete: bool = True) -> Keys:
    return Keys(
        biggest=(Key(name="queue:emails", size_bytes=12 * MIB, kind="list"),),
        prefixes=prefixes,
        scanned=5000,
        total=5000 if complete else 90_000,
        complete=complete,
    )


EXPORTS = prefix("export", keys=4000, size_bytes=40 * MIB, without_expiry=4000)
QUEUE = prefix("queue", keys=2, size_bytes=12 * MIB, without_expiry=2)
SEEN = {
    "used": Value(value=0.968, at=NOW),
    "memory": memory(),
    "keys": keys(EXPORTS, QUEUE, complete=False),
}
DISPOSABLE = {"redis_disposable_prefixes": ("export:",)}


def full(given=None, **found):
    return plan("RedisHighMemoryUsage", SEEN | found, **(DISPOSABLE if given is None else given))


@pytest.mark.parametrize(
    ("given", "found", "expected"),
    [
        pytest.param(DISPOSABLE, {}, [DROP, EVICT, DELETE], id="full: drop, evict, delete"),
        pytest.param({}, {}, [DROP, EVICT], id="nothing declared disposable: nothing is deleted"),
        pytest.param(
            {"redis_disposable_prefixes": ("export:", "tmp:")},
            {"keys": keys(EXPORTS, prefix("tmp"), complete=False)},
            [DROP, EVICT, DELETE, DELETE],
            id="each disposable prefix is a step of its own",
        ),
        pytest.param(
            {"redis_disposable_prefixes": ("export:", "tmp:")},
            {"keys": keys(EXPORTS, QUEUE)},
            [EVICT, DELETE],
            id="all keys were seen: none has expired unnoticed, and none is of tmp:",
        ),
        pytest.param(
            {"redis_disposable_prefixes": ("tmp:",)},
            {"keys": keys(EXPORTS, complete=False)},
            [DROP, EVICT, DELETE],
            id="a budget that ended has not seen all: the prefix may be there",
        ),
        pytest.param(
            DISPOSABLE, {"keys": None}, [DROP, EVICT, DELETE], id="the keys could not be read"
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(expiring_keys=0)},
            [EVICT, DELETE],
            id="no key can expire: nothing to drop",
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(expiring_keys=None)},
            [DROP, EVICT, DELETE],
            id="whether any can expire is not known: reading is harmless",
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(policy="allkeys-lfu", evicted_keys=9)},
            [DROP, DELETE],
            id="it evicts already",
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(policy="volatile-lru")},
            [DROP, EVICT, DELETE],
            id="it evicts only what can expire",
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(max_is_host=True)},
            [DROP, DELETE],
            id="without a maxmemory nothing is ever evicted",
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(rdb=None, aof=None)},
            [DROP, DELETE],
            id="a managed Redis that keeps CONFIG to itself",
        ),
        pytest.param(
            DISPOSABLE, {"memory": memory(policy="")}, [DROP, DELETE], id="no policy is told"
        ),
        pytest.param(DISPOSABLE, {"memory": None}, [], id="memory not read: hand over"),
        pytest.param(
            DISPOSABLE, {"memory": memory(used_ratio=None)}, [], id="no limit is known: hand over"
        ),
        pytest.param(
            DISPOSABLE,
            {"memory": memory(used_bytes=30 * MIB, used_ratio=0.47)},
            [DROP],
            id="Redis itself says that it is not full: nothing that destroys",
        ),
        pytest.param(
            DISPOSABLE, {"used": None}, [DROP, EVICT, DELETE], id="Prometheus could not be asked"
        ),
    ],
)
def test_what_is_done_when_redis_runs_out_of_memory(given, found, expected):
    assert activities(full(given, **found)) == expected


def test_what_is_called_clearing_expired_keys_deletes_none_that_has_not_expired():
    drop = the(full(), DROP)

    assert (drop.risk, drop.asks) == (Risk.REVERSIBLE, Asks.POLICY)
    assert "reading only" in drop.effect
    assert set(drop.order) == {"walk"}


@pytest.mark.parametrize(
    ("given", "risk", "loss"),
    [
        pytest.param({}, Risk.DESTRUCTIVE, "QUEUES AND SESSIONS TOO", id="undeclared: destroys"),
        pytest.param(
            {"redis_cache_only": True}, Risk.DISRUPTIVE, "only a cache", id="declared cache only"
        ),
        pytest.param(
            {"redis_persists": True}, Risk.DESTRUCTIVE, "QUEUES", id="persisting is not caching"
        ),
    ],
)
def test_eviction_destroys_unless_redis_is_declared_to_be_only_a_cache(given, risk, loss):
    evict = the(full(given), EVICT)

    assert (evict.risk, evict.undo, evict.mends) == (risk, True, False)
    assert loss in evict.effect
    assert "from noeviction to allkeys-lru" in evict.effect
    assert "queue: 2 keys that would never expire may go" in evict.details
    assert "the alert goes on" in evict.expect


def test_a_deletion_names_its_prefix_and_what_was_seen_of_it_and_destroys():
    delete = the(full(), DELETE)

    assert (delete.risk, delete.undo, delete.asks) == (Risk.DESTRUCTIVE, False, Asks.POLICY)
    assert delete.order["prefix"] == "export:"
    assert "begin with export: (4000 were seen, with 40 MiB)" in delete.effect


def test_a_prefix_within_a_prefix_is_not_said_to_have_the_keys_of_the_whole():
    delete = the(full({"redis_disposable_prefixes": ("export:pdf:",)}), DELETE)

    assert "how many there are is not known" in delete.effect


@pytest.mark.parametrize("wrong", ["", "a:", "*", "export*:", "e?port:", "export", "[ab]cd:"])
def test_no_setting_can_mean_every_key(wrong):
    with pytest.raises(ValueError, match="redis_disposable_prefixes"):
        consult("RedisHighMemoryUsage", redis_disposable_prefixes=(wrong,))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param({}, "queue:emails (list, 12 MiB, never expires)", id="the largest keys"),
        pytest.param({}, "export (4,000 keys, 40 MiB, 4,000 of them never expire)", id="by prefix"),
        pytest.param(
            {"memory": memory(refused_writes=12)}, "12 writes were refused", id="refused writes"
        ),
        pytest.param(
            {"memory": memory(max_is_host=True)}, "no maxmemory", id="no limit: one must be set"
        ),
        pytest.param(
            {"memory": memory(fragmentation_bytes=30 * MIB)},
            "30 MiB are lost between the pieces",
            id="fragmentation",
        ),
        pytest.param(
            {"memory": memory(policy="allkeys-lru", evicted_keys=7)},
            "evicts already (allkeys-lru, 7 keys so far)",
            id="it evicts, and the alert stays",
        ),
        pytest.param(
            {"memory": memory(rdb=None)}, "https://console.upstash.com", id="the provider's console"
        ),
        pytest.param({"memory": None}, LATE, id="why its memory could not be read"),
        pytest.param(
            {"memory": memory(used_bytes=30 * MIB, used_ratio=0.47)},
            "Redis says that it uses 47%",
            id="it contradicts the alert",
        ),
        pytest.param({"memory": memory(expiring_keys=0)}, "no key has an expiry", id="no expiry"),
    ],
)
def test_people_are_told(found, words):
    assert words in said(full(**found))


def test_after_the_last_step_people_are_asked_for_a_larger_instance():
    assert "more memory than 64 MiB (maxmemory of the service redis)" in full().when_out
    assert "https://console.upstash.com" in full({"redis_unit": ""}).when_out


def test_the_cause_is_told_in_figures():
    assert full().cause == "Redis uses 97% of its memory (62 MiB of 64 MiB)"
