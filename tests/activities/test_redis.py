import asyncio
import os
import signal
from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.errors import Refused, Unavailable
from activities.redis import Redis
from activities.redis_findings import Finding
from activities.redis_keys import ScanBudget, shown
from activities.words import Nothing
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from tests.activities.databases import run, until

PASSWORD = "correct-horse-battery"


@pytest.fixture
async def client(valkey: Valkey):
    async with redis.asyncio.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client
        await client.flushall()


async def ping(url: str, *, seconds: float = 3.0):
    return await run(Redis(SecretStr(url), seconds=seconds).ping, Nothing())


async def test_a_server_that_answers_tells_its_version_and_age(valkey: Valkey):
    pong = await ping(valkey.url)

    assert pong.answered
    assert pong.finding is Finding.NONE
    assert pong.version.startswith("9.1.")
    assert pong.uptime_seconds is not None
    assert 0 < pong.milliseconds < 3000


@pytest.mark.parametrize(
    ("url", "finding", "good"),
    [
        pytest.param("redis://127.0.0.1:{free}", Finding.REFUSED, False, id="nobody at the port"),
        pytest.param(
            "redis://:{password}@nowhere.invalid:6379",
            Finding.DNS,
            None,
            id="a name that does not resolve is our own trouble",
        ),
        pytest.param(
            "redis://x:y@{password}@nowhere.invalid:6379", Finding.DNS, None, id="a mistyped URL"
        ),
        pytest.param("redis://127.0.0.1:{locked}", Finding.NOAUTH, False, id="no password"),
        pytest.param(
            "redis://:wrong@127.0.0.1:{locked}", Finding.WRONG_PASSWORD, False, id="a wrong one"
        ),
        pytest.param(
            "redis://:needless@127.0.0.1:{port}", Finding.WRONG_PASSWORD, False, id="a needless one"
        ),
        pytest.param(
            "redis://nobody:{password}@127.0.0.1:{locked}",
            Finding.WRONG_PASSWORD,
            False,
            id="a user who is not there",
        ),
    ],
)
async def test_a_redis_out_of_reach_is_an_answer(
    valkey: Valkey, locked: Valkey, url: str, finding: Finding, *, good: bool | None
):
    where = url.format(password=PASSWORD, port=valkey.port, locked=locked.port, free=free_port())
    asked = Redis(SecretStr(where), seconds=2.0)

    pong = await run(asked.ping, Nothing())
    sample = await asked.ping_sample()
    with pytest.raises((Refused, Unavailable)) as failed:
        await run(asked.memory, Nothing())

    assert not pong.answered
    assert pong.finding is finding
    assert pong.finding.means_down is (finding is Finding.REFUSED)
    assert sample.good is good
    for text in (pong.said, sample.note, str(failed.value)):
        assert PASSWORD not in text
        assert "wrong@" not in text
    assert failed.value.__cause__ is None


@pytest.fixture(scope="session")
async def locked(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("locked")
    async with Valkey(folder, options={"requirepass": PASSWORD}) as server:
        yield server


async def test_the_right_password_is_let_in(locked: Valkey):
    assert (await ping(f"redis://:{PASSWORD}@127.0.0.1:{locked.port}/0")).answered


def test_a_url_that_cannot_be_read_does_not_show_its_password():
    with pytest.raises(ValueError, match="cannot be read") as failed:
        Redis(SecretStr(f"redis://:{PASSWORD}/x@host:6379"))

    assert PASSWORD not in repr(failed.value)
    assert failed.value.__cause__ is None


async def test_a_full_server_is_max_clients_and_not_down(tmp_path: Path):
    async with Valkey(tmp_path) as server, redis.asyncio.Redis.from_url(server.url) as client:
        await client.config_set("maxclients", 1)
        pong = await ping(server.url)
        with pytest.raises(Unavailable, match="max clients"):
            await run(Redis(SecretStr(server.url)).memory, Nothing())

    assert not pong.answered
    assert pong.finding is Finding.MAX_CLIENTS
    assert not pong.finding.means_down


async def test_a_server_that_loads_its_data_is_loading_and_not_down(tmp_path: Path):
    # A delay for each key makes the loading last as on a large host.
    slow = {"save": "900 1", "loading-process-events-interval-bytes": "1024"}
    async with Valkey(tmp_path, options=slow) as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            pipe = client.pipeline(transaction=False)
            for number in range(2000):
                pipe.set(f"key:{number}", "x" * 200)
            await pipe.execute()
            await client.save()
        await server.stop()
        server.options["key-load-delay"] = "2000"
        server.ready = None
        await server.start()

        async def loading():
            pong = await ping(server.url)
            return pong if pong.finding is Finding.LOADING else None

        pong = await until(loading)
        sample = await Redis(SecretStr(server.url)).ping_sample()
        await server.kill()

    assert not pong.answered
    assert not pong.finding.means_down
    assert sample.good is False


async def test_a_frozen_server_is_a_timeout_within_the_time_given(tmp_path: Path):
    async with Valkey(tmp_path) as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            process = int((await client.info("server"))["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            async with asyncio.timeout(3):
                pong = await ping(server.url, seconds=0.3)
        finally:
            os.kill(process, signal.SIGCONT)
        back = await ping(server.url)

    assert pong.finding is Finding.TIMEOUT
    assert pong.finding.means_down
    assert back.answered


async def test_a_replica_answers_and_says_that_it_is_read_only(tmp_path: Path, valkey: Valkey):
    options = {"replicaof": f"127.0.0.1 {valkey.port}"}
    async with Valkey(tmp_path, options=options) as replica:
        pong = await ping(replica.url)

    assert pong.answered
    assert pong.finding is Finding.READONLY


async def test_a_user_who_may_only_ping_is_told_so(client, valkey: Valkey):
    await client.execute_command("ACL", "SETUSER", "pinger", "on", f">{PASSWORD}", "+ping")
    asked = Redis(SecretStr(f"redis://pinger:{PASSWORD}@127.0.0.1:{valkey.port}/0"))

    pong = await run(asked.ping, Nothing())
    with pytest.raises(Refused, match="INFO"):
        await run(asked.memory, Nothing())
    with pytest.raises(Refused, match="forbidden"):
        await run(asked.biggest_keys, ScanBudget())

    assert pong.answered
    assert pong.uptime_seconds is None


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
        pong = await run(asked.ping, Nothing())
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
    everything = await run(asked.biggest_keys, ScanBudget(pause_seconds=0))
    pages = next(prefix for prefix in everything.prefixes if prefix.name == "page")
    assert (pages.keys, pages.without_expiry) == (300, 0)


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
