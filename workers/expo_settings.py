"""Settings of Expo's push service: the platform's app, and the phones of those on call."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from activities.expo_api import EXPO_URL, TOKEN
from workers.sections import Section
from workers.values import Web

PhoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,79}$")]
DeepLink = Annotated[str, StringConstraints(pattern=r"^$|^[a-z][a-z0-9+.-]*://[^\s]{0,200}$")]


class ExpoSettings(Section):
    """Expo's push service."""

    access_token: SecretStr = SecretStr("")
    """Needed where the project has enhanced push security."""
    test_phone: SecretStr = SecretStr("")
    """Push token of a phone that nobody carries: a look at Expo sends to it, in silence."""
    phones: dict[PhoneName, SecretStr] = Field(default_factory=dict)
    """Push tokens of the phones of those on call, by name; policy.phones says whose rings when."""
    deep_link: DeepLink = ""
    """What opens the app at its incidents, as pravado://incidents."""
    channel: str = Field(default="", max_length=100)
    """Notification channel of Android, as the app has made it."""
    base_url: Web = EXPO_URL

    @model_validator(mode="after")
    def _tokens(self) -> Self:
        named = {f"phones.{name}": token for name, token in self.phones.items()}
        for name, token in {"test_phone": self.test_phone, **named}.items():
            text = token.get_secret_value()
            if (text or name != "test_phone") and not TOKEN.fullmatch(text):
                raise ValueError(f"{name}: is not a push token like ExponentPushToken[…]")
        return self
