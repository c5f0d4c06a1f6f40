"""Every PromQL expression of the product, in one place.

`rules` has the slow form that an alert rule uses. The constants are the fast form that probes and
verifications poll, with a window of one minute: a five-minute rate still shows the past for five
minutes after a perfect fix. `within` gives the fast form another window.

Where no series means "none" (5xx, failures) the numerator has ``or vector(0)``; a denominator
never has, for no traffic is no data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from activities.words import Severity

JOB = 'job="pravado-api"'
FAST = "1m"
SLOW = "5m"


def within(expression: str, window: str) -> str:
    """Give the fast form another window, for a platform that is scraped more often."""
    return expression.replace(f"[{FAST}]", f"[{window}]")


def p95(metric: str, *, by: str = "", window: str = FAST) -> str:
    """95th percentile of a histogram, by `le` and, where asked, by one more label."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.95, sum by ({labels}) (rate({metric}_bucket{{{JOB}}}[{window}])))"


def api_p95(window: str = FAST) -> str:
    """Response time that 95 % of the requests stay under, in seconds."""
    return p95("http_request_duration_seconds", window=window)


def api_rate(window: str = FAST, *, offset: str = "") -> str:
    """Requests a second."""
    ago = f" offset {offset}" if offset else ""
    return f"sum(rate(http_requests_total{{{JOB}}}[{window}]{ago}))"


API_P95 = api_p95()
API_RATE = api_rate()
SLOWEST_ROUTES = f"topk(10, {p95('http_request_duration_seconds', by='route')})"
DATABASE_P95 = p95("db_query_duration_seconds", by="query_type")
LLM_P95 = p95("llm_request_duration_seconds", by="provider")
FAILING_SHARE = (
    f'(sum(rate(http_requests_total{{{JOB},status=~"5.."}}[{FAST}])) or vector(0)) / {API_RATE}'
)
MEMORY_BYTES = f"sum(process_resident_memory_bytes{{{JOB}}})"
MEMORY_SLOPE = f"sum(deriv(process_resident_memory_bytes{{{JOB}}}[30m]))"
"""Growth of the API's memory in bytes a second, over half an hour."""
DATABASE_CONNECTIONS = f"max(db_connections_active{{{JOB}}}) / max(db_connections_max{{{JOB}}})"
"""Connections of the whole server, of its maximum."""
DATABASE_DISK_FREE = (
    'min(node_filesystem_avail_bytes{job="database"} / node_filesystem_size_bytes{job="database"})'
)
"""Free share of the database's fullest disk, where its host is measured under that job."""
REDIS_UP = f"max(redis_up{{{JOB}}})"
"""1 while at least one API instance reaches Redis."""


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
    ours: tuple[str, ...] = field(default=("for",))


def rules(window: str = SLOW, hold: str | None = None) -> tuple[Rule, ...]:
    """The alert rules; a game day passes a shorter *window* and *hold*."""
    return (
        Rule(
            "HighAPILatency",
            f"{api_p95(window)} > 0.5 and {api_rate(window)} > 0.1",
            hold or "5m",
            Severity.WARNING,
            "pravado-api",
            "p95 latency is {{ $value | humanizeDuration }}",
            "high-api-latency-p95--500ms",
            ("for", "severity", "traffic floor"),
        ),
        Rule(
            "RedisConnectionFailure",
            f"{REDIS_UP} == 0",
            hold or "30s",
            Severity.CRITICAL,
            "redis",
            "no API instance reaches Redis",
            "redis-connection-failure",
            ("for", "severity", "expression"),
        ),
        Rule(
            "HighDatabaseConnections",
            f"{DATABASE_CONNECTIONS} > 0.8",
            hold or "2m",
            Severity.WARNING,
            "postgres",
            "{{ $value | humanizePercentage }} of the connections are used",
            "high-database-connections--80-of-max",
            ("for", "severity"),
        ),
    )
