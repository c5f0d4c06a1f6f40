import asyncio
import os
import signal
from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr

from activities.errors import Refused, Unavailable
from activities.redis import Redis
from activities.redis_findings import Finding
from activities.redis_keys import ScanBudget
from activities.redis_pings import Pings
from activities.words import Nothing
from deploy.local.processes import free_port
from deploy.local.valkey import Valkey
from tests.activities.databases import run, until

PASSWORD = "correct-horse-battery"


async def ping(url: str, *, seconds: float = 3.0):
    return await run(Redis(SecretStr(url), seconds=seconds).ping, Pings())


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
        pytest.param("redis://127.0.0.1:{locked}", Finding.NOAUTH, None, id="no password"),
        pytest.param(
            "redis://:wrong@127.0.0.1:{locked}", Finding.WRONG_PASSWORD, None, id="a wrong one"
        ),
        pytest.param(
            "redis://:needless@127.0.0.1:{port}", Finding.WRONG_PASSWORD, None, id="a needless one"
        ),
        pytest.param(
            "redis://nobody:{password}@127.0.0.1:{locked}",
            Finding.WRONG_PASSWORD,
            None,
            id="a user who is not there",
        ),
    ],
)
async def test_a_redis_out_of_reach_is_an_answer(
    valkey: Valkey, locked: Valkey, url: str, finding: Finding, *, good: bool | None
):
    where = url.format(password=PASSWORD, port=valkey.port, locked=locked.port, free=free_port())
    asked = Redis(SecretStr(where), seconds=2.0)

    pong = await run(asked.ping, Pings())
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

    pong = await run(asked.ping, Pings())
    with pytest.raises(Refused, match="INFO"):
        await run(asked.memory, Nothing())
    with pytest.raises(Refused, match="forbidden"):
        await run(asked.biggest_keys, ScanBudget())

    assert pong.answered
    assert pong.uptime_seconds is None
