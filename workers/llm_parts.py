"""Puts together what is asked of the language models' providers, and of who uses them."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx

from activities.changes import Targets
from activities.llm_clients import Anthropic, LlmClient, OpenAI
from activities.llm_findings import Provider
from activities.llm_providers import LlmProviders
from activities.llm_summary import LlmSummary
from activities.llm_throttle import LlmThrottle
from activities.llm_usage import LlmUsage
from activities.postgres_connection import Database
from activities.verification import Sample
from workers.llm_settings import LlmSettings
from workers.looks import Check
from workers.parts import Parts
from workers.settings import Settings, variable

_SUMMARY_SECONDS = 12.0
"""A model takes longer over sentences than over a word."""


async def language_models(
    parts: Parts,
    settings: Settings,
    targets: Targets,
    http: httpx.AsyncClient,
    stack: AsyncExitStack,
) -> None:
    """Add the providers, the log of what is spent, the throttle, and the writer of summaries."""
    section = settings.llm
    found = llm_clients(section, http)
    providers = LlmProviders(found.values())
    parts.add(providers)
    for name in ("openai", "anthropic"):
        parts.checks[f"llm.{name}"] = _check(providers, name)
    if settings.postgres.dsn.get_secret_value():
        database = await stack.enter_async_context(Database(settings.postgres.dsn))
        limits = section.daily_limits_usd
        parts.add(LlmUsage(database, limit_usd=section.daily_limit_usd, limits=limits))
    else:
        parts.lack("PostgreSQL", variable("postgres", "dsn"), LlmUsage)
    if section.throttle_url:
        url, token = section.throttle_url, section.throttle_token
        parts.add(LlmThrottle(http, url, token, targets=targets))
    else:
        parts.lack("the platform's throttle", variable("llm", "throttle_url"), LlmThrottle)
    writers = llm_clients(section, http, section.summary_model, _SUMMARY_SECONDS)
    parts.add(LlmSummary(writers.get(section.summary)))


def llm_clients(
    section: LlmSettings, http: httpx.AsyncClient, model: str = "", seconds: float = 0.0
) -> dict[str, LlmClient]:
    """Make the client of each provider that has a key."""
    patience = {"seconds": seconds} if seconds else {}
    clients: dict[str, LlmClient] = {}
    openai, anthropic = section.openai, section.anthropic
    if openai.key.get_secret_value():
        clients["openai"] = OpenAI(
            http,
            openai.key,
            model or openai.model,
            url=openai.url,
            organization=openai.organization,
            project=openai.project,
            **patience,
        )
    if anthropic.key.get_secret_value():
        clients["anthropic"] = Anthropic(
            http,
            anthropic.key,
            model or anthropic.model,
            url=anthropic.url,
            version=anthropic.version,
            **patience,
        )
    return clients


def _check(providers: LlmProviders, name: Provider) -> Check:
    async def check() -> Sample:
        return await providers.sample(name)

    return check
