"""Settings of the language models: providers, limits of spending, and the summary."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from activities.llm_clients import ANTHROPIC_URL, ANTHROPIC_VERSION, OPENAI_URL
from workers.sections import Section
from workers.values import Token, Web

_NOTHING = SecretStr("")
_MODEL = r"^[A-Za-z][\w.:/-]{0,99}$"


class OpenAiSettings(Section):
    """OpenAI, with a key of the responder's own in the platform's account."""

    key: SecretStr = _NOTHING
    model: str = Field(default="gpt-5.4-mini", pattern=_MODEL)
    """The one that the platform uses: another may answer while this is retired."""
    url: Web = OPENAI_URL
    organization: str = Field(default="", pattern=r"^[\w-]{0,100}$")
    project: str = Field(default="", pattern=r"^[\w-]{0,100}$")


class AnthropicSettings(Section):
    """Anthropic, with a key of the responder's own in the platform's account."""

    key: SecretStr = _NOTHING
    model: str = Field(default="claude-haiku-4-5", pattern=_MODEL)
    """The one that the platform's model is mapped to."""
    url: Web = ANTHROPIC_URL
    version: str = Field(default=ANTHROPIC_VERSION, pattern=r"^\d{4}-\d{2}-\d{2}$")


class LlmSettings(Section):
    """The language models."""

    openai: OpenAiSettings = OpenAiSettings()
    anthropic: AnthropicSettings = AnthropicSettings()
    throttle_url: Web = ""
    """The platform's endpoint that slows organizations down: …/internal/llm/throttle."""
    throttle_token: Token = _NOTHING
    daily_limit_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What an organization may spend in a day; without one, none is over its limit."""
    daily_limits_usd: dict[str, float] = Field(default_factory=dict)
    """By organization, where it is another."""
    summary: Literal["", "openai", "anthropic"] = ""
    """Who writes a summary into reports; empty: the template alone."""
    summary_model: str = Field(default="", pattern=rf"^$|{_MODEL}")
    """Empty: the provider's model above."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.throttle_url) is not bool(self.throttle_token.get_secret_value()):
            raise ValueError("throttle_url and throttle_token need each other")
        if self.summary and not getattr(self, self.summary).key.get_secret_value():
            raise ValueError(f"summary needs {self.summary}.key too")
        return self
