"""Settings of the platform's cache, beside those of Redis."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from workers.sections import Section
from workers.values import Web


class CacheSettings(Section):
    """The platform's internal endpoint that warms its cache."""

    warm_up_url: Web = ""
    """As https://api.example.com/internal/cache/warmup."""
    warm_up_token: SecretStr = SecretStr("")
    """What it is shown as a bearer token."""
    warm_up_seconds: float = Field(default=60.0, gt=0, le=100)
    """Given to one answer."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.warm_up_url and not self.warm_up_token.get_secret_value():
            raise ValueError("warm_up_url needs warm_up_token too")
        return self
