"""The pages on which people see what a procedure looks at, as far as the settings name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workflows.procedures.given import Given
from workflows.procedures.probes import Probe

_ROUTES = frozenset({"routes", "by_route"})
"""Keys of the probes after which somebody wants to see single requests."""
_SYSTEMS = (
    ("sentry.", "Sentry", "sentry"),
    ("postgres.", "Supabase", "database_console"),
    ("redis.", "Upstash", "redis_console"),
    ("llm.", "OpenAI", "openai_console"),
    ("llm.", "Anthropic", "anthropic_console"),
    ("expo.", "Expo", "expo_console"),
    ("pages.", "Cloudflare", "cloudflare_console"),
    ("maintenance.", "Cloudflare", "cloudflare_console"),
    # Its webhooks are turned away while the maintenance page is on.
    ("maintenance.", "Stripe", "stripe"),
)
"""Of what begins so a probe asks; the page's name; the setting with its address."""


def dashboards(probes: Iterable[Probe[Any]], given: Given) -> dict[str, str]:
    """Name the pages of the systems that *probes* ask, with their addresses."""
    asked, found = list(probes), {}
    if given.datadog and any(probe.key in _ROUTES for probe in asked):
        found["Datadog"] = given.datadog
    for system, name, setting in _SYSTEMS:
        ours = name == "Upstash" and given.redis_unit
        address = "" if ours else str(getattr(given, setting))
        if address and any(probe.activity.startswith(system) for probe in asked):
            found[name] = address
    return found
