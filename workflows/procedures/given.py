"""What the settings tell the procedures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from activities.switches import DECLARED, Switch
from activities.words import Order

KeyPrefix = Annotated[str, StringConstraints(pattern=r"^[^\s*?\[\]\\^]{2,99}[:/._-]$")]
"""The beginning of keys' names, up to a separator: none that could mean every key."""
_WINDOW = r"^[1-9]\d{0,5}[smhd]$"


class Given(Order):
    """What the settings tell every procedure: names, limits, and what is declared."""

    app: str = "pravado-api"
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Overrides of "recovered when", by alert."""
    fast_window: str = Field(default="1m", pattern=_WINDOW)
    """What probes and verifications take rates over: at least four scrapes."""
    pace_window: str = Field(default="10m", pattern=_WINDOW)
    """What the pace of spending is taken over."""
    redis_unit: str = "redis"
    """Empty where Redis is managed by a provider."""
    redis_persists: bool = False
    """Declared: Redis writes its data to disk and reads it back at start."""
    redis_cache_only: bool = False
    """Declared: nothing in Redis is missed when it is gone."""
    redis_console: str = "https://console.upstash.com"
    """Where people see how a managed Redis is."""
    replicas_high: int = 5
    replicas_critical: int = 10
    replicas_most: int = 12
    pool_size: int = 20
    """Connections that one API instance may open where no switch says otherwise."""
    pool_size_most: int = 100
    connections_reserve: int = 10
    """Connections that stay free for people and for us."""
    database_slow_seconds: float = 0.5
    database_console: str = "https://app.supabase.com"
    """Where people see the database's performance."""
    database_on_api_host: bool = False
    """Declared: the database's data are on the disk of the API's host."""
    old_transaction_seconds: float = 300
    """No index is made while a transaction has been open for so long."""
    disk_free_ratio: float = Field(default=0.2, ge=0.2, le=1)
    """No index is made with less of the database's disk free."""
    llm_slow_seconds: float = 8.0
    llm_timeout_milliseconds: int = Field(default=10_000, ge=1000, le=600_000)
    """The time-out that is set while a provider is slow, where the present one is longer."""
    sentry: str = ""
    """Where people find slow transactions and errors."""
    datadog: str = ""
    """Where people find traces."""
    stripe: str = ""
    expo_console: str = "https://expo.dev"
    cloudflare_console: str = "https://dash.cloudflare.com"
    dashboard_recent_minutes: float = Field(default=60, gt=0)
    """A deployment of the dashboard is suspected when it came so shortly before the alert."""
    dashboard_proven_minutes: float = Field(default=30, ge=0)
    """So long an earlier one was live before the next: it is then a way back."""
    spike_ratio: float = 1.5
    """So many times the rate of an hour ago is a spike."""
    baseline_offset: str = Field(default="1h", pattern=_WINDOW)
    memory_high_ratio: float = 0.85
    memory_growth_ratio: float = 0.2
    """So much of itself the API's memory may grow an hour before it counts as growing."""
    load_high_ratio: float = 0.9
    """Of the load for each processor of the API's host."""
    long_statement_seconds: float = 60
    rollback_within_minutes: float = Field(default=60, gt=0, le=24 * 60)
    """A release that was deployed no longer before the alert may be its cause."""
    rollback_healthy_minutes: float = Field(default=30, gt=0, le=8 * 60)
    """Of traffic under the warning thresholds: a release that carried them ran healthily."""
    outage_seconds: float = Field(default=300, ge=60, le=3600)
    """Fewer than half of the requests succeeding for so long is an outage."""
    maintenance_message: str = Field(
        default="We are working on it. Your data are safe; please try again in a few minutes.",
        min_length=1,
        max_length=500,
    )
    """What users read on the maintenance page."""
    maintenance_minutes: float = Field(default=30, ge=2, le=24 * 60)
    """The maintenance page ends by itself after these, unless it is renewed."""
    maintenance_stages: tuple[float, ...] = (0.1, 0.5, 1.0)
    """Shares of the users that are let through one after the other."""
    maintenance_checks: tuple[str, ...] = Field(default=("flows.all",), min_length=1)
    """What recovery is measured by behind the page: user flows by its bypass header."""
    redis_disposable_prefixes: tuple[KeyPrefix, ...] = ()
    """Declared: keys whose names begin so are missed by nobody, and may be deleted for room."""
    redis_young_seconds: float = Field(default=3600, gt=0)
    """A Redis that has run no longer than this may have lost its keys by its restart."""
    cache_ttl_seconds: int = Field(default=86_400, ge=1, le=9_999_999)
    """How long plan policies are cached where they are missed too often: they change rarely."""
    warm_up_most_database: float = Field(default=0.6, gt=0, le=0.8)
    """Share of the database's connections from which on no cache is warmed: it costs queries."""
    runbook: str = ""
    """Address of the runbook that people read; its sections are linked where it is set."""
    variables: dict[Switch, str] = Field(default_factory=dict)
    """Environment variables of the switches, where they have other names than usual."""
    defaults: dict[Switch, str] = Field(default_factory=dict)
    """What a switch is where its variable is not set, where that is not the usual."""

    def variable(self, switch: Switch) -> str:
        """Name the environment variable of *switch*."""
        return self.variables.get(switch, DECLARED[switch].variable)

    def default(self, switch: Switch) -> str:
        """Say what *switch* is where its variable is not set."""
        if switch is Switch.DATABASE_POOL_MAX and switch not in self.defaults:
            return str(self.pool_size)
        return self.defaults.get(switch, DECLARED[switch].default)
