"""Settings of what is looked at from outside: status pages, and the ways of a user."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from activities.status_pages import COMPONENTS, PAGES, PROVIDERS
from workers.sections import Section
from workers.values import Web


class StatusPagesSettings(Section):
    """The providers' status pages, and which of their components matter here."""

    urls: dict[str, Web] = Field(default_factory=dict)
    """By provider: supabase, openai, anthropic, expo, cloudflare, upstash; empty: not asked."""
    components: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By provider, words of the components' names as their page writes them."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in (*self.urls, *self.components):
            if name not in PROVIDERS:
                raise ValueError(f"{name} is no provider; there are {', '.join(PROVIDERS)}")
        return self

    @property
    def pages(self) -> dict[str, str]:
        """The address of each page, the usual one where none is set."""
        return PAGES | self.urls

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The components that matter, the usual ones where none are set."""
        return COMPONENTS | self.components
