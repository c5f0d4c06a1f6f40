"""What an operator can set on the API by its environment, and what each instance makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from deploy.gameday.meters import PROVIDERS

SWITCHES = {
    "USE_IN_MEMORY_CACHE": "false",
    "DB_POOL_MAX": "4",
    "PLAN_POLICY_TTL_SECONDS": "3600",
    "LLM_TIMEOUT_MS": "30000",
    "LLM_ROUTING_STRATEGY": "costOptimized",
    "PUSH_QUEUEING": "false",
    "PUSH_RATE_PER_SECOND": "4",
    "PUSH_MINIMAL_PAYLOAD": "false",
}
"""How the API is set before anybody touches it."""

FORCED = "forcedProvider:"


@dataclass(frozen=True)
class Settings:
    """What the environment says, read once at the start."""

    port: int
    database_url: str
    redis_url: str
    in_memory_cache: bool
    pool_max: int
    llm_timeout_seconds: float
    provider: str
    plan_policy_ttl_seconds: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables; a wrong one ends the instance, as it would in production."""
        routing = environment.get("LLM_ROUTING_STRATEGY", "")
        provider = routing.removeprefix(FORCED) if routing.startswith(FORCED) else PROVIDERS[0]
        if provider not in PROVIDERS:
            message = f"LLM_ROUTING_STRATEGY names no provider: {routing}"
            raise ValueError(message)
        return cls(
            port=int(environment["PORT"]),
            database_url=environment["DATABASE_URL"],
            redis_url=environment["REDIS_URL"],
            in_memory_cache=environment.get("USE_IN_MEMORY_CACHE") == "true",
            pool_max=int(environment.get("DB_POOL_MAX") or 4),
            llm_timeout_seconds=int(environment.get("LLM_TIMEOUT_MS") or 30_000) / 1000,
            provider=provider,
            plan_policy_ttl_seconds=int(environment.get("PLAN_POLICY_TTL_SECONDS") or 3600),
        )
