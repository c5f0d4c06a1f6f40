"""Which indicator explains which (PROCEDURES, "which alert explains which")."""

from __future__ import annotations

from collections.abc import Mapping

EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "SupabaseDown": (
        "DatabaseConnectionErrors",
        "DatabaseConnections",
        "SlowDatabaseQueries",
        "APIDown",
        "APILatency",
        "APIErrorRate",
    ),
    "DiskSpaceLow": ("APIDown", "RedisConnectionFailure"),
    "DatabaseConnections": ("DatabaseConnectionErrors",),
    "DatabaseConnectionErrors": ("APIErrorRate",),
    "RedisHighMemoryUsage": ("RedisConnectionFailure",),
    "RedisConnectionFailure": ("CacheMissRatio", "APILatency", "APIErrorRate"),
    "APIDown": ("APILatency", "APIErrorRate"),
    "LLMProviderDown": ("LLMRateLimitExceeded", "APILatency"),
    "SlowDatabaseQueries": ("APILatency",),
    "CPUUsage": ("APILatency",),
    "MemoryUsage": ("APILatency",),
    "ExpoPushServiceDown": ("PushNotificationFailureRate",),
}
"""Causes, the farthest-reaching first, each with its symptoms."""


def causes_of(indicator: str) -> tuple[str, ...]:
    """Name the indicators that explain *indicator*, the farthest-reaching first."""
    return tuple(cause for cause, symptoms in EXPLAINS.items() if indicator in symptoms)


def symptoms_of(indicator: str) -> tuple[str, ...]:
    """Name the indicators that *indicator* explains."""
    return EXPLAINS.get(indicator, ())
