"""Settings of what is looked at from outside: status pages, and the ways of a user."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from activities.public_page import STATUSPAGE_URL
from activities.status_pages import COMPONENTS, PAGES, PROVIDERS
from activities.synthetic import Flow
from workers.sections import Section
from workers.values import Web

PageComponent = Annotated[str, Field(pattern=r"^[a-z0-9]{1,64}$")]


class OwnPageSettings(Section):
    """Our own status page at Atlassian Statuspage; the token's user may manage incidents there."""

    page: str = Field(default="", pattern=r"^[a-z0-9]{0,64}$")
    token: SecretStr = SecretStr("")
    components: tuple[PageComponent, ...] = ()
    """Ids of the components that an incident shows as down."""
    notifies: bool = True
    """Whether its subscribers are written to."""
    url: Web = STATUSPAGE_URL

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.page) is not bool(self.token.get_secret_value()):
            raise ValueError("page and token need each other")
        return self


class StatusPagesSettings(Section):
    """The providers' status pages, and which of their components matter here."""

    urls: dict[str, Web] = Field(default_factory=dict)
    """By provider: supabase, openai, anthropic, expo, cloudflare, upstash; empty: not asked."""
    components: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By provider, words of the components' names as their page writes them."""
    own: OwnPageSettings = OwnPageSettings()

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


class FlowSettings(Section):
    """One way of a user through the platform."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,49}$")
    path: str = Field(pattern=r"^/[^\s#]*$")
    method: Literal["GET", "HEAD", "POST"] = "GET"
    status: int = Field(default=200, ge=100, le=599)
    text: str = Field(default="", max_length=200)
    """What a good answer says somewhere."""
    body: SecretStr | None = None
    """JSON that is sent: that of a user who is there for this alone."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @property
    def flow(self) -> Flow:
        """The flow that is walked."""
        return Flow(**{name: getattr(self, name) for name in type(self).model_fields})


class FlowsSettings(Section):
    """Ways of users that must work: login, dashboard, subscriptions."""

    url: Web = ""
    """Where users find the platform."""
    flows: tuple[FlowSettings, ...] = ()
    bypass_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    """With which the maintenance page lets us through."""
    bypass_value: SecretStr = SecretStr("")
    seconds: float = Field(default=5.0, gt=0, le=15)
    """Given to each flow."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.flows and not self.url:
            raise ValueError("flows need url too")
        if bool(self.bypass_header) is not bool(self.bypass_value.get_secret_value()):
            raise ValueError("bypass_header and bypass_value need each other")
        names = Counter(flow.name for flow in self.flows)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"flows: there are two called {', '.join(twice)}")
        return self

    @property
    def bypass(self) -> dict[str, SecretStr]:
        """The header that goes past the maintenance page, if there is one."""
        return {self.bypass_header: self.bypass_value} if self.bypass_header else {}
