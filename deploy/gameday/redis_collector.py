"""How much of its memory Redis uses, as redis_exporter tells it."""

from prometheus_client import Gauge
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from deploy.gameday.collector import Collector, Settings

_SECONDS = 0.8
"""Less than Prometheus waits."""


class RedisMemory(Collector):
    """The job "redis": memory in use, its limit (0 without one), and the host's."""

    job = "redis"
    path = "/redis"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._redis = Redis(
            port=settings.redis_port,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._gauges = {
            name: Gauge(series, about, registry=self.registry)
            for name, series, about in (
                ("used_memory", "redis_memory_used_bytes", "Memory in use."),
                ("maxmemory", "redis_memory_max_bytes", "The limit of it; 0 is none."),
                (
                    "total_system_memory",
                    "redis_total_system_memory_bytes",
                    "Memory of the whole host.",
                ),
            )
        }

    async def look(self) -> None:
        """Read INFO; without an answer there are no series."""
        info = await self._redis.info("memory")
        for name, gauge in self._gauges.items():
            gauge.set(float(info[name]))

    async def close(self) -> None:
        """Drop the connection."""
        await self._redis.aclose()
