"""What Redis, or the way to it, says when it does not answer."""

from __future__ import annotations

import socket
from enum import StrEnum

import redis.exceptions

from activities.errors import Failed, Refused, Unavailable

_TEXT = 200


class Finding(StrEnum):
    """Why Redis did not answer as it should."""

    NONE = ""
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LOADING = "loading"
    NOAUTH = "noauth"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 (a finding)
    FORBIDDEN = "forbidden"
    MAX_CLIENTS = "max clients"
    READONLY = "readonly"
    BUSY = "busy with a script"
    NOT_SAVING = "cannot save to disk"
    QUOTA = "quota"
    DNS = "dns"
    TLS = "tls"
    OTHER = "other"

    @property
    def means_down(self) -> bool:
        """Whether it speaks for an outage, which a restart may end."""
        return self in {Finding.REFUSED, Finding.TIMEOUT}

    @property
    def ours(self) -> bool:
        """Whether our own vantage point is what is broken, so that nothing was learnt."""
        return self in {Finding.DNS, Finding.TLS, Finding.FORBIDDEN}

    @property
    def blind(self) -> bool:
        """Whether nothing was learnt of its health; without the password, only that it is there."""
        return self.ours or self in {Finding.NOAUTH, Finding.WRONG_PASSWORD}


_FINDINGS = (
    ("max number of clients", Finding.MAX_CLIENTS),
    ("max concurrent connections", Finding.MAX_CLIENTS),
    ("max requests limit", Finding.QUOTA),
    ("max daily request limit", Finding.QUOTA),
    ("capacity quota", Finding.QUOTA),
    ("noauth", Finding.NOAUTH),
    ("authentication required", Finding.NOAUTH),
    ("wrongpass", Finding.WRONG_PASSWORD),
    ("invalid username-password", Finding.WRONG_PASSWORD),
    ("invalid password", Finding.WRONG_PASSWORD),
    ("without any password configured", Finding.WRONG_PASSWORD),
    ("noperm", Finding.FORBIDDEN),
    ("no permissions", Finding.FORBIDDEN),
    ("loading the dataset", Finding.LOADING),
    ("is loading", Finding.LOADING),
    ("read only replica", Finding.READONLY),
    ("busy running a script", Finding.BUSY),
    ("misconf", Finding.NOT_SAVING),
    ("ssl", Finding.TLS),
    ("certificate", Finding.TLS),
    ("timeout", Finding.TIMEOUT),
    ("timed out", Finding.TIMEOUT),
    ("no route to host", Finding.TIMEOUT),
    ("refused", Finding.REFUSED),
    ("connect call failed", Finding.REFUSED),
    ("closed by server", Finding.REFUSED),
    ("reset by peer", Finding.REFUSED),
)


def finding(error: BaseException) -> Finding:
    """Classify why Redis did not answer."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror):
            return Finding.DNS
        if isinstance(seen, ConnectionRefusedError):
            return Finding.REFUSED
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, TimeoutError | redis.exceptions.TimeoutError):
        return Finding.TIMEOUT
    text = str(error).lower()
    return next((kind for words, kind in _FINDINGS if words in text), Finding.OTHER)


def said(error: BaseException) -> str:
    """Give what the server or the driver said, in one short line."""
    return " ".join(str(error).split())[:_TEXT] or type(error).__name__


def failed(error: BaseException) -> Failed:
    """Make the error for a question that could not be answered."""
    kind = finding(error)
    if kind is Finding.DNS:
        # The text quotes the host, which in a mistyped URL is half of the password.
        return Unavailable("Redis's host name cannot be resolved")
    text = f"Redis: {kind}: {said(error)}"
    forever = {
        Finding.NOAUTH,
        Finding.WRONG_PASSWORD,
        Finding.FORBIDDEN,
        Finding.TLS,
        Finding.QUOTA,
    }
    unknown = kind is Finding.OTHER and isinstance(error, redis.exceptions.ResponseError)
    return Refused(text) if unknown or kind in forever else Unavailable(text)
