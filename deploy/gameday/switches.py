"""What an operator can set on the API by its environment, and what each instance makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

SWITCHES = {
    "USE_IN_MEMORY_CACHE": "false",
    "DB_POOL_MAX": "4",
    "DB_CONNECT_TIMEOUT_MS": "2000",
    "DATABASE_PROFILE": "primary",
    "PLAN_POLICY_TTL_SECONDS": "3600",
    "SERVE_CACHED": "false",
    "LLM_TIMEOUT_MS": "30000",
    "LLM_ROUTING_STRATEGY": "costOptimized",
    "LLM_MODEL": "gpt-4",
    "LLM_MAX_TRIES": "1",
    "LLM_BACKOFF_MS": "1000",
    "LLM_REQUEST_QUEUE": "false",
    "NON_CRITICAL_LLM_OFF": "false",
    "NODE_HEAP_MB": "2048",
    "PUSH_QUEUEING": "false",
    "PUSH_RATE_PER_SECOND": "4",
    "PUSH_MINIMAL_PAYLOAD": "false",
}
"""How the API is set before anybody touches it."""

_URL = "DATABASE_URL"
_URLS = {"primary": _URL, "backup": "DATABASE_URL_BACKUP"}
"""Where the connection string of each database stands: a switch only ever names one."""


@dataclass(frozen=True)
class Settings:
    """What the environment says, read once at the start."""

    port: int
    database_url: str
    redis_url: str
    in_memory_cache: bool
    pool_max: int
    connect_timeout_seconds: float
    plan_policy_ttl_seconds: int
    serve_cached: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables; a wrong one ends the instance, as it would in production."""
        return cls(
            port=int(environment["PORT"]),
            database_url=environment[_URLS.get(environment.get("DATABASE_PROFILE", ""), _URL)],
            redis_url=environment["REDIS_URL"],
            in_memory_cache=environment.get("USE_IN_MEMORY_CACHE") == "true",
            pool_max=int(environment.get("DB_POOL_MAX") or 4),
            connect_timeout_seconds=int(environment.get("DB_CONNECT_TIMEOUT_MS") or 2000) / 1000,
            plan_policy_ttl_seconds=int(environment.get("PLAN_POLICY_TTL_SECONDS") or 3600),
            serve_cached=environment.get("SERVE_CACHED") == "true",
        )
