"""Puts together what asks Redis, changes it, and warms the platform's cache."""

from __future__ import annotations

import httpx

from activities.cache_warming import CacheWarming
from activities.changes import Targets
from activities.redis import Redis
from activities.redis_cleaning import RedisCleaning
from activities.redis_config import RedisConfig
from activities.redis_connection import RedisConnection
from activities.web import Web
from workers.parts import Parts
from workers.settings import Settings, variable


def cache(parts: Parts, settings: Settings, targets: Targets, http: httpx.AsyncClient) -> None:
    """Add Redis, and the endpoint that warms the cache."""
    _redis(parts, settings, targets)
    section = settings.cache
    if section.warm_up_url:
        token = section.warm_up_token
        web = Web(
            http,
            "the cache's warm-up",
            secrets=(token.get_secret_value(),),
            seconds=section.warm_up_seconds,
        )
        parts.add(CacheWarming(web, section.warm_up_url, token))
    else:
        parts.lack("the cache's warm-up", variable("cache", "warm_up_url"), CacheWarming)


def _redis(parts: Parts, settings: Settings, targets: Targets) -> None:
    url = settings.redis.url
    if not url.get_secret_value():
        parts.lack("Redis", variable("redis", "url"), Redis, RedisConfig, RedisCleaning)
        return
    redis, connection = Redis(url), RedisConnection(url)
    disposable = settings.given.redis_disposable_prefixes
    parts.add(
        redis,
        RedisConfig(connection, targets),
        RedisCleaning(connection, targets, disposable=disposable),
    )
    parts.checks["redis.ping"] = redis.ping_sample
