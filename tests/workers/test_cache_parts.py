"""What is put together for Redis and the cache, from the settings alone."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError
from temporalio.testing import ActivityEnvironment

from activities.cache_warming import WarmUp
from activities.errors import NotConfigured, Refused
from activities.redis_cleaning import DeletePrefix
from activities.redis_config import SetEvictionPolicy
from activities.words import Nothing
from workers.cache_settings import CacheSettings
from workers.composition import compose
from workers.sections import RedisSettings
from workers.settings import Settings
from workflows.efforts import Queue
from workflows.procedures.base import Given, activity_name

REDIS = RedisSettings(url=SecretStr("redis://127.0.0.1:1/0"))


async def asked(settings: Settings, name: str, order: object, queue: Queue = Queue.CHANGES):
    async with compose(settings) as composition:
        [found] = [each for each in composition[queue] if activity_name(each) == name]
        return await ActivityEnvironment().run(found, order)


@pytest.mark.parametrize(
    ("name", "order", "setting"),
    [
        ("redis.set_eviction_policy.read", SetEvictionPolicy(), "RESPONDER_REDIS__URL"),
        ("redis.delete_prefix.read", DeletePrefix(prefix="tmp:"), "RESPONDER_REDIS__URL"),
        (
            "cache.warm_up.read",
            WarmUp(requested_at=datetime(2026, 11, 23, tzinfo=UTC)),
            "RESPONDER_CACHE__WARM_UP_URL",
        ),
    ],
)
async def test_what_is_not_set_up_says_by_which_setting_it_would_be(name, order, setting):
    with pytest.raises(NotConfigured, match=setting):
        await asked(Settings(), name, order)


async def test_without_disposable_prefixes_a_deletion_is_not_configured():
    with pytest.raises(NotConfigured, match="RESPONDER_GIVEN__REDIS_DISPOSABLE_PREFIXES"):
        await asked(Settings(redis=REDIS), "redis.delete_prefix.read", DeletePrefix(prefix="tmp:"))


async def test_the_prefixes_that_a_plan_may_name_are_those_that_may_be_deleted():
    settings = Settings(redis=REDIS, given=Given(redis_disposable_prefixes=("tmp:",)))

    with pytest.raises(Refused, match="session: is not among the disposable"):
        await asked(settings, "redis.delete_prefix.read", DeletePrefix(prefix="session:"))


async def test_redis_is_asked_on_the_queue_of_probes():
    with pytest.raises(NotConfigured):
        await asked(Settings(), "redis.memory", Nothing(), Queue.PROBES)


def test_an_endpoint_without_its_token_is_no_setting():
    with pytest.raises(ValidationError, match="warm_up_token"):
        CacheSettings(warm_up_url="https://api.example.com/internal/cache/warmup")
