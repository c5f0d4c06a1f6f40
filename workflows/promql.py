"""Every PromQL expression of the product, in one place.

The constants are the fast form that probes and verifications poll, with a window of one minute: a
five-minute rate still shows the past for five minutes after a perfect fix. `within` gives the fast
form another window; `workflows.rules` has the slow form that an alert rule uses.

Where no series means "none" (5xx, failures) the numerator has ``or vector(0)``; a denominator
never has, for no traffic is no data.
"""

from __future__ import annotations

JOB = 'job="pravado-api"'
FAST = "1m"
SLOW = "5m"
PACE = "10m"
"""What a pace of spending is taken over: a single call says little."""


def within(expression: str, window: str, pace: str = PACE) -> str:
    """Give the fast form another window, for a platform that is scraped more often."""
    return expression.replace(f"[{FAST}]", f"[{window}]").replace(f"[{PACE}]", f"[{pace}]")


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
WELL_P95, WELL_FAILING = 0.5, 0.05
"""Under these traffic is well: the thresholds of the warnings."""


def well(slow_seconds: float = WELL_P95, failing: float = WELL_FAILING) -> str:
    """1 while traffic is under the warning thresholds, 0 while it is not, empty without any."""
    good = f"(({FAILING_SHARE}) < bool {failing:g}) * (({API_P95}) < bool {slow_seconds:g})"
    return f"{good} and {API_RATE} > 0.1"


def failing_throughout(seconds: float) -> str:
    """Smallest share of requests failing over that time; empty unless all of it was measured."""
    looks = 20
    over = f"[{seconds:g}s:{seconds / looks:g}s]"
    share = f"({FAILING_SHARE}){over}"
    return f"min_over_time({share}) and count_over_time({share}) >= {looks * 0.9:g}"


def succeeding_throughout(seconds: float) -> str:
    """Largest share of requests succeeding over that time; empty unless all of it was measured."""
    return f"1 - ({failing_throughout(seconds)})"


MEMORY_BYTES = f"sum(process_resident_memory_bytes{{{JOB}}})"
BUSIEST_ROUTES = (
    f"topk(10, sum by (route) (rate(http_request_duration_seconds_sum{{{JOB}}}[{FAST}])))"
)
"""Seconds a second that are spent in each route: its share of all instances' time."""
MEMORY_SLOPE = f"sum(deriv(process_resident_memory_bytes{{{JOB}}}[30m]))"
"""Growth of the API's memory in bytes a second, over half an hour."""
MEMORY_SLOPE_HOURS = f"sum(deriv(process_resident_memory_bytes{{{JOB}}}[3h]))"
"""The same over three hours: a leak goes on, load comes and goes."""
DATABASE_CONNECTIONS = f"max(db_connections_active{{{JOB}}}) / max(db_connections_max{{{JOB}}})"
"""Connections of the whole server, of its maximum."""
DATABASE_DISK_FREE = (
    'min(node_filesystem_avail_bytes{job="database"} / node_filesystem_size_bytes{job="database"})'
)
"""Free share of the database's fullest disk, where its host is measured under that job."""
REDIS_UP = f"max(redis_up{{{JOB}}})"
"""1 while at least one API instance reaches Redis."""
ERRORS_BY_STATUS = f'sum by (status) (rate(http_requests_total{{{JOB},status=~"5.."}}[{FAST}]))'
ERRORS_BY_ROUTE = (
    f'topk(10, sum by (status, route) (rate(http_requests_total{{{JOB},status=~"5.."}}[{FAST}])))'
)
"""Requests a second that fail."""
DATABASE_SLOWEST = f"max({DATABASE_P95})"
"""p95 of the slowest type of query, in seconds."""
DATABASE_RATE = f"sum(rate(db_query_duration_seconds_count{{{JOB}}}[{FAST}]))"
DATABASE_UP = f"max(db_up{{{JOB}}})"
"""1 while at least one API instance gets an answer to a SELECT."""
DATABASE_AWAY_SOMEWHERE = f"1 - min(db_up{{{JOB}}})"
"""1 while at least one API instance gets no answer to a SELECT."""
DATABASE_ERRORS = f"sum(rate(db_connection_errors_total{{{JOB}}}[{FAST}]))"
"""Connections a second that an API instance asked for and did not get."""
DATABASE_POOL = f"max(db_pool_in_use{{{JOB}}} / db_pool_max{{{JOB}}})"
"""Connections in use in the fullest pool, of those it may have."""
CACHE_RATE = f"sum(rate(cache_requests_total{{{JOB}}}[{FAST}]))"
CACHE_MISSES = f"sum(rate(cache_misses_total{{{JOB}}}[{FAST}])) / {CACHE_RATE}"
REDIS_MEMORY = (
    'max(redis_memory_used_bytes{job="redis"} / (redis_memory_max_bytes{job="redis"} > 0)'
    ' or redis_memory_used_bytes{job="redis"} / redis_total_system_memory_bytes{job="redis"})'
)
"""Memory in use, of maxmemory; without one, of the host's."""
LLM_CALLS = f"sum by (provider) (rate(llm_requests_total{{{JOB}}}[{FAST}]))"
LLM_RATE = f"sum(rate(llm_requests_total{{{JOB}}}[{FAST}]))"
LLM_FAILING = (
    f'(sum by (provider) (rate(llm_requests_total{{{JOB},status=~"5..|timeout|unreachable"}}'
    f"[{FAST}])) or 0 * {LLM_CALLS}) / ({LLM_CALLS} > 0)"
)
"""Share of each provider's calls that it did not answer; one that is not called has none."""


def llm_failing(provider: str) -> str:
    """Share of *provider*'s calls that it leaves unanswered or refuses, of late."""
    named = f'{JOB},provider="{provider}"'
    bad = f'rate(llm_requests_total{{{named},status=~"4..|5..|timeout|unreachable"}}[2m])'
    return f"(sum({bad}) or vector(0)) / {llm_calls(provider)}"


def llm_calls(provider: str) -> str:
    """Calls a second to *provider*; over a longer time, for a small share may be few."""
    return f'sum(rate(llm_requests_total{{{JOB},provider="{provider}"}}[2m]))'


def llm_p95(provider: str) -> str:
    """Time that 95 % of the calls to *provider* stay under, in seconds, over that same time."""
    each = p95("llm_request_duration_seconds", by="provider", window="2m")
    return each.replace(JOB, f'{JOB},provider="{provider}"')


LLM_FAILING_MOST = f"max({LLM_FAILING})"
_LLM_CALLS_BY = f"sum by (provider, model) (rate(llm_requests_total{{{JOB}}}[{FAST}]))"
LLM_LIMITED_BY = (
    f'(sum by (provider, model) (rate(llm_requests_total{{{JOB},status="429"}}[{FAST}]))'
    f" or 0 * {_LLM_CALLS_BY}) / ({_LLM_CALLS_BY} > 0)"
)
"""Share of the calls of each model that its provider refused for their number."""
LLM_LIMITED = (
    f'(sum(rate(llm_requests_total{{{JOB},status="429"}}[{FAST}])) or vector(0)) / {LLM_RATE}'
)
"""Share of calls that a provider refused for their number."""
LLM_COST = f"sum(rate(llm_cost_usd_total{{{JOB}}}[{PACE}])) * 3600"
"""Pace of spending, in dollars an hour."""
LLM_COST_BY = (
    "topk(10, sum by (provider, model, organization_id) "
    f"(rate(llm_cost_usd_total{{{JOB}}}[{PACE}])) * 3600)"
)
PUSH_RATE = f"sum(rate(push_notifications_total{{{JOB}}}[{FAST}]))"
PUSH_FAILING = (
    f"(sum(rate(push_notification_failures_total{{{JOB}}}[{FAST}])) or vector(0)) / {PUSH_RATE}"
)
PUSH_FAILURES_BY = f"sum by (error_type) (rate(push_notification_failures_total{{{JOB}}}[{FAST}]))"
EXPO_UP = f"max(expo_push_up{{{JOB}}})"
"""1 while at least one API instance can send a push notification."""
API_UP = f"sum(up{{{JOB}}})"
"""Instances that Prometheus can scrape."""
DASHBOARD_UP = 'max(probe_success{job="pravado-dashboard"})'
CPU_USED = (
    "max(1 - avg by (instance) "
    f'(rate(node_cpu_seconds_total{{job="api-host",mode="idle"}}[{FAST}])))'
)
MEMORY_USED = (
    'max(1 - node_memory_MemAvailable_bytes{job="api-host"}'
    ' / node_memory_MemTotal_bytes{job="api-host"})'
)
DISK_USED = (
    'max(1 - node_filesystem_avail_bytes{job="api-host",fstype!~"tmpfs|overlay|squashfs|ramfs"}'
    ' / node_filesystem_size_bytes{job="api-host",fstype!~"tmpfs|overlay|squashfs|ramfs"})'
)
"""Used share of the API host's fullest file system."""
DISK_FULL_IN = (
    'min(node_filesystem_avail_bytes{job="api-host",fstype!~"tmpfs|overlay|squashfs|ramfs"}'
    " / clamp_min(-deriv(node_filesystem_avail_bytes"
    '{job="api-host",fstype!~"tmpfs|overlay|squashfs|ramfs"}[30m]), 1)) / 3600'
)
"""Hours until that is full at the pace of the last half hour; huge where it is not filling."""
