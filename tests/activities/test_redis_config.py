"""Settings of a real Valkey: changed once, put back, and left to people where they are theirs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr, ValidationError

from activities.changes import Targets
from activities.errors import Ambiguous, Refused, Unavailable, Unwell
from activities.redis_config import (
    RedisConfig,
    SetEvictionPolicy,
    SetPersistence,
    SettingBefore,
)
from activities.redis_connection import RedisConnection
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from tests.activities.attempts import run
from tests.activities.managed_redis import NOT_THERE, bulk, managed

PASSWORD = "correct-horse-battery"
DIAGNOSTIC = (
    "on", f">{PASSWORD}", "~*", "resetchannels", "-@all", "+@connection", "+@read", "-@dangerous",
    "+info", "+scan", "+dbsize", "+memory|usage", "+config|get",
)  # fmt: skip
"""The rights of one who may look and not touch."""
LRU, OFTEN = SetEvictionPolicy(), SetPersistence()


def settings(url: str, seconds: float = 3.0) -> RedisConfig:
    return RedisConfig(RedisConnection(SecretStr(url), seconds=seconds), Targets())


@pytest.fixture
async def client(valkey: Valkey) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("save", "")


async def policy(client) -> str:
    return (await client.config_get("maxmemory-policy"))["maxmemory-policy"]


async def saves(client) -> str:
    return (await client.config_get("save"))["save"]


async def test_the_policy_is_set_and_put_back(client, valkey: Valkey):
    ours = settings(valkey.url)

    before = await run(ours.set_eviction_policy_read, LRU)
    done = await run(ours.set_eviction_policy, LRU, before)
    while_set = await policy(client)
    undone = await run(ours.set_eviction_policy_undo, LRU, before)

    assert (before.value, while_set, await policy(client)) == (
        "noeviction",
        "allkeys-lru",
        "noeviction",
    )
    assert done.changed
    assert undone.changed
    assert "'allkeys-lru' (set from 'noeviction')" in done.said
    assert "a restart ends it" in done.said
    assert "restart" not in undone.said


async def test_persistence_is_set_and_put_back_to_none(client, valkey: Valkey):
    ours = settings(valkey.url)

    before = await run(ours.set_persistence_read, OFTEN)
    await run(ours.set_persistence, OFTEN, before)
    while_set = await saves(client)
    await run(ours.set_persistence_undo, OFTEN, before)

    assert (before.value, while_set, await saves(client)) == ("", "900 1 300 10", "")


@pytest.mark.parametrize(
    ("attempt", "changed"),
    [
        pytest.param(1, False, id="somebody did the same meanwhile: nothing was changed by us"),
        pytest.param(2, True, id="an attempt before, whose answer was lost, did it"),
    ],
)
async def test_what_is_as_ordered_is_not_set_again(client, valkey: Valkey, attempt, *, changed):
    await client.config_set("maxmemory-policy", "allkeys-lru")
    await client.config_resetstat()

    done = await run(
        settings(valkey.url).set_eviction_policy,
        LRU,
        SettingBefore(value="noeviction"),
        attempt=attempt,
    )

    assert done.changed is changed
    assert "cmdstat_config|set" not in await client.info("commandstats")


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        pytest.param(1, Refused, id="before we did anything: refused"),
        pytest.param(2, Unwell, id="an attempt before may have set it: not well"),
    ],
)
async def test_what_somebody_else_set_stays(client, valkey: Valkey, attempt, error):
    await client.config_set("maxmemory-policy", "volatile-ttl")
    ours, before = settings(valkey.url), SettingBefore(value="noeviction")

    for change in (ours.set_eviction_policy, ours.set_eviction_policy_undo):
        with pytest.raises(error, match="left to a person"):
            await run(change, LRU, before, attempt=attempt)

    assert await policy(client) == "volatile-ttl"


async def test_an_undo_that_was_done_already_changes_nothing(client, valkey: Valkey):
    ours, before = settings(valkey.url), SettingBefore(value="noeviction")

    done = await run(ours.set_eviction_policy_undo, LRU, before)

    assert not done.changed
    assert await policy(client) == "noeviction"


async def test_who_may_only_look_is_refused_and_nothing_is_tried_again(client, valkey: Valkey):
    await client.execute_command("ACL", "SETUSER", "ir", *DIAGNOSTIC)
    ours = settings(f"redis://ir:{PASSWORD}@127.0.0.1:{valkey.port}/0")

    before = await run(ours.set_eviction_policy_read, LRU)
    with pytest.raises(Refused, match="does not let us set maxmemory-policy") as refused:
        await run(ours.set_eviction_policy, LRU, before)

    assert refused.value.non_retryable
    assert await policy(client) == "noeviction"
    await client.execute_command("ACL", "DELUSER", "ir")


async def test_a_server_whose_config_was_taken_away_is_a_refusal(tmp_path: Path):
    (tmp_path / "managed.conf").write_text('rename-command CONFIG ""\n')
    async with Valkey(tmp_path, options={"include": str(tmp_path / "managed.conf")}) as server:
        await refuses_everything(server.url)


async def test_a_provider_that_keeps_its_settings_to_itself_is_a_refusal():
    async with managed({"PING": b"+PONG\r\n", "CONFIG": NOT_THERE, "INFO": ROOM}) as url:
        await refuses_everything(url)


async def refuses_everything(url: str) -> None:
    ours = settings(url)
    for read, order in ((ours.set_eviction_policy_read, LRU), (ours.set_persistence_read, OFTEN)):
        with pytest.raises(Refused, match="does not tell"):
            await run(read, order)
    with pytest.raises(Refused):
        await run(ours.set_eviction_policy, LRU, SettingBefore(value="noeviction"))


ROOM = bulk("used_memory_rss:6291456\r\ntotal_system_memory:25276502016\r\n")
NO_ROOM = bulk("used_memory_rss:6291456\r\ntotal_system_memory:10485760\r\n")


@pytest.mark.parametrize(
    ("info", "why"),
    [
        pytest.param(NO_ROOM, "may take 6 MiB more, and the host has 10 MiB", id="too little"),
        pytest.param(bulk("used_memory_rss:1\r\n"), "not known", id="the host's is not told"),
        pytest.param(b"-NOPERM no permissions\r\n", "not known", id="INFO is not for us"),
    ],
)
async def test_no_snapshot_is_asked_for_where_the_host_may_not_carry_one(info: bytes, why: str):
    async with managed({"INFO": info}) as url:
        with pytest.raises(Refused, match=why):
            await run(settings(url).set_persistence_read, OFTEN)


async def test_a_connection_lost_over_a_change_leaves_open_whether_it_was_made():
    told = b"*2\r\n" + bulk("maxmemory-policy") + bulk("noeviction")
    answers = {"PING": b"+PONG\r\n", "CONFIG GET": told, "CONFIG SET": b""}
    async with managed(answers) as url:
        with pytest.raises(Ambiguous, match="no answer to a change") as lost:
            await run(settings(url).set_eviction_policy, LRU, SettingBefore(value="noeviction"))

    assert not lost.value.non_retryable


async def test_a_redis_that_is_away_is_unavailable_and_nothing_was_done():
    ours = settings(f"redis://127.0.0.1:{free_port()}/0", seconds=0.5)

    with pytest.raises(Unavailable):
        await run(ours.set_eviction_policy, LRU, SettingBefore(value="noeviction"))


@pytest.mark.parametrize("save", ["", "900", "900 1 300", "0 1", "900 1; FLUSHALL", "900 1\n300 1"])
def test_only_points_of_time_and_changes_are_an_order(save: str):
    with pytest.raises(ValidationError):
        SetPersistence(save=save)
