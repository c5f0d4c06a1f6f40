"""Settings of e-mail: where it is handed in, and who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, SecretStr, model_validator

from activities.smtp import ADDRESS
from activities.support import Provider
from workers.sections import Section
from workers.values import Address

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SUPPORT: dict[Provider, str] = {"supabase": "support@supabase.com"}


class EmailSettings(Section):
    """E-mail: a mail server that takes our letters."""

    host: Address = ""
    port: int = Field(default=587, gt=0, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the way there is encrypted; tls from the first byte is usual on port 465."""
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = ""
    """Whom our letters are from: an address, or a name and an address in angle brackets."""
    authority: Path | None = None
    """Certificates that the server's own is checked against."""
    support: dict[Provider, str] = Field(default_factory=lambda: dict(_SUPPORT))
    """Addresses of the support of our providers; an empty one is nobody."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("host needs sender too")
        for name, address in self.support.items():
            if address and not ADDRESS.fullmatch(address):
                raise ValueError(f"support.{name}: is not an address")
        if self.user and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("security: a password is not sent over an open line")
        return self

    @property
    def recipients(self) -> dict[str, str]:
        """The addresses of support, the usual ones where the settings name none."""
        named = {**_SUPPORT, **self.support}
        return {name: named[name] for name in get_args(Provider) if named.get(name)}
