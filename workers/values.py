"""The kinds of values that settings have, each with what makes it one.

None of the texts here quotes the value: it may be a secret, or half of one.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from activities.commands import PATH, VARIABLE, WORD

SHORTEST_TOKEN = 16
"""Characters of what stands between the internet and an incident."""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_NOT_SWITCHES = re.compile(r"PATH|HOME|SHELL|USER|NODE_OPTIONS|(?:LD|DYLD|BASH|PM2|PYTHON)_?.*")


def _web(address: str) -> str:
    if not address:
        return address
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError("is not the address of a web server") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("is not an address that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or a password: those have settings of their own")
    return address.rstrip("/")


def _token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not text:
        return token
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("is not made of printable ASCII characters without spaces")
    if len(text) < SHORTEST_TOKEN:
        raise ValueError(f"is shorter than {SHORTEST_TOKEN} characters")
    return token


def _redis(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    try:
        parts = urlsplit(text)
        whole = parts.path if parts.scheme == "unix" else parts.hostname and parts.port != 0
    except ValueError:
        whole = ""
    if text and not (whole and parts.scheme in {"redis", "rediss", "unix"}):
        raise ValueError("is not an address like redis://host:6379, rediss://… or unix://…")
    return url


def _postgres(dsn: SecretStr) -> SecretStr:
    text = dsn.get_secret_value()
    if not text:
        return dsn
    # Heavy, and only needed where a database is named.
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(text)
    except psycopg.Error:
        # "from None": its text quotes the string.
        raise ValueError("is not a connection string like postgresql://user@host/name") from None
    return dsn


def _word(text: str) -> str:
    if text and not WORD.fullmatch(text):
        raise ValueError("is not a name of letters, digits and _ . @ : - alone")
    return text


def _path(text: str) -> str:
    if text and (not PATH.fullmatch(text) or "/.." in text):
        raise ValueError("is not an absolute path of letters, digits and _ . - alone")
    return text


def _address(text: str) -> str:
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError("is not the name or the address of a host")
    return text


def _variable(text: str) -> str:
    if not VARIABLE.fullmatch(text):
        raise ValueError("is not the name of a variable: capitals, digits and _ alone")
    if _NOT_SWITCHES.fullmatch(text):
        raise ValueError("is a variable that no switch may have")
    return text


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError("is not the name of a label")
    return text


Web = Annotated[str, AfterValidator(_web)]
"""The address of a web server, without credentials in it."""
Token = Annotated[SecretStr, AfterValidator(_token)]
"""What is compared byte by byte with what a stranger shows."""
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
PostgresDsn = Annotated[SecretStr, AfterValidator(_postgres)]
Word = Annotated[str, AfterValidator(_word)]
"""What may stand in a command on the host."""
HostPath = Annotated[str, AfterValidator(_path)]
"""A file on the host."""
Address = Annotated[str, AfterValidator(_address)]
"""A host, by name or number."""
Variable = Annotated[str, AfterValidator(_variable)]
"""A variable of the platform's environment that a switch sets."""
Label = Annotated[str, AfterValidator(_label)]
