"""Settings of an outage: the database from both sides, and the page that users see meanwhile."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from activities.cloudflare import CLOUDFLARE_URL
from activities.postgres_assertions import Assertion
from workers.sections import Section
from workers.values import Address, HostPath, Web, Word

_NOTHING = SecretStr("")


class ReachSettings(Section):
    """The database as the API's host reaches it: the second of two vantage points."""

    database_host: Address = ""
    """Empty: only the worker looks, and nothing is held for down on its word alone."""
    database_port: int = Field(default=5432, gt=0, le=65535)


class MaintenanceSettings(Section):
    """The maintenance page: a flag in Cloudflare's key-value store, read by a Worker.

    The header that goes past the page is that of the user flows; the Worker knows its value.
    """

    account: Word = ""
    namespace: Word = ""
    key: Word = "maintenance"
    token: SecretStr = _NOTHING
    """May edit Workers KV Storage."""
    base_url: Web = CLOUDFLARE_URL
    public_url: Web = ""
    """What users call: after a change it is seen there whether the page is shown."""
    spread_seconds: float = Field(default=90, ge=0, le=170)
    """Given to the flag to arrive at every edge."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token.get_secret_value() and not (self.account and self.namespace):
            raise ValueError("a token needs account and namespace too")
        return self


class AssertionSettings(Section):
    """One question to the database that answers true while the data are whole."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,49}$")
    statement: str = Field(min_length=1, max_length=2000)
    """A single SELECT of one boolean."""

    @property
    def assertion(self) -> Assertion:
        """The assertion that is asked."""
        return Assertion(self.name, self.statement)


class IntegritySettings(Section):
    """What must hold of the data before users are let in again."""

    assertions: tuple[AssertionSettings, ...] = ()


class FailoverSettings(Section):
    """Failing over to the backup database; its name is given.database_backup."""

    fence_program: HostPath = ""
    """On the API's host: takes "status" (says open or fenced) and "fence"."""
