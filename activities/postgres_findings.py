"""What PostgreSQL, or the way to it, says when it does not answer."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum

import psycopg

from activities.errors import Ambiguous, Failed, Refused, Throttled, Unavailable

_TEXT = 300


class Finding(StrEnum):
    """Why a database did not answer."""

    NONE = ""
    REFUSED = "refused"
    TIMEOUT = "timeout"
    STARTING = "starting or stopping"
    WRONG_CREDENTIALS = "wrong credentials"
    DNS = "dns"
    TOO_MANY = "too many connections"
    NO_DATABASE = "no such database"
    BLOCKED = "blocked by the pooler"
    TLS = "tls"
    OTHER = "other"

    @property
    def means_down(self) -> bool:
        """Whether it speaks for an outage; the others are findings of their own."""
        return self in {Finding.REFUSED, Finding.TIMEOUT, Finding.STARTING}

    @property
    def ours(self) -> bool:
        """Whether our own vantage point is what is broken, so that nothing was learnt."""
        return self in {Finding.DNS, Finding.BLOCKED, Finding.TLS}

    @property
    def blind(self) -> bool:
        """Whether nothing was learnt of its health; without the password, only that it is there."""
        return self.ours or self is Finding.WRONG_CREDENTIALS


# A failed connect carries no SQLSTATE, and poolers say XX000 to everything: the text decides.
_FINDINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), finding)
    for pattern, finding in (
        (r"ECIRCUITBREAKER|EBANNED", Finding.BLOCKED),
        (
            r"too many (clients|connections)|slots are reserved|EMAXCONN|EMAXPOOL|ECHECKOUTTIMEOUT",
            Finding.TOO_MANY,
        ),
        (
            r"authentication failed|no password|no pg_hba|role \".*\" (does|is) not|ENOTFOUND",
            Finding.WRONG_CREDENTIALS,
        ),
        (r"database \".*\" (does not exist|is not currently)", Finding.NO_DATABASE),
        (r"database system is|recovery mode|EDBHANDLEREXITED", Finding.STARTING),
        (r"failed to resolve host|could not translate host", Finding.DNS),
        (r"SSL|certificate", Finding.TLS),
        (r"connection refused|closed the connection unexpectedly|reset by peer", Finding.REFUSED),
        (r"time.?out|timed out|no route to host|network is unreachable", Finding.TIMEOUT),
    )
)


def finding(error: BaseException) -> Finding:
    """Classify why no connection came about."""
    if isinstance(error, TimeoutError):
        return Finding.TIMEOUT
    return next((kind for said, kind in _FINDINGS if said.search(str(error))), Finding.OTHER)


def said(error: BaseException) -> str:
    """Give the first line of what the server or the driver said."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    lines = (primary or str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:_TEXT]


def connect_failed(error: BaseException) -> Failed:
    """Make the error for a connection that did not come about; nothing was done."""
    match kind := finding(error):
        case Finding.DNS:
            # The text quotes the host, which in a mistyped URL is half of the password.
            return Unavailable("PostgreSQL's host name cannot be resolved")
        case Finding.BLOCKED:
            return Throttled("the pooler blocks us for now", wait=timedelta(minutes=2))
        case Finding.WRONG_CREDENTIALS | Finding.NO_DATABASE | Finding.TLS:
            return Refused(f"PostgreSQL: {kind}: {said(error)}")
        case _:
            return Unavailable(f"PostgreSQL: {kind}: {said(error)}")


def statement_failed(error: psycopg.Error, *, writes: bool) -> Failed:
    """Make the error for a statement that failed on an open connection."""
    state = error.sqlstate
    text = f"PostgreSQL{f' ({state})' if state else ''}: {said(error)}"
    lost = state is None or state.startswith(("08", "57P"))
    if lost and isinstance(error, psycopg.OperationalError):
        return Ambiguous(text) if writes else Unavailable(text)
    if state in {"57014", "55P03"} or (state or "").startswith(("40", "53")):
        return Unavailable(text)
    return Refused(text)
