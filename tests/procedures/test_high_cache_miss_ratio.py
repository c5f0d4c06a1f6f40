import pytest

from activities.host import Capacity, Deployment, Deployments
from activities.postgres import Connections
from activities.prometheus import Series, SeriesAnswer, Value
from activities.record import Asks
from activities.redis import Memory, Pong
from activities.redis_findings import Finding
from activities.redis_keys import Keys, Prefix
from activities.services import Unit
from activities.supervisor import Process, Processes
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the

WARM, LIVE, PERSIST = "cache.warm_up", "switches.set", "redis.set_persistence"
MIB = 2**20


def pong(seconds: int | None = 40 * 86_400, **more) -> Pong:
    return Pong(**{"answered": True, "milliseconds": 1.0, "uptime_seconds": seconds} | more)


YOUNG = pong(720)


def memory(**more) -> Memory:
    usual = {
        "used_bytes": 20 * MIB,
        "max_bytes": 64 * MIB,
        "used_ratio": 0.31,
        "policy": "noeviction",
        "evicted_keys": 3,
        "expired_keys": 90,
        "keys": 800,
        "resident_bytes": 30 * MIB,
        "host_bytes": 16 << 30,
        "rdb": False,
        "aof": False,
    }
    return Memory(**usual | more)


def connections(used: int = 20) -> Connections:
    return Connections(used=used, max=100, reserved=3, used_ratio=used / 100)


def queries(seconds: float) -> SeriesAnswer:
    return SeriesAnswer(series=(Series(labels={"query_type": "select"}, value=seconds),))


def instances(ttl: str | None = None, **more) -> Processes:
    environment = {} if ttl is None else {"PLAN_POLICY_TTL_SECONDS": ttl}
    one = {"pid": 1, "status": "online", "restarts": 0, "environment": environment}
    return Processes(
        app="pravado-api", instances=tuple(Process(id=n, **one | more) for n in range(2))
    )


HERE = Unit(loaded=True, state="active", pid=8, self_hosted=True)
SEEN = {
    "misses": Value(value=0.62, at=NOW),
    "redis": pong(),
    "memory": memory(),
    "keys": Keys(
        biggest=(),
        prefixes=(
            Prefix(name="plan", keys=40, size_bytes=MIB, without_expiry=0, expires_in_seconds=12),
        ),
        scanned=800,
        total=800,
        complete=True,
    ),
    "connections": connections(),
    "queries": queries(0.02),
    "service": HERE,
    "capacity": Capacity(memory_total_bytes=8 << 30, memory_available_bytes=4 << 30),
    "deployment": Deployments(last=(), newest_minutes_ago=None),
    "instances": instances(),
}


def missed(given=None, **found):
    return plan("HighCacheMissRatio", SEEN | found, **(given or {}))


@pytest.mark.parametrize(
    ("given", "found", "expected"),
    [
        pytest.param({}, {}, [WARM, LIVE], id="keys go too soon: warm it, keep plans longer"),
        pytest.param(
            {},
            {"redis": YOUNG},
            [WARM, LIVE, PERSIST],
            id="a restart lost the keys: have them kept next time",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "memory": memory(rdb=True)},
            [WARM, LIVE],
            id="it restarted, but persists already",
        ),
        pytest.param(
            {}, {"redis": pong(3601)}, [WARM, LIVE], id="a restart of long ago explains nothing"
        ),
        pytest.param({}, {"connections": connections(59)}, [WARM, LIVE], id="database at 59 %"),
        pytest.param(
            {}, {"connections": connections(60)}, [LIVE], id="database at 60 %: not warmed"
        ),
        pytest.param(
            {"warm_up_most_database": 0.3},
            {"connections": connections(35)},
            [LIVE],
            id="the share is a setting",
        ),
        pytest.param({}, {"queries": queries(0.9)}, [LIVE], id="the database is slow: not warmed"),
        pytest.param(
            {},
            {"memory": memory(used_ratio=0.97)},
            [],
            id="Redis is full: neither warmed nor kept longer",
        ),
        pytest.param(
            {},
            {"memory": memory(used_ratio=0.97, max_is_host=True)},
            [WARM, LIVE],
            id="a full host of a Redis without a limit evicts nothing",
        ),
        pytest.param({}, {"connections": None}, [WARM, LIVE], id="the database could not be read"),
        pytest.param({}, {"memory": None}, [WARM, LIVE], id="the memory could not be read"),
        pytest.param(
            {}, {"redis": None}, [WARM, LIVE], id="when Redis started is not known: not persisted"
        ),
        pytest.param(
            {}, {"redis": pong(None)}, [WARM, LIVE], id="when Redis started is not told either"
        ),
        pytest.param(
            {},
            {"redis": pong(answered=False, finding=Finding.REFUSED)},
            [],
            id="Redis does not answer: another alert's",
        ),
        pytest.param({}, {"instances": instances("86400")}, [WARM], id="kept for a day already"),
        pytest.param({}, {"instances": instances("7200")}, [WARM, LIVE], id="kept for two hours"),
        pytest.param({}, {"instances": None}, [WARM, LIVE], id="the instances could not be read"),
        pytest.param(
            {},
            {"instances": instances(status="errored", restarts=9)},
            [WARM],
            id="the API crash-loops: no restart for a switch",
        ),
        pytest.param(
            {"redis_unit": ""},
            {"redis": YOUNG},
            [WARM, LIVE],
            id="a managed Redis keeps its settings to itself",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "memory": memory(rdb=None, aof=None)},
            [WARM, LIVE],
            id="CONFIG is refused: a finding",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "memory": memory(last_save_failed=True)},
            [WARM, LIVE],
            id="its last snapshot failed: look at the disk",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "capacity": Capacity(memory_available_bytes=20 * MIB)},
            [WARM, LIVE],
            id="no memory to fork on its host",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "capacity": None, "memory": memory(host_bytes=50 * MIB)},
            [WARM, LIVE],
            id="no memory to fork by its own account",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "service": None, "memory": memory(host_bytes=None)},
            [WARM, LIVE],
            id="whether there is memory to fork is not known",
        ),
        pytest.param(
            {},
            {"redis": YOUNG, "memory": memory(resident_bytes=None)},
            [WARM, LIVE],
            id="what Redis takes is not known",
        ),
        pytest.param({}, {"misses": None}, [WARM, LIVE], id="the ratio could not be read"),
        pytest.param({}, {"keys": None, "deployment": None}, [WARM, LIVE], id="no sample, no log"),
    ],
)
def test_what_is_done_when_the_cache_is_asked_in_vain(given, found, expected):
    assert activities(missed(given, **found)) == expected


def test_in_memory_each_instance_misses_more_and_nothing_is_done():
    on = Process(
        id=0, pid=1, status="online", restarts=0, environment={"USE_IN_MEMORY_CACHE": "true"}
    )

    cached = missed(instances=Processes(app="pravado-api", instances=(on,)))

    assert activities(cached) == []
    assert "caches in memory" in cached.cause


@pytest.mark.parametrize("unread", ["connections", "queries", "memory"])
def test_the_cache_is_warmed_without_asking_only_where_all_that_carries_it_was_seen(unread):
    assert the(missed(), WARM).asks is Asks.POLICY
    blind = missed(**{unread: None})

    assert the(blind, WARM).asks is Asks.ALWAYS
    assert any("warming asks first" in finding and LATE in finding for finding in blind.findings)


def test_warming_is_reversible_and_of_this_time():
    warm = the(missed(), WARM)

    assert (warm.risk, warm.target, warm.undo) == (Risk.REVERSIBLE, "cache", False)
    assert warm.order["requested_at"] == NOW.isoformat().replace("+00:00", "Z")


def test_only_plan_policies_live_longer_and_what_the_undo_leaves_is_said():
    live = the(missed(), LIVE)

    assert live.order["values"] == {"time to live of cached plan policies (s)": "86400"}
    assert "from 3600 to 86400" in live.effect
    assert "nothing else is kept longer" in live.why
    assert "keys that are written meanwhile keep the longer life" in live.expect
    assert (live.risk, live.undo, live.restarts) == (Risk.DISRUPTIVE, True, True)


def test_where_the_present_life_cannot_be_told_a_person_decides():
    torn = Processes(
        app="pravado-api",
        instances=tuple(
            Process(
                id=n,
                pid=1,
                status="online",
                restarts=0,
                environment={"PLAN_POLICY_TTL_SECONDS": ttl},
            )
            for n, ttl in enumerate(("60", "3600"))
        ),
    )

    assert the(missed(instances=torn), LIVE).asks is Asks.ALWAYS
    assert the(missed(instances=None), LIVE).asks is Asks.ALWAYS
    assert the(missed(), LIVE).asks is Asks.POLICY


def test_snapshots_are_asked_about_and_stay_and_are_not_waited_for():
    persist = the(missed(redis=YOUNG), PERSIST)

    assert (persist.asks, persist.undo, persist.mends) == (Asks.ALWAYS, False, False)
    assert persist.order == {"save": "900 1 300 10"}
    assert "it stays" in persist.effect


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        pytest.param({"redis": YOUNG}, "started 12 minutes ago and writes nothing", id="restarted"),
        pytest.param({"redis": pong(40)}, "started 40 s ago", id="restarted just now"),
        pytest.param({"memory": memory(used_ratio=0.97)}, "full (97%)", id="full"),
        pytest.param({"memory": memory(keys=0)}, "somebody has emptied it", id="emptied"),
        pytest.param({"memory": None}, "does not say why", id="not seen"),
        pytest.param({}, "expire or are invalidated", id="neither"),
    ],
)
def test_the_cause_is_named(found, cause):
    assert cause in missed(**found).cause


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param({}, "62% of the look-ups find nothing now", id="the ratio"),
        pytest.param({}, "3 evicted, 90 expired", id="the counters"),
        pytest.param(
            {}, "plan (40 keys, 1024 KiB, half of the keys go within 12 s)", id="the sample"
        ),
        pytest.param(
            {"connections": connections(72)},
            "not warmed: 72 of 100 database connections are used",
            id="why it is not warmed",
        ),
        pytest.param(
            {
                "redis": YOUNG,
                "capacity": Capacity(memory_available_bytes=20 * MIB),
            },
            "a snapshot may take 30 MiB more, and its host has 20 MiB",
            id="why it is not persisted",
        ),
        pytest.param(
            {
                "deployment": Deployments(
                    last=(Deployment(at=NOW, release="v9", author="dana"),), newest_minutes_ago=8
                )
            },
            "last deployment: v9 by dana, 8 minutes ago",
            id="the last deployment",
        ),
    ],
)
def test_people_are_told(found, words):
    assert words in said(missed(**found))


def test_people_are_sent_where_the_cause_is():
    assert "what invalidates keys" in missed().when_out
    assert "more memory" in missed(memory=memory(used_ratio=0.97)).when_out


def test_no_traffic_is_neither_recovered_nor_missed():
    condition = consult("HighCacheMissRatio").facts.condition

    assert condition.traffic is not None
    assert condition.floor > 0
