"""The platform's PostgreSQL: its tables, its roles, and how many sessions it takes."""

import secrets
from importlib.resources import files
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from deploy.local.postgres import Postgres

DATABASE = "pravado"
SESSIONS = 50
"""max_connections: the pools of two instances hold a sixth of it, of five less than half."""

KEPT_FOR_RESPONDER = 3
"""Slots that only the responder's role may use when all others are taken."""

_ROLES = {
    "pravado_api": "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO pravado_api",
    "nightly_report": "GRANT SELECT ON ALL TABLES IN SCHEMA public TO nightly_report",
    "responder": (
        "GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_use_reserved_connections"
        " TO responder;"
        "GRANT INSERT, UPDATE, DELETE ON push_tokens, push_receipts, push_queue TO responder;"
        # What an index takes: PostgreSQL lets nobody but a table's owner make one.
        "GRANT CREATE ON SCHEMA public TO responder; ALTER TABLE users OWNER TO responder"
    ),
}


class Database(Postgres):
    """A PostgreSQL server with the platform's database in it."""

    def __init__(self, folder: Path) -> None:
        """Describe the server; nothing starts yet."""
        super().__init__(
            folder,
            options={
                "max_connections": str(SESSIONS),
                "reserved_connections": str(KEPT_FOR_RESPONDER),
                # Of three, which nobody needs here: a leak that meets the responder's own idle
                # connections would fall short.
                "superuser_reserved_connections": "1",
            },
        )
        self._passwords = {role: secrets.token_urlsafe(12) for role in _ROLES}

    def dsn_of(self, role: str) -> str:
        """Say where a role of the platform connects, with its password."""
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{DATABASE}"

    async def start(self) -> Self:
        """Start the server; make roles, tables and rows when they are not there."""
        await super().start()
        admin = await psycopg.AsyncConnection.connect(self.dsn(), autocommit=True)
        async with admin:
            found = await admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if await found.fetchone() is not None:
                return self
            await admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            for role, given in self._passwords.items():
                # Digested here: in clear it would stand among the statements that are looked at.
                password = admin.pgconn.encrypt_password(
                    given.encode(), role.encode(), b"scram-sha-256"
                ).decode()
                await admin.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(password)
                    )
                )
        tables = files(__package__).joinpath("schema.sql").read_text()
        platform = await psycopg.AsyncConnection.connect(self.dsn(DATABASE), autocommit=True)
        async with platform:
            await platform.execute(tables.encode())
            for grant in _ROLES.values():
                await platform.execute(grant.encode())
        return self
