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
    llm_failing_ratio: float = Field(default=0.2, gt=0, lt=1)
    """Of a small share of the calls, what the other provider may fail at before it gets all."""
    llm_first_percent: int = Field(default=10, ge=1, le=50)
    """The share of the calls that the other provider gets first."""
    llm_hold_seconds: float = Field(default=1800, ge=60, le=24 * 3600)
    """So long the first provider must have been well before calls go back to it."""
    llm_cheaper_model: str = Field(default="gpt-5.4-mini", pattern=r"^[a-z][a-z0-9.:-]{1,60}$")
    """What calls go to while they cost too much."""
    llm_tries: int = Field(default=3, ge=1, le=9)
    """How often a call is tried that was refused for its number."""
    llm_backoff_milliseconds: int = Field(default=1000, ge=100, le=60_000)
    """Waited before the second try, and twice as long before each one after it."""
    llm_throttled_per_minute: int = Field(default=6, ge=0, le=10_000)
    """Requests of an organization over its daily limit that still go through."""
    openai_console: str = "https://platform.openai.com"
    anthropic_console: str = "https://platform.claude.com"
    sentry: str = ""
    """Where people find slow transactions and errors."""
    datadog: str = ""
    """Where people find traces; it may say ``{service}`` and ``{environment}``, as all of these."""
    stripe: str = ""
    """Where people see payments, and which webhooks were turned away."""
    expo_console: str = "https://expo.dev"
    cloudflare_console: str = "https://dash.cloudflare.com"
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
    supabase_project: str = Field(default="", max_length=100)
    """Reference of the project, for letters to Supabase's support."""
    idle_in_transaction_seconds: float = 300
    """A session that idles in a transaction for so long may be ended when the pool is exhausted."""
    pool_size_recover: int = 50
    """What an exhausted pool is raised to, within what the database leaves."""
    connect_timeout_milliseconds: int = Field(default=5000, ge=1000, le=60_000)
    """What a pool waits for a connection while it is exhausted."""
    database_backup: str = Field(default="", pattern=r"^([a-z][a-z0-9-]{0,30})?$")
    """Name of the prepared connection string of the backup database; empty: there is none."""
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
    disk_full_ratio: float = Field(default=0.02, ge=0, le=0.1)
    """With less of a disk free an API that is down gets room before it is restarted."""
    log_max_size: str = Field(default="50M", pattern=r"^[1-9]\d{0,4}[KMG]$")
    """Where a log is cut once rotation is switched on."""
    log_retain: int = Field(default=7, ge=1, le=1000)
    """How many of them are kept."""
    runaway_percent: float = Field(default=90, gt=0, le=100)
    """Of one processor: an instance that takes more while the others take half is a runaway."""
    node_heap_megabytes: int = Field(default=4096, ge=256, le=262_144)
    """The heap limit that instances get where theirs is too small and the host has the memory."""
    push_dead_most_ratio: float = Field(default=0.01, gt=0, le=0.5)
    """Of all push tokens: where more are dead, the credentials are suspected and a person asked."""
    push_drain_per_second: float = Field(default=100, ge=1, le=500)
    """Queued push notifications that are sent a second, at most."""
    push_urgent_emails_most: int = Field(default=500, ge=1, le=5000)
    """Urgent notifications that one step sends by e-mail."""
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
