"""Runbook, "LLM Provider Incidents"."""

from __future__ import annotations

from activities.llm_findings import Limits, Standing
from activities.llm_providers import ProviderLook
from activities.llm_usage import Spender, Spending
from activities.prometheus import Series, SeriesAnswer
from activities.status_pages import ProviderStatus
from workflows.procedures.llm_cost import HighLLMCost
from workflows.procedures.llm_incidents import LLMProviderDown, LLMRateLimitExceeded
from workflows.situations.base import Situation, Situations
from workflows.situations.usual import instances, series, value

_MODELS = {"openai": "gpt-5.4-mini", "anthropic": "claude-haiku-4-5"}


def _look(provider: str, standing: Standing = Standing.ANSWERS, said: str = "") -> ProviderLook:
    limits = Limits(requests=6000, requests_left=5990)
    return ProviderLook.model_validate(
        {"provider": provider, "standing": standing, "model": _MODELS[provider], "said": said,
         "limits": limits}
    )  # fmt: skip


def _page(provider: str, state: str = "operational") -> ProviderStatus:
    url = f"https://status.{provider}.com"
    said = "All Systems Operational" if state == "operational" else "API: major outage"
    return ProviderStatus.model_validate(
        {"provider": provider, "state": state, "said": said, "url": url}
    )


def _spender(organization: str, *, day: float) -> Spender:
    return Spender(
        organization=organization, requests=400, cost_usd=day / 2, day_usd=day, limit_usd=20.0
    )


_DOWN = {
    "openai": _look("openai", Standing.DOWN, "OpenAI answered 503"),
    "anthropic": _look("anthropic"),
    "openai_page": _page("openai", "outage"),
    "anthropic_page": _page("anthropic"),
    "failing": series("provider", {"openai": 0.97, "anthropic": 0.0}),
    "calls": series("provider", {"openai": 2.0, "anthropic": 0.5}),
    "instances": instances(),
}
_LIMITED = _DOWN | {
    "openai": _look("openai"),
    "openai_page": _page("openai"),
    "failing": series("provider", {"openai": 0.0, "anthropic": 0.0}),
    "limited": SeriesAnswer(
        series=tuple(
            Series(labels={"provider": name, "model": _MODELS[name]}, value=share)
            for name, share in (("openai", 0.3), ("anthropic", 0.0))
        )
    ),
}
_BY_HAND = """\
curl -sS https://api.openai.com/v1/models -H "Authorization: Bearer $OPENAI_API_KEY" | head -c 300
curl -sS https://api.anthropic.com/v1/models -H "x-api-key: $ANTHROPIC_API_KEY" \\
     -H "anthropic-version: 2023-06-01" | head -c 300
# https://status.openai.com, https://status.anthropic.com; `export` alone changes nothing:
LLM_ROUTING_STRATEGY=forcedProvider:anthropic pm2 reload pravado-api --update-env
"""

SITUATIONS = (
    Situations(
        LLMProviderDown,
        _DOWN,
        (
            Situation("OpenAI is down, and Anthropic answers"),
            Situation("OpenAI is overloaded, which is not down", {
                "openai": _look("openai", Standing.OVERLOADED, "OpenAI answered 529"),
                "openai_page": _page("openai"),
            }),
            Situation("Both are down", {
                "anthropic": _look("anthropic", Standing.DOWN, "Anthropic answered 500"),
            }),
            Situation("The quota is used up: nothing flips by itself", {
                "openai": _look("openai", Standing.QUOTA, "insufficient_quota"),
            }),
            Situation("The key is refused", {
                "openai": _look("openai", Standing.CREDENTIALS, "invalid_api_key"),
            }),
        ),
        by_hand=_BY_HAND,
        labels={"provider": "openai"},
    ),
    Situations(
        HighLLMCost,
        {
            "cost": value(180.0),
            "shares": SeriesAnswer(
                series=(
                    Series(
                        labels={"provider": "openai", "model": "gpt-4", "organization_id": "7"},
                        value=160.0,
                    ),
                )
            ),
            "spending": Spending(
                hours=1,
                total_usd=180.0,
                organizations=(
                    _spender("7", day=190.0),
                    _spender("12", day=9.0),
                ),
            ),
            "instances": instances(),
        },
        (
            Situation("One organization is far over its daily limit"),
            Situation("Nobody is over a limit", {
                "spending": Spending(hours=1, total_usd=180.0, organizations=()),
            }),
            Situation("The pace has come down by itself", {"cost": value(12.0)}),
        ),
        by_hand="""\
psql "$DATABASE_URL" -c "SELECT organization_id, sum(cost_usd) FROM llm_request_logs
       WHERE created_at > now() - interval '1 hour' GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
LLM_MODEL=gpt-5.4-mini pm2 reload pravado-api --update-env   # cheaper answers for everybody
""",
    ),
    Situations(
        LLMRateLimitExceeded,
        _LIMITED,
        (
            Situation("OpenAI refuses a third of the calls, and Anthropic none"),
            Situation("Anthropic does not answer", {
                "anthropic": _look("anthropic", Standing.DOWN, "Anthropic answered 500"),
            }),
            Situation("The quota is used up, which waiting does not mend", {
                "openai": _look("openai", Standing.QUOTA, "insufficient_quota"),
            }),
        ),
        by_hand=_BY_HAND + """\
# 1, 2 and 4 seconds between three tries, and a queue:
LLM_MAX_TRIES=3 LLM_BACKOFF_MS=1000 LLM_REQUEST_QUEUE=true pm2 reload pravado-api --update-env
""",
    ),
)  # fmt: skip
