"""Settings of Slack: where people read, and by which door they come in."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from activities.slack_api import SLACK_URL
from workers.sections import Section
from workers.values import Token, Web

_NOTHING = SecretStr("")
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,30}")
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,30}")

Person = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SlackSettings(Section):
    """Slack: where people read, and press."""

    token: SecretStr = _NOTHING
    channels: dict[str, str] = Field(default_factory=dict)
    """Ids by role: incidents, engineering, product."""
    base_url: Web = SLACK_URL
    signing_secret: Token = _NOTHING
    """What Slack signs with; opens the door for presses, commands and messages."""
    app_token: SecretStr = _NOTHING
    """An app-level token (xapp-…): Slack is asked for the same over a connection that we open."""
    people: dict[str, Person] = Field(default_factory=dict)
    """Who is who: the id of a Slack user (U…), and the name that policy.people has."""
    team: str = Field(default="", pattern=r"^(T[A-Z0-9]{2,30})?$")
    """Id of the workspace; where set, users of any other may do nothing."""
    note_marker: str = Field(default="note:", min_length=2, max_length=20)
    """How a message in an incident's thread begins that is to stand in its timeline."""

    @field_validator("people")
    @classmethod
    def _users(cls, people: dict[str, str]) -> dict[str, str]:
        # The name of a variable may come in small letters; an id never has any.
        named = {user.upper(): name for user, name in people.items()}
        for user in named:
            if not _USER_ID.fullmatch(user):
                raise ValueError(f"{user}: write the user's id (U…), not their name")
        return named

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for role, channel in self.channels.items():
            if not _CHANNEL_ID.fullmatch(channel):
                raise ValueError(f"channels.{role}: write the channel's id (C…), not its name")
        token = self.token.get_secret_value()
        if token and "incidents" not in self.channels:
            raise ValueError("a token needs channels.incidents too")
        app_token = self.app_token.get_secret_value()
        if app_token and not app_token.startswith("xapp-"):
            raise ValueError("app_token: an app-level token begins with xapp-")
        if self.takes_acts and not token:
            raise ValueError("signing_secret and app_token need token too: answers go out by it")
        return self

    @property
    def takes_acts(self) -> bool:
        """Whether people may act from Slack."""
        return bool(self.signing_secret.get_secret_value() or self.app_token.get_secret_value())
