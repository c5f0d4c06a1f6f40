from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.redis import Redis
from activities.redis_findings import Finding
from activities.redis_keys import ScanBudget, shown
from activities.redis_pings import Pings
from activities.words import Nothing
from deploy.local.valkey import Valkey
from tests.activities.databases import run, until

PASSWORD = "correct-horse-battery"


async def test_memory_is_told_against_the_limit(client, valkey: Valkey):
    await client.config_set("maxmemory", "10mb")
    try:
        memory = await run(Redis(SecretStr(valkey.url)).memory, Nothing())
    finally:
        await client.config_set("maxmemory", "0")
    without = await run(Redis(SecretStr(valkey.url)).memory, Nothing())

    assert memory.max_bytes == 10 * 1024 * 1024
    assert not memory.max_is_host
    assert memory.used_ratio == pytest.approx(memory.used_bytes / memory.max_bytes, abs=1e-4)
    assert memory.policy == "noeviction"
    assert memory.fragmentation_bytes is not None
    assert without.max_is_host
    assert without.max_bytes > 1024**3
    assert without.used_ratio < 0.1


async def test_refused_writes_and_evicted_keys_are_counted(client, valkey: Valkey):
    await client.config_resetstat()
    await client.set("kept", "x" * 1000)
    await client.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            await client.set("refused", "x")
        refusing = await run(Redis(SecretStr(valkey.url)).memory, Nothing())
        await client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            await client.set("refused", "x")
        evicting = await run(Redis(SecretStr(valkey.url)).memory, Nothing())
    finally:
        await client.config_set("maxmemory", "0")
        await client.config_set("maxmemory-policy", "noeviction")

    assert refusing.refused_writes == 1
    assert refusing.used_ratio > 0.9
    assert refusing.keys == 1
    assert evicting.evicted_keys == 1


@pytest.mark.parametrize(
    ("settings", "persists"),
    [
        pytest.param({"save": "", "appendonly": "no"}, False, id="neither: a restart loses all"),
        pytest.param({"save": "900 1", "appendonly": "no"}, True, id="snapshots"),
        pytest.param({"save": "", "appendonly": "yes"}, True, id="an append-only file"),
    ],
)
async def test_whether_a_restart_keeps_the_data(
    tmp_path: Path, settings: dict[str, str], *, persists: bool
):
    async with Valkey(tmp_path, options=settings) as server:
        memory = await run(Redis(SecretStr(server.url)).memory, Nothing())

    assert memory.persists is persists


async def test_a_snapshot_that_fails_does_not_persist(tmp_path: Path):
    async with Valkey(tmp_path / "data", options={"save": "900 1"}) as server:
        asked = Redis(SecretStr(server.url))
        async with redis.asyncio.Redis.from_url(server.url) as client:
            await client.set("a", "b")
            (tmp_path / "data" / "dump.rdb").mkdir()
            await client.bgsave()

        async def failing():
            memory = await run(asked.memory, Nothing())
            return memory if memory.last_save_failed else None

        memory = await until(failing)
        pong = await run(asked.ping, Pings())
        await server.kill()  # asked to stop, it would try to save, and stay

    assert memory.rdb
    assert memory.persists is False
    assert pong.finding is Finding.NOT_SAVING
    assert not pong.finding.means_down, "a restart would lose what could not be saved"


async def test_persistence_that_may_not_be_read_is_unknown(client, valkey: Valkey):
    rights = ("on", f">{PASSWORD}", "+info", "+ping")
    await client.execute_command("ACL", "SETUSER", "reader", *rights)
    asked = Redis(SecretStr(f"redis://reader:{PASSWORD}@127.0.0.1:{valkey.port}/0"))

    memory = await run(asked.memory, Nothing())

    assert memory.rdb is None
    assert memory.persists is None


async def test_the_largest_keys_are_found_and_grouped(client, valkey: Valkey):
    for number in range(300):
        await client.set(f"page:{number}", "x" * 10, ex=1000)
    await client.rpush("queue:emails", *["x" * 1000] * 200)
    await client.set("report", "x" * 50_000)
    asked = Redis(SecretStr(valkey.url))

    found = await run(asked.biggest_keys, ScanBudget(pause_seconds=0, most=2))

    assert found.complete
    assert (found.scanned, found.total) == (302, 302)
    assert [key.name for key in found.biggest] == ["queue:emails", "report"]
    assert found.biggest[0].size_bytes > 200_000
    assert found.biggest[0].expires_in_seconds is None
    assert [key.kind for key in found.biggest] == ["list", "string"]
    everything = await run(asked.biggest_keys, ScanBudget(pause_seconds=0))
    pages = next(prefix for prefix in everything.prefixes if prefix.name == "page")
    assert (pages.keys, pages.without_expiry) == (300, 0)
    assert pages.expires_in_seconds is not None
    assert 990 <= pages.expires_in_seconds <= 1000
    queues = next(prefix for prefix in everything.prefixes if prefix.name == "queue")
    assert (queues.without_expiry, queues.expires_in_seconds) == (1, None)


@pytest.mark.parametrize(
    "budget",
    [
        pytest.param({"keys": 100, "pause_seconds": 0}, id="of keys"),
        pytest.param({"seconds": 0.05, "pause_seconds": 0.02}, id="of time"),
    ],
)
async def test_a_budget_that_ends_is_said(client, valkey: Valkey, budget):
    pipe = client.pipeline(transaction=False)
    for number in range(5000):
        pipe.set(f"page:{number}", "x")
    await pipe.execute()
    env = ActivityEnvironment()
    told: list[str] = []
    env.on_heartbeat = told.append

    found = await env.run(
        Redis(SecretStr(valkey.url)).biggest_keys, ScanBudget(per_page=50, **budget)
    )

    assert not found.complete
    assert 50 <= found.scanned < 2000
    assert found.total == 5000
    assert told[0] == "0 of 5000 keys"
    assert "keys" not in await called(client), "KEYS blocks Redis"


async def called(client) -> set[str]:
    stats = await client.info("commandstats")
    return {name.removeprefix("cmdstat_") for name in stats}


async def test_a_key_may_be_any_bytes(client, valkey: Valkey):
    await client.execute_command("SET", b"\xff\xfe:raw", "x" * 5000)

    found = await run(Redis(SecretStr(valkey.url)).biggest_keys, ScanBudget())

    assert found.biggest[0].size_bytes > 5000
    assert found.model_dump_json()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("queue:emails", "queue:emails", id="a name stays"),
        pytest.param("report:2026-11-23", "report:2026-11-23", id="a date stays"),
        pytest.param(
            "session:5f3a9c1e-7b2d-4f60-9a8e-1c2d3e4f5a6b", "session:5f3a9c…", id="a session is cut"
        ),
        pytest.param("x" * 500, "x" * 120, id="a long one is cut"),
    ],
)
def test_a_key_is_shown_without_what_looks_like_a_token(name: str, told: str):
    assert shown(name) == told
