"""Which dashboards a message of each alert leads to."""

import pytest

from tests.procedures.asking import consult
from workflows.procedures import PROCEDURES

SET = {
    "sentry": "https://sentry.io/pravado",
    "datadog": "https://app.datadoghq.com/apm/services/{service}?env={environment}",
    "stripe": "https://dashboard.stripe.com",
    "redis_unit": "",
}
NAMED = {
    "HighAPILatency": {"Datadog", "Sentry", "Supabase"},
    "CriticalAPILatency": {"Datadog", "Sentry", "Supabase", "Upstash", "Cloudflare", "Stripe"},
    "SlowDatabaseQueries": {"Supabase"},
    "HighAPIErrorRate": {"Datadog", "Sentry", "Supabase", "Upstash"},
    "CriticalAPIErrorRate": {"Datadog", "Sentry", "Supabase", "Upstash", "Cloudflare", "Stripe"},
    "DatabaseConnectionErrors": {"Supabase", "Cloudflare", "Stripe"},
    "HighCacheMissRatio": {"Upstash", "Supabase"},
    "RedisConnectionFailure": {"Upstash"},
    "RedisHighMemoryUsage": {"Upstash"},
    "SupabaseDown": {"Supabase", "Cloudflare", "Stripe"},
    "HighDatabaseConnections": {"Supabase"},
    "LLMProviderDown": {"OpenAI", "Anthropic"},
    "HighLLMCost": {"OpenAI", "Anthropic"},
    "LLMRateLimitExceeded": {"OpenAI", "Anthropic"},
    "HighPushNotificationFailureRate": {"Expo"},
    "ExpoPushServiceDown": {"Expo"},
    "APIDown": {"Supabase"},
    "DashboardDown": {"Cloudflare"},
    "HighCPUUsage": {"Datadog", "Supabase"},
    "HighMemoryUsage": set(),
    "DiskSpaceLow": set(),
}


def links(name: str, **given) -> dict[str, str]:
    facts = consult(name, **given).facts
    assert facts is not None
    return facts.links


@pytest.mark.parametrize("name", [each.__name__ for each in PROCEDURES])
def test_an_alert_leads_to_the_dashboards_of_what_its_procedure_looks_at(name):
    assert set(links(name, **SET)) == NAMED[name]


def test_what_is_not_configured_or_ours_is_not_linked():
    assert set(links("CriticalAPIErrorRate")) == {"Supabase", "Cloudflare"}
    assert links("RedisConnectionFailure") == {}, "a Redis of our own has no console at a provider"
    assert links("SlowDatabaseQueries", database_console="") == {}
