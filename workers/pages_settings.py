"""Settings of the dashboard, and of Cloudflare Pages that serves it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from activities.cloudflare import CLOUDFLARE_URL
from workers.sections import Section
from workers.values import Web


class DashboardSettings(Section):
    """The dashboard as users find it."""

    url: Web = ""
    text: str = Field(default="", max_length=200)
    """What its first page says when it is well: 200 alone may be an empty page."""
    seconds: float = Field(default=5.0, gt=0, le=15)
    """Given to one look."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url and not self.text:
            raise ValueError("url needs text too: what a good page says")
        return self


class PagesSettings(Section):
    """The project of Cloudflare Pages; its token needs Pages:Edit, and nothing else."""

    account: str = Field(default="", pattern=r"^[A-Za-z0-9]{0,64}$")
    project: str = Field(default="", pattern=r"^[a-z0-9-]{0,100}$")
    token: SecretStr = SecretStr("")
    url: Web = CLOUDFLARE_URL

    @model_validator(mode="after")
    def _whole(self) -> Self:
        set_ = [bool(self.account), bool(self.project), bool(self.token.get_secret_value())]
        if any(set_) and not all(set_):
            raise ValueError("account, project and token need each other")
        return self
