"""Connections to PostgreSQL that cannot hang, and what it says when none comes about."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from pydantic import SecretStr

from activities.errors import Ambiguous, Failed, Refused, Throttled, Unavailable

APPLICATION = "incident-responder"
"""The application_name of our own sessions, by which they are spared."""
POOLER = "supavisor|pgbouncer|pgcat|odyssey"
"""Application or user names of connection poolers, as a regular expression."""
# USAGE, not MEMBER: a member that does not inherit sees nothing all the same.
SEES = "pg_has_role('pg_read_all_stats', 'usage')"
WHY_BLIND = "our role may not see other sessions: GRANT pg_read_all_stats to it"
_TEXT = 300

Connection = psycopg.AsyncConnection[dict[str, Any]]


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


class Database:
    """Opens short-lived connections, and keeps the last for the time when no more are let in."""

    def __init__(
        self, conninfo: SecretStr, *, connect_seconds: float = 4.0, statement_seconds: float = 6.0
    ) -> None:
        try:
            conninfo_to_dict(conninfo.get_secret_value())
        except psycopg.Error:
            # Its text quotes the string, and with it the password.
            raise ValueError("the connection string of the database cannot be read") from None
        self._conninfo = conninfo
        self._connect_seconds = connect_seconds
        self.statement_seconds = statement_seconds
        self._spare: Connection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection that was kept."""
        if self._spare is not None:
            spare, self._spare = self._spare, None
            await spare.close()

    async def connect(self) -> Connection:
        """Open a connection whose every statement and wait for a lock has an end."""
        async with asyncio.timeout(self._connect_seconds + 1):
            connection: Connection = await psycopg.AsyncConnection.connect(
                self._conninfo.get_secret_value(),
                autocommit=True,
                row_factory=dict_row,
                application_name=APPLICATION,
                # libpq takes whole seconds, and 1 for 2.
                connect_timeout=max(2, round(self._connect_seconds)),
                tcp_user_timeout=int(self.statement_seconds * 1000),
                prepare_threshold=None,
            )
            try:
                # Not as "options" of the connection: poolers refuse these.
                await connection.execute(
                    f"SET statement_timeout TO {int(self.statement_seconds * 1000)};"
                    "SET lock_timeout TO 2000;"
                    "SET idle_in_transaction_session_timeout TO 60000;"
                    "SET default_transaction_read_only TO on;"
                    "SET search_path TO pg_catalog, public;"
                    "SET timezone TO 'UTC'"
                )
            except BaseException:
                await connection.close()
                raise
        return connection

    @asynccontextmanager
    async def session(
        self, *, seconds: float | None = None, writes: bool = False, keep: bool = True
    ) -> AsyncIterator[Connection]:
        """Lend a connection for *seconds*; its errors come out as ours.

        Args:
            seconds: Twice the time of one statement when left out.
            writes: A lost answer then leaves open what was done.
            keep: False for a borrower that changes the connection's settings.
        """
        try:
            connection = await self.connect()
        except (psycopg.Error, OSError, TimeoutError) as error:
            if finding(error) is not Finding.TOO_MANY or self._spare is None:
                raise connect_failed(error) from None
            connection, self._spare = self._spare, None
        limit = self.statement_seconds * 2 if seconds is None else seconds
        try:
            async with asyncio.timeout(limit):
                yield connection
        except psycopg.Error as error:
            # "from None": the cause would carry the server's DETAIL, customers' rows included.
            raise statement_failed(error, writes=writes) from None
        except TimeoutError:
            late = f"PostgreSQL did not answer within {limit:g} s"
            raise (Ambiguous(late) if writes else Unavailable(late)) from None
        finally:
            await self._put_back(connection, keep=keep)

    async def _put_back(self, connection: Connection, *, keep: bool) -> None:
        idle = psycopg.pq.TransactionStatus.IDLE
        if keep and not connection.closed and connection.info.transaction_status == idle:
            connection, self._spare = self._spare or connection, connection
        if connection is not self._spare:
            await connection.close()


async def sees(connection: Connection) -> bool:
    """Whether our role may see other people's sessions."""
    row = await (await connection.execute(f"SELECT {SEES} AS sees")).fetchone()
    return bool(row and row["sees"])
