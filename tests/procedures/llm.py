"""What the probes find when something is wrong with the language models."""

from activities.llm_findings import Limits, Standing
from activities.llm_providers import ProviderLook
from activities.llm_usage import Spender, Spending
from activities.prometheus import Series, SeriesAnswer
from activities.status_pages import ProviderStatus
from tests.procedures.asking import plan
from tests.procedures.slow_api import instances, series, value

TITLE = {"openai": "OpenAI", "anthropic": "Anthropic"}


def look(provider: str, standing: Standing = Standing.ANSWERS, said: str = "", **more):
    about = {
        "model": "gpt-5.4-mini" if provider == "openai" else "claude-haiku-4-5",
        "said": said or ("" if standing is Standing.ANSWERS else f"it is {standing}"),
        "limits": Limits(requests=6000, requests_left=5990),
    }
    return ProviderLook(provider=provider, standing=standing, **about | more)


def page(provider: str, state: str = "operational", said: str = ""):
    url = f"https://status.{provider}.com"
    return ProviderStatus(provider=provider, state=state, said=said, url=url)


DOWN = {
    "openai": look("openai", Standing.DOWN, "OpenAI answered 503"),
    "anthropic": look("anthropic"),
    "openai_page": page("openai"),
    "anthropic_page": page("anthropic"),
    "failing": series("provider", openai=0.97, anthropic=0.0),
    "calls": series("provider", openai=2.0, anthropic=0.5),
    "instances": instances(),
}
"""OpenAI does not answer us nor the API, and Anthropic does."""


def down(given=None, labels=None, **found):
    named = {"provider": "openai"} if labels is None else labels
    return plan("LLMProviderDown", DOWN | found, labels=named, **(given or {}))


def switched(**environment: str):
    return instances(environment=environment)


def by_model(**shares: float) -> SeriesAnswer:
    """Shares of ``provider__model`` series."""
    made = (
        Series(labels={"provider": name, "model": "a-model"}, value=share)
        for name, share in shares.items()
    )
    return SeriesAnswer(series=tuple(made))


LIMITED = {
    **DOWN,
    "openai": look("openai", limits=Limits(requests=60, requests_left=0)),
    "failing": series("provider", openai=0.0, anthropic=0.0),
    "limited": by_model(openai=0.3, anthropic=0.0),
}
"""OpenAI refuses a third of the calls for their number, and Anthropic none."""


def limited(given=None, **found):
    return plan("LLMRateLimitExceeded", LIMITED | found, **(given or {}))


def spender(organization: str, day: float, limit: float | None = 20.0, **more):
    about = {"requests": 400, "cost_usd": day / 2, "day_usd": day, "limit_usd": limit}
    return Spender(organization=organization, **about | more)


COSTLY = {
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
        hours=1, total_usd=180.0, organizations=(spender("7", 160.0), spender("12", 3.0))
    ),
    "instances": instances(),
}
"""Organization 7 runs wild."""


def costly(given=None, **found):
    return plan("HighLLMCost", COSTLY | found, **(given or {}))
