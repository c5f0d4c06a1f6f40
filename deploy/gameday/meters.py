"""What one instance of the API measures of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

ROUTES = ("/api/orgs", "/api/users/{id}", "/api/dashboard", "/api/chat")
STATUSES = ("200", "500", "502", "503", "504")
PROVIDERS = ("openai", "anthropic")
QUERIES = ("select", "aggregate", "insert", "monitor")

_REQUEST_SECONDS = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_QUERY_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5)


class Meters:
    """The series of one instance; every counter is there at 0 before its first increment."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        request = ("method", "route", "status")
        self.request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the first byte of a request to its answer.",
            request,
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter(
            "http_requests", "Requests answered.", request, registry=self.registry
        )
        self.query_seconds = Histogram(
            "db_query_duration_seconds",
            "Time of a statement, the wait for a connection included.",
            ("query_type",),
            buckets=_QUERY_SECONDS,
            registry=self.registry,
        )
        self.llm_seconds = Histogram(
            "llm_request_duration_seconds",
            "Time of a completion.",
            ("provider",),
            registry=self.registry,
        )
        self.cache_requests = self._counter("cache_requests", "Look-ups in the cache.")
        self.cache_misses = self._counter("cache_misses", "Look-ups that found nothing.")
        self.redis_up = self._gauge("redis_up", "1 while this instance gets an answer from Redis.")
        self.sessions = self._gauge("db_connections_active", "Sessions of the whole server.")
        self.most_sessions = self._gauge("db_connections_max", "Sessions the server can have.")
        self.pool_size = self._gauge("db_pool_size", "Connections this instance holds.")
        self.pool_max = self._gauge("db_pool_max", "Connections this instance may hold.")
        self.pool_free = self._gauge("db_pool_available", "Of those held, the idle ones.")
        self.pool_waiting = self._gauge("db_pool_waiting", "Requests waiting for a connection.")
        for gauge in (self.redis_up, self.sessions, self.most_sessions):
            gauge.set(float("nan"))  # not measured yet is neither 0 nor healthy
        for route in ROUTES:
            for status in STATUSES:
                self.request_seconds.labels(_method(route), route, status)
                self.requests.labels(_method(route), route, status)
        for query in QUERIES:
            self.query_seconds.labels(query)
        for provider in PROVIDERS:
            self.llm_seconds.labels(provider)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        labels = (_method(route), route, str(status))
        self.request_seconds.labels(*labels).observe(seconds)
        self.requests.labels(*labels).inc()

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(name, about, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, registry=self.registry)


def _method(route: str) -> str:
    return "POST" if route == "/api/chat" or route.startswith("/internal/") else "GET"
