"""The users of deploy/redis can do what the responder does, and nothing else."""

from pathlib import Path

import pytest
import redis.asyncio
from pydantic import SecretStr

from activities.changes import Targets
from activities.errors import Refused
from activities.redis import Redis
from activities.redis_cleaning import CleaningBefore, DeletePrefix, DropExpired, RedisCleaning
from activities.redis_config import RedisConfig, SetEvictionPolicy, SetPersistence, SettingBefore
from activities.redis_connection import RedisConnection
from activities.redis_keys import ScanBudget
from activities.redis_pings import Pings
from activities.words import Nothing
from deploy.local.valkey import Valkey
from tests.activities.attempts import run

USERS = Path(__file__).resolve().parents[2] / "deploy/redis/users.acl"
PASSWORD = "correct-horse-battery"
JUNK = DeletePrefix(prefix="export:")


@pytest.fixture
async def server(tmp_path: Path):
    lines = USERS.read_text().replace("resetpass", f"resetpass >{PASSWORD}")
    (tmp_path / "users.acl").write_text(lines)
    options = {"aclfile": str(tmp_path / "users.acl"), "enable-debug-command": "no"}
    async with Valkey(tmp_path, options=options) as server:
        yield server


@pytest.fixture
async def admin(server: Valkey):
    async with redis.asyncio.Redis.from_url(server.url, decode_responses=True) as admin:
        await admin.mset({"export:1": "x", "tmp:1": "x", "session:1": "secret"})
        yield admin


def url(server: Valkey, user: str) -> SecretStr:
    return SecretStr(f"redis://{user}:{PASSWORD}@127.0.0.1:{server.port}/0")


def changing(server: Valkey, user: str) -> tuple[RedisConfig, RedisCleaning]:
    connection = RedisConnection(url(server, user))
    cleaning = RedisCleaning(connection, Targets(), disposable=("export:", "session:"))
    return RedisConfig(connection, Targets()), cleaning


async def test_who_looks_sees_all_that_a_plan_is_made_of(server: Valkey, admin):
    looks = Redis(url(server, "responder-looks"))

    assert (await run(looks.ping, Pings())).answered
    memory = await run(looks.memory, Nothing())
    keys = await run(looks.biggest_keys, ScanBudget())

    assert (memory.keys, memory.policy, memory.persists) == (3, "noeviction", False)
    assert {(key.name, key.kind) for key in keys.biggest} == {
        ("export:1", "string"), ("tmp:1", "string"), ("session:1", "string"),
    }  # fmt: skip


async def test_who_looks_changes_nothing(server: Valkey, admin):
    config, cleaning = changing(server, "responder-looks")

    before = SettingBefore(value="noeviction")
    for change, order, was in (
        (config.set_eviction_policy, SetEvictionPolicy(), before),
        (config.set_persistence, SetPersistence(), SettingBefore(value="")),
        (cleaning.delete_prefix, JUNK, CleaningBefore(keys=3)),
    ):
        with pytest.raises(Refused, match=r"no permissions|does not let us"):
            await run(change, order, was)

    assert await admin.dbsize() == 3
    assert (await admin.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"


async def test_who_changes_makes_every_change_and_its_undo(server: Valkey, admin):
    config, cleaning = changing(server, "responder-changes")

    for name, order in (
        ("set_eviction_policy", SetEvictionPolicy()),
        ("set_persistence", SetPersistence()),
    ):
        before = await run(getattr(config, f"{name}_read"), order)
        assert (await run(getattr(config, name), order, before)).changed
        assert (await run(getattr(config, f"{name}_undo"), order, before)).changed
    expired = DropExpired()
    await run(cleaning.drop_expired, expired, await run(cleaning.drop_expired_read, expired))
    deleted = await run(cleaning.delete_prefix, JUNK, await run(cleaning.delete_prefix_read, JUNK))

    assert deleted.changed
    assert set(await admin.keys()) == {"tmp:1", "session:1"}


async def test_who_changes_cannot_delete_what_is_not_disposable_even_if_a_setting_says_so(
    server: Valkey, admin
):
    _, cleaning = changing(server, "responder-changes")

    with pytest.raises(Refused, match="forbidden"):
        await run(cleaning.delete_prefix, DeletePrefix(prefix="session:"), CleaningBefore(keys=3))

    assert await admin.exists("session:1")


@pytest.mark.parametrize("user", ["responder-looks", "responder-changes"])
@pytest.mark.parametrize(
    "command",
    ["GET session:1", "KEYS *", "FLUSHALL", "DEL session:1", "SAVE", "SHUTDOWN", "MONITOR",
     "EVAL return 0", "REPLICAOF NO ONE", "CLIENT KILL TYPE normal", "ACL LIST"],
)  # fmt: skip
async def test_neither_reads_a_value_nor_does_what_blocks_or_destroys(
    server: Valkey, admin, user: str, command: str
):
    asked = redis.asyncio.Redis.from_url(url(server, user).get_secret_value(), protocol=2)
    async with asked:
        with pytest.raises(redis.exceptions.NoPermissionError):
            await asked.execute_command(*command.split(" "))
