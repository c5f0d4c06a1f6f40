"""The alert rules: what fires each of the runbook's 21 alerts.

Each asks the same as the condition of its procedure, over a longer window. What the runbook does
not say is named in `Rule.ours`. The severities of its own are those of its table "Incident
Severity Levels", whose examples name some alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from activities.words import Severity
from workflows import promql
from workflows.promql import SLOW

WATCHDOG = "Watchdog"
PAGE_NOT_PROVEN = "PageNotProven"
PROVEN_FOR = 26 * 3600
"""Seconds after which a test page that was acknowledged proves nothing any more."""
"""Fires for ever: where it falls silent, the way from Prometheus to people is broken."""
_HOUR = "1h"
_FLOOR = "0.1"
"""Requests a second under which a ratio or a quantile says nothing."""


@dataclass(frozen=True)
class Rule:
    """One alert rule; *ours* names what is not the runbook's."""

    alert: str
    expression: str
    hold: str
    severity: Severity
    service: str
    summary: str
    section: str
    ours: tuple[str, ...]
    team: str = "backend"


@dataclass(frozen=True)
class Recording:
    """One recording rule: what several alert rules ask for, asked once, under a name."""

    record: str
    expression: str


# Named as Prometheus recommends, level:metric:operations, the window at the end. The level `job`
# is true of all that is taken over one job alone.
_RECORDED = {
    "job:http_requests:rate": promql.API_RATE,
    "job:http_request_duration_seconds:p95_rate": promql.API_P95,
    "job:http_requests_failing_per_requests:ratio_rate": promql.FAILING_SHARE,
    "job:cache_requests:rate": promql.CACHE_RATE,
    "provider:llm_requests:rate": promql.LLM_CALLS,
    "job:llm_requests:rate": promql.LLM_RATE,
    "job:push_notifications:rate": promql.PUSH_RATE,
}


def recordings(window: str = SLOW) -> tuple[Recording, ...]:
    """Give the recording rules, each made of those before it."""
    found: list[Recording] = []
    for name, expression in _RECORDED.items():
        over = promql.within(expression, window)
        found.append(Recording(f"{name}{window}", by_name(over, found)))
    return tuple(found)


def by_name(expression: str, recorded: Sequence[Recording]) -> str:
    """Write *expression* with the names of what is recorded."""
    for each in recorded:
        expression = expression.replace(each.expression, each.record)
    return expression


def rules(window: str = SLOW, hold: str | None = None, hour: str = _HOUR) -> tuple[Rule, ...]:
    """Give the alert rules, in runbook order.

    Args:
        window: What rates are taken over; a game day takes a shorter one.
        hold: How long an expression is true before it is an alert; each rule's own when left out.
        hour: What spending is summed over; a game day takes a shorter one.
    """
    busy = f" and {promql.API_RATE} > {_FLOOR}"
    chosen = (
        Rule(
            "HighAPILatency", f"{promql.API_P95} > 0.5{busy}", "5m", Severity.WARNING,
            "pravado-api", "p95 latency is {{ $value | humanizeDuration }}",
            "high-api-latency-p95--500ms", ("for", "traffic floor"),
        ),
        Rule(
            "CriticalAPILatency", f"{promql.API_P95} > 2{busy}", "2m", Severity.CRITICAL,
            "pravado-api", "p95 latency is {{ $value | humanizeDuration }}",
            "critical-api-latency-p95--2s", ("for", "traffic floor"),
        ),
        Rule(
            "SlowDatabaseQueries",
            f"{promql.DATABASE_SLOWEST} > 1 and {promql.DATABASE_RATE} > {_FLOOR}", "5m",
            Severity.WARNING, "postgres",
            "p95 of the slowest type of query is {{ $value | humanizeDuration }}",
            "slow-database-queries",
            ("for", "severity", "threshold", "expression", "traffic floor"),
        ),
        Rule(
            "HighAPIErrorRate", f"{promql.FAILING_SHARE} > 0.05{busy}", "2m", Severity.WARNING,
            "pravado-api", "{{ $value | humanizePercentage }} of the requests fail",
            "high-api-error-rate--5", ("for", "traffic floor"),
        ),
        Rule(
            "CriticalAPIErrorRate", f"{promql.FAILING_SHARE} > 0.2{busy}", "1m",
            Severity.CRITICAL, "pravado-api",
            "{{ $value | humanizePercentage }} of the requests fail",
            "critical-api-error-rate--20", ("for", "traffic floor"),
        ),
        Rule(
            "DatabaseConnectionErrors", f"{promql.DATABASE_ERRORS} > 0.1", "1m",
            Severity.CRITICAL, "postgres",
            '{{ $value | printf "%.2f" }} connections a second are asked for in vain',
            "database-connection-errors", ("for", "severity", "threshold", "expression"),
        ),
        Rule(
            "HighCacheMissRatio",
            f"{promql.CACHE_MISSES} > 0.5 and {promql.CACHE_RATE} > {_FLOOR}", "15m",
            Severity.INFO, "redis",
            "{{ $value | humanizePercentage }} of the look-ups find nothing",
            "high-cache-miss-ratio--50", ("for", "traffic floor"),
        ),
        Rule(
            "RedisConnectionFailure", f"{promql.REDIS_UP} == 0", "30s", Severity.CRITICAL,
            "redis", "no API instance reaches Redis: redis_up is {{ $value }}",
            "redis-connection-failure", ("for", "severity", "expression"),
        ),
        Rule(
            "RedisHighMemoryUsage", f"{promql.REDIS_MEMORY} > 0.9", "5m", Severity.WARNING,
            "redis", "Redis uses {{ $value | humanizePercentage }} of its memory",
            "redis-high-memory-usage--90", ("for", "severity", "expression"),
        ),
        Rule(
            "SupabaseDown", f"{promql.DATABASE_UP} == 0", "30s", Severity.CRITICAL, "postgres",
            "no API instance gets an answer from the database: db_up is {{ $value }}",
            "supabase-down", ("for", "expression"),
        ),
        Rule(
            "HighDatabaseConnections", f"{promql.DATABASE_CONNECTIONS} > 0.8", "2m",
            Severity.WARNING, "postgres",
            "{{ $value | humanizePercentage }} of the connections are used",
            "high-database-connections--80-of-max", ("for", "severity"),
        ),
        Rule(
            "LLMProviderDown", f"{promql.LLM_FAILING} > 0.5 and {promql.LLM_CALLS} > 0.05", "1m",
            Severity.CRITICAL, "llm",
            "{{ $labels.provider }} leaves {{ $value | humanizePercentage }} of the calls "
            "unanswered",
            "llm-provider-down", ("for", "severity", "threshold", "expression", "traffic floor"),
        ),
        Rule(
            "HighLLMCost", f"{promql.LLM_COST} > 50", "1m", Severity.WARNING, "llm",
            '{{ $value | printf "%.2f" }} dollars were spent on models in an hour',
            "high-llm-costs--50hour", ("for", "severity"),
        ),
        Rule(
            "LLMRateLimitExceeded",
            f"{promql.LLM_LIMITED} > 0.01 and {promql.LLM_RATE} > 0.05", "5m",
            Severity.WARNING, "llm",
            "{{ $value | humanizePercentage }} of the calls to models are refused for their number",
            "llm-rate-limit-exceeded",
            ("for", "severity", "threshold", "expression", "traffic floor"),
        ),
        Rule(
            "HighPushNotificationFailureRate",
            f"{promql.PUSH_FAILING} > 0.2 and {promql.PUSH_RATE} > 0.05", "5m",
            Severity.WARNING, "push",
            "{{ $value | humanizePercentage }} of the push notifications fail",
            "push-notification-failures--20", ("for", "severity", "traffic floor"), "mobile",
        ),
        Rule(
            "ExpoPushServiceDown", f"{promql.EXPO_UP} == 0", "1m", Severity.CRITICAL, "push",
            "no push notification can be sent: expo_push_up is {{ $value }}",
            "expo-push-service-down", ("for", "severity", "expression"), "mobile",
        ),
        Rule(
            # Where an instance is gone for good, it has no `up` at all.
            "APIDown", f"({promql.API_UP} or vector(0)) < 1", "30s", Severity.CRITICAL,
            "pravado-api", "{{ $value }} instances of the API answer Prometheus",
            "api-down", ("for", "expression"),
        ),
        Rule(
            "DashboardDown", f"{promql.DASHBOARD_UP} == 0", "1m", Severity.CRITICAL, "dashboard",
            "the dashboard does not answer from outside: probe_success is {{ $value }}",
            "dashboard-down", ("for", "severity", "expression"), "frontend",
        ),
        Rule(
            "HighCPUUsage", f"{promql.CPU_USED} > 0.8", "10m", Severity.WARNING, "pravado-api",
            "{{ $value | humanizePercentage }} of the API host's CPU is used",
            "high-cpu-usage--80", ("for", "severity", "expression"),
        ),
        Rule(
            "HighMemoryUsage", f"{promql.MEMORY_USED} > 0.85", "5m", Severity.WARNING,
            "pravado-api", "{{ $value | humanizePercentage }} of the API host's memory is used",
            "high-memory-usage--85", ("for", "severity", "expression"),
        ),
        Rule(
            "DiskSpaceLow", f"{promql.DISK_USED} > 0.9", "2m", Severity.CRITICAL, "pravado-api",
            "{{ $value | humanizePercentage }} of a disk of the API host is used",
            "disk-space-critically-low--10", ("for", "severity", "expression"),
        ),
    )  # fmt: skip
    return tuple(
        replace(
            each,
            expression=promql.within(each.expression, window, hour),
            hold=hold or each.hold,
        )
        for each in chosen
    )
