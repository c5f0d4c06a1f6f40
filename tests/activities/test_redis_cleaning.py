"""Making room in a real Valkey: only what has expired, or what the settings call disposable."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.changes import Targets
from activities.errors import NotConfigured, Refused
from activities.redis_cleaning import (
    CleaningBefore,
    DeletePrefix,
    DropExpired,
    RedisCleaning,
    Walk,
)
from activities.redis_connection import RedisConnection
from deploy.local.valkey import Valkey
from tests.activities.attempts import run

PASSWORD = "correct-horse-battery"
NO_PAUSE = Walk(pause_seconds=0)
JUNK = DeletePrefix(prefix="export:", walk=NO_PAUSE)
NONE = CleaningBefore(keys=0)


def cleaning(url: str, *disposable: str) -> RedisCleaning:
    connection = RedisConnection(SecretStr(url))
    return RedisCleaning(connection, Targets(), disposable=disposable or ("export:",))


async def filled(client, names, **options) -> None:
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.set(name, "x" * 100, **options)
    await pipe.execute()


async def called(client) -> dict[str, int]:
    stats = await client.info("commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}


@pytest.fixture
async def lazy(tmp_path: Path):
    """A server that drops expired keys only when somebody comes by, as a busy one nearly does."""
    async with (
        Valkey(tmp_path, options={"enable-debug-command": "yes"}) as server,
        redis.asyncio.Redis.from_url(server.url, decode_responses=True) as client,
    ):
        await client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        yield server, client


async def test_what_has_expired_is_dropped_and_everything_else_stays(lazy):
    server, client = lazy
    await filled(client, (f"page:{n}" for n in range(3000)), px=1)
    await filled(client, (f"session:{n}" for n in range(200)), ex=1000)
    await filled(client, (f"queue:{n}" for n in range(100)))
    await asyncio.sleep(0.01)
    assert await client.dbsize() == 3300, "nobody has come by yet"
    ours, order = cleaning(server.url), DropExpired(walk=NO_PAUSE)

    before = await run(ours.drop_expired_read, order)
    done = await run(ours.drop_expired, order, before)

    assert await client.dbsize() == 300
    assert before.keys == 3300
    assert done.changed
    assert "all 300 keys: Redis dropped 3000 expired ones" in done.said
    assert "memory in use went from" in done.said
    writes = {"del", "unlink", "flushall", "flushdb", "keys", "expire", "persist"}
    assert not writes & set(await called(client))


async def test_nothing_expired_is_nothing_changed(client, valkey: Valkey):
    await filled(client, ["kept"])
    ours, order = cleaning(valkey.url), DropExpired(walk=NO_PAUSE)

    done = await run(ours.drop_expired, order, await run(ours.drop_expired_read, order))

    assert not done.changed
    assert "dropped 0 expired ones" in done.said
    assert await client.get("kept") == "x" * 100


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(Walk(keys=100, per_page=50, pause_seconds=0), id="of keys"),
        pytest.param(Walk(seconds=0.05, per_page=50, pause_seconds=0.02), id="of time"),
    ],
)
async def test_a_budget_that_ends_leaves_the_rest_and_says_so(client, valkey: Valkey, walk: Walk):
    await filled(client, (f"export:{n}" for n in range(5000)))
    ours = cleaning(valkey.url)

    looked = await run(ours.drop_expired, DropExpired(walk=walk), NONE)
    deleted = await run(ours.delete_prefix, DeletePrefix(prefix="export:", walk=walk), NONE)

    assert "the budget has ended" in looked.said
    assert "there may be more" in deleted.said
    assert 3000 < await client.dbsize() < 5000


async def test_exactly_the_keys_of_a_prefix_are_deleted_without_blocking(client, valkey: Valkey):
    await client.config_resetstat()
    await filled(client, (f"export:{n}" for n in range(1500)))
    await client.rpush("export:list", *["x" * 1000] * 500)
    kept = ["exports:1", "my:export:1", "session:1", "export"]
    await filled(client, kept)
    ours = cleaning(valkey.url)

    before = await run(ours.delete_prefix_read, JUNK)
    done = await run(ours.delete_prefix, JUNK, before)

    assert sorted(await client.keys()) == sorted(kept)
    assert done.changed
    assert done.said.startswith("deleted 1501 keys that begin with export:")
    calls = await called(client)
    assert "del" not in calls
    assert calls["unlink"] < 100, "page by page"


@pytest.mark.parametrize("prefix", ["*", "tmp[ab]:", "what?:", "back\\slash:", "[^a]"])
async def test_a_prefix_is_taken_literally(client, valkey: Valkey, prefix: str):
    kept = ["a", "tmpa:1", "what!:1", "backslash:1", "session:1"]
    await filled(client, [*kept, f"{prefix}1"])
    order = DeletePrefix(prefix=prefix, walk=NO_PAUSE)

    await run(cleaning(valkey.url, prefix).delete_prefix, order, NONE)

    assert sorted(await client.keys()) == sorted(kept)


async def test_a_prefix_that_the_settings_do_not_name_is_refused(client, valkey: Valkey):
    await filled(client, ["session:1", "export:1"])
    ours = cleaning(valkey.url)

    for order in (DeletePrefix(prefix="session:"), DeletePrefix(prefix="export:1")):
        with pytest.raises(Refused, match="not among the disposable"):
            await run(ours.delete_prefix_read, order)
        with pytest.raises(Refused, match="not among the disposable"):
            await run(ours.delete_prefix, order, NONE)

    assert await client.dbsize() == 2


async def test_without_disposable_prefixes_nothing_can_be_deleted(valkey: Valkey):
    ours = RedisCleaning(RedisConnection(SecretStr(valkey.url)), Targets(), disposable=())

    with pytest.raises(NotConfigured, match="REDIS_DISPOSABLE_PREFIXES"):
        await run(ours.delete_prefix_read, JUNK)


class Killed(BaseException):
    """The worker is gone."""


def killed_after(pages: int, kept: list):
    """An environment whose worker dies at its *pages*-th page, once the heartbeat is sent."""
    environment = ActivityEnvironment()

    def heard(progress):
        kept.append(progress)
        if len(kept) == pages:
            raise Killed

    environment.on_heartbeat = heard
    return environment


async def test_an_attempt_after_a_crash_goes_on_where_the_one_before_was(client, valkey: Valkey):
    await filled(client, (f"export:{n}" for n in range(4000)))
    ours, told = cleaning(valkey.url), []
    order = DeletePrefix(prefix="export:", walk=Walk(per_page=200, pause_seconds=0))
    with pytest.raises(Killed):
        await killed_after(5, told).run(ours.delete_prefix, order, NONE)
    assert 2000 < (left := await client.dbsize()) < 4000
    await client.config_resetstat()

    again = ActivityEnvironment()
    again.info = dataclasses.replace(again.info, attempt=2, heartbeat_details=[told[-1]])
    done = await again.run(ours.delete_prefix, order, NONE)

    assert await client.dbsize() == 0
    assert done.changed
    assert "at least 4000 keys" in done.said
    assert (await called(client))["scan"] <= left // 200 + 2, "not from the beginning"


async def test_an_attempt_after_one_that_got_through_walks_no_more(client, valkey: Valkey):
    await filled(client, ["export:new"])
    over = {"cursor": 0, "begun": True, "seen": 10, "deleted": 7, "seconds": 1.0}
    again = ActivityEnvironment()
    again.info = dataclasses.replace(again.info, attempt=2, heartbeat_details=[over])

    done = await again.run(cleaning(valkey.url).delete_prefix, JUNK, NONE)

    assert await client.dbsize() == 1
    assert done.changed
    assert "at least 7 keys" in done.said


async def test_who_may_look_and_not_delete_is_refused_and_nothing_is_gone(client, valkey: Valkey):
    rights = ("on", f">{PASSWORD}", "~*", "+@read", "+info", "+ping", "+dbsize", "-@dangerous")
    await client.execute_command("ACL", "SETUSER", "reader", *rights, "+scan", "+info")
    await filled(client, ["export:1"])
    ours = cleaning(f"redis://reader:{PASSWORD}@127.0.0.1:{valkey.port}/0")

    touched = await run(ours.drop_expired, DropExpired(walk=NO_PAUSE), NONE)
    with pytest.raises(Refused, match="forbidden"):
        await run(ours.delete_prefix, JUNK, NONE)

    assert "looked at all 1 keys" in touched.said
    assert await client.dbsize() == 1
    await client.execute_command("ACL", "DELUSER", "reader")
