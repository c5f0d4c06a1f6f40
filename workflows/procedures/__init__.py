"""The procedures, one class an alert, in runbook order."""

from __future__ import annotations

from workflows.procedures.api_performance import CriticalAPILatency, HighAPILatency
from workflows.procedures.base import Procedure
from workflows.procedures.cache import RedisConnectionFailure
from workflows.procedures.cache_misses import HighCacheMissRatio
from workflows.procedures.dashboard import DashboardDown
from workflows.procedures.database import HighDatabaseConnections, SupabaseDown
from workflows.procedures.disk_space import DiskSpaceLow
from workflows.procedures.error_rate import CriticalAPIErrorRate, HighAPIErrorRate
from workflows.procedures.error_rate_database import DatabaseConnectionErrors
from workflows.procedures.expo import ExpoPushServiceDown
from workflows.procedures.host_load import HighCPUUsage, HighMemoryUsage
from workflows.procedures.infrastructure import APIDown
from workflows.procedures.llm_cost import HighLLMCost
from workflows.procedures.llm_incidents import LLMProviderDown, LLMRateLimitExceeded
from workflows.procedures.push import HighPushNotificationFailureRate
from workflows.procedures.redis_memory import RedisHighMemoryUsage
from workflows.procedures.slow_queries import SlowDatabaseQueries

PROCEDURES: tuple[type[Procedure], ...] = (
    HighAPILatency,
    CriticalAPILatency,
    SlowDatabaseQueries,
    HighAPIErrorRate,
    CriticalAPIErrorRate,
    DatabaseConnectionErrors,
    HighCacheMissRatio,
    RedisConnectionFailure,
    RedisHighMemoryUsage,
    SupabaseDown,
    HighDatabaseConnections,
    LLMProviderDown,
    HighLLMCost,
    LLMRateLimitExceeded,
    HighPushNotificationFailureRate,
    ExpoPushServiceDown,
    APIDown,
    DashboardDown,
    HighCPUUsage,
    HighMemoryUsage,
    DiskSpaceLow,
)
