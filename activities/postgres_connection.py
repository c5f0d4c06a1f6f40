"""Connections to PostgreSQL that cannot hang, and leave nothing behind in a pooler's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.abc import Params
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from pydantic import SecretStr

from activities.errors import Ambiguous, Unavailable
from activities.postgres_findings import Finding, connect_failed, finding, statement_failed

APPLICATION = "incident-responder"
"""The application_name of our own sessions, by which they are spared."""
POOLER = "supavisor|pgbouncer|pgcat|odyssey"
"""Application or user names of connection poolers, as a regular expression."""
# USAGE, not MEMBER: a member that does not inherit sees nothing all the same.
SEES = "pg_has_role('pg_read_all_stats', 'usage')"
WHY_BLIND = "our role may not see other sessions: GRANT pg_read_all_stats to it"
# A pooler refuses the option, or lets it fall; then the setting comes from somewhere else.
_PROBE = "-c statement_timeout=60000"
_WHENCE = "SELECT source FROM pg_settings WHERE name = 'statement_timeout'"
_NO_OPTIONS = re.compile(r"startup (parameter|option)", re.IGNORECASE)


class Connection(psycopg.AsyncConnection[dict[str, Any]]):
    """A connection whose every statement, and every wait for a lock, has an end.

    Behind a pooler the next transaction may be somebody else's, and so would be what was set for
    the session: there each statement has a transaction of its own that carries the limits.
    """

    limits: Mapping[str, str] = {}
    """What each transaction has to set for itself; empty where the session has it all."""

    @property
    def pooled(self) -> bool:
        """Whether something in between hands the session to others."""
        return bool(self.limits)

    async def execute(
        self,
        query: Any,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool = False,
    ) -> psycopg.AsyncCursor[dict[str, Any]]:
        """Execute a statement within the limits."""
        if not self.pooled:
            return await super().execute(query, params, prepare=prepare, binary=binary)
        async with self.transaction():
            await super().execute(
                "SET TRANSACTION READ ONLY;"
                + ";".join(f"SET LOCAL {name} TO {value}" for name, value in self.limits.items())
            )
            return await super().execute(query, params, prepare=prepare, binary=binary)


class Database:
    """Opens short-lived connections, and keeps the last for the time when no more are let in."""

    def __init__(
        self, conninfo: SecretStr, *, connect_seconds: float = 4.0, statement_seconds: float = 6.0
    ) -> None:
        try:
            given = conninfo_to_dict(conninfo.get_secret_value())
        except psycopg.Error:
            # Its text quotes the string, and with it the password.
            raise ValueError("the connection string of the database cannot be read") from None
        self._conninfo = conninfo
        self._own_options = str(given.get("options") or "")
        self._connect_seconds = connect_seconds
        self.statement_seconds = statement_seconds
        self._spare: Connection | None = None
        self._pooled = False
        """Once known; a pooler is not put in between while we run, nor taken away."""

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
            if not self._pooled:
                try:
                    connection = await self._connect(options=f"{self._own_options} {_PROBE}")
                except psycopg.OperationalError as error:
                    # PgBouncer says so; what it lets pass in silence is seen below.
                    if not _NO_OPTIONS.search(str(error)):
                        raise
                else:
                    if await self._bound(connection):
                        return connection
                    await connection.close()
                self._pooled = True
            connection = await self._connect()
            connection.limits = self._limits
        return connection

    async def _connect(self, **more: Any) -> Connection:
        return await Connection.connect(
            self._conninfo.get_secret_value(),
            autocommit=True,
            row_factory=dict_row,
            application_name=APPLICATION,
            # libpq takes whole seconds, and 1 for 2.
            connect_timeout=max(2, round(self._connect_seconds)),
            tcp_user_timeout=int(self.statement_seconds * 1000),
            prepare_threshold=None,
            **more,
        )

    async def _bound(self, connection: Connection) -> bool:
        """Set the limits for the session; False, and nothing set, where it is not ours alone."""
        try:
            cursor = await connection.execute(_WHENCE)
            row = await cursor.fetchone()
            if row is None or row["source"] != "client":
                return False
            # Not all in the first packet: what the server itself says of read-only stays readable.
            settings = {"default_transaction_read_only": "on", **self._limits}
            await connection.execute(
                ";".join(f"SET {name} TO {value}" for name, value in settings.items())
            )
        except BaseException:
            await connection.close()
            raise
        return True

    @property
    def _limits(self) -> dict[str, str]:
        return {
            "statement_timeout": str(int(self.statement_seconds * 1000)),
            "lock_timeout": "2000",
            "idle_in_transaction_session_timeout": "60000",
            "search_path": "pg_catalog, public",
            "timezone": "'UTC'",
        }

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
