"""The platform's cache: warmed on order, once, and of use only while stable data stay in it."""

from datetime import UTC, datetime

import httpx
import pytest
import redis.asyncio
from pydantic import SecretStr

from activities.cache_warming import CacheWarming, WarmUp
from activities.errors import Refused, Throttled
from activities.web import Web
from deploy.gameday.cache import SHORT_LIVED
from deploy.gameday.cached_routes import USERS, WARM_UP
from tests.activities.attempts import run
from tests.gameday.watching import fires, ordered, rests, until


def order() -> WarmUp:
    return WarmUp(requested_at=datetime.now(UTC), keys_a_second=200)


async def warm(platform, what: WarmUp, token: str = ""):
    secret = SecretStr(token or platform.warm_up_token)
    async with httpx.AsyncClient(trust_env=False) as http:
        web = Web(http, "the warm-up", secrets=(secret.get_secret_value(),), seconds=20)
        warming = CacheWarming(web, f"{platform.api_url}{WARM_UP}", secret)
        before = await run(warming.warm_up_read, what)
        return await run(warming.warm_up, what, before)


async def patiently(platform, what: WarmUp):
    """Warm up as the responder does, which tries again after what it is told to wait."""

    async def asked():
        try:
            await warm(platform, what)
        except Throttled as throttled:
            return throttled
        return None

    await until(asked)
    return await warm(platform, what)


async def test_a_flushed_cache_is_filled_by_a_warm_up_and_a_second_order_is_the_first_one(platform):
    async with redis.asyncio.Redis.from_url(platform.redis_url) as client:
        what = order()
        await client.flushdb()
        done = await patiently(platform, what)
        names = set(await client.keys())
        await client.delete("user:1")
        again = await warm(platform, what)
        filled_again = await client.exists("user:1")

    assert {b"orgs", b"dashboard", *(f"user:{n}".encode() for n in range(1, USERS + 1))} <= names
    assert done.said == again.said == f"the cache was warmed: {USERS + 2} keys"
    assert done.changed
    assert not filled_again, "given twice it is carried out once"


async def test_another_order_at_once_has_to_wait(platform):
    await patiently(platform, order())

    with pytest.raises(Throttled) as throttled:
        await warm(platform, order())

    assert throttled.value.next_retry_delay is not None
    assert 0 < throttled.value.next_retry_delay.total_seconds() <= 5


async def test_without_the_token_nothing_is_warmed(platform):
    with pytest.raises(Refused, match="401"):
        await warm(platform, order(), token="somebody-elses-token")


async def test_without_a_key_of_idempotency_it_is_not_done(platform):
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{platform.api_url}{WARM_UP}",
            headers={"Authorization": f"Bearer {platform.warm_up_token}"},
        )

    assert answer.status_code == 400


async def test_stable_data_that_die_young_are_missed_until_they_live_longer(platform):
    await until(rests, platform, "HighCacheMissRatio")
    platform.faults.put(SHORT_LIVED, "200")
    await until(fires, platform, "HighCacheMissRatio")

    live = "env PLAN_POLICY_TTL_SECONDS={} pm2 reload pravado-api --update-env"
    await ordered(platform, live.format(86400))
    await until(rests, platform, "HighCacheMissRatio")

    platform.faults.mend(SHORT_LIVED)
    await ordered(platform, live.format(3600))


async def test_a_redis_that_is_nearly_full_is_noticed_until_it_is_emptied(platform):
    await platform.fill_redis("export:")
    await until(fires, platform, "RedisHighMemoryUsage")
    assert any("of its memory" in reason for reason in await platform.healthy())

    await platform.empty_redis("export:")
    await until(rests, platform, "RedisHighMemoryUsage")
    async with redis.asyncio.Redis.from_url(platform.redis_url) as client:
        assert not await client.keys("export:*")
