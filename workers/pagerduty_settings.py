"""Settings of PagerDuty: who is woken, who is on call, and what it tells us."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from activities.pagerduty import DEFAULT_ROUTE, PAGERDUTY_URL
from activities.pagerduty_api import PAGERDUTY_API
from activities.pagerduty_there import ADDRESS
from workers.sections import Section
from workers.values import Token, Web

_NOTHING = SecretStr("")
_Value = TypeVar("_Value")

UserId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}$")]
EscalationPolicy = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}(/[1-9]\d?)?$")]
"""A policy's id, and after a slash which of its levels is meant; without one the first."""


def _address(text: str) -> str:
    if text and not ADDRESS.fullmatch(text):
        raise ValueError("it must be the bare e-mail address of a user there: dana@example.com")
    return text


class PagerDutySettings(Section):
    """PagerDuty: who is woken."""

    routing_key: SecretStr = _NOTHING
    """Where a page goes whose level has no key of its own."""
    routing_keys: dict[str, SecretStr] = Field(default_factory=dict)
    """By level: engineering-lead, cto."""
    base_url: Web = PAGERDUTY_URL
    webhook_secrets: tuple[Token, ...] = Field(default=(), max_length=10)
    """What its webhooks are signed with: two at once while one is exchanged for the other."""
    people: dict[UserId, str] = Field(default_factory=dict)
    """Names of people as the policy has them, by the id of their user there (PABC123)."""
    api_token: SecretStr = _NOTHING
    """Key of the REST API, by which it is known who is on call; one that may write also tells
    what is done here about incidents that people opened there."""
    from_address: Annotated[str, AfterValidator(_address)] = ""
    """E-mail address of the user there in whose name that is said, where PagerDuty does not know
    whoever did it."""
    open_what_people_open: bool = True
    """Whether an incident that somebody of ours opens there by hand is opened here too."""
    api_url: Web = PAGERDUTY_API
    escalation_policies: dict[str, EscalationPolicy] = Field(default_factory=dict)
    """By level of ours: id of an escalation policy there, and after a slash which of its levels."""

    @property
    def routes(self) -> dict[str, SecretStr]:
        """All keys by level, the default one among them."""
        return {DEFAULT_ROUTE: self.routing_key, **_by_level(self.routing_keys)}

    @property
    def policies(self) -> dict[str, str]:
        """Escalation policies by level."""
        return _by_level(self.escalation_policies)

    @property
    def names(self) -> dict[str, str]:
        """The names of people, by the id of their user as PagerDuty writes it."""
        return {user.upper(): name for user, name in self.people.items()}


def _by_level(named: dict[str, _Value]) -> dict[str, _Value]:
    # The name of a variable cannot have a hyphen in it.
    return {level.replace("_", "-"): value for level, value in named.items()}
