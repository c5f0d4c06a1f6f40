"""A real PostgreSQL with an application's role, and how a test asks an activity."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.postgres_connection import Database
from deploy.local.postgres import Postgres

PASSWORD = "correct-horse-battery"
# Who may come in: the superuser, with whom the server is started, without a password.
HBA = """
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
ROLES = f"""
CREATE ROLE responder LOGIN PASSWORD '{PASSWORD}';
GRANT pg_read_all_stats, pg_signal_backend TO responder;
CREATE ROLE onlooker LOGIN PASSWORD '{PASSWORD}';
GRANT pg_read_all_stats TO onlooker;
CREATE ROLE blind LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE heir LOGIN PASSWORD '{PASSWORD}' NOINHERIT;
GRANT pg_read_all_stats TO heir WITH INHERIT FALSE;
CREATE ROLE app LOGIN PASSWORD '{PASSWORD}';
GRANT app TO responder;
GRANT CREATE ON SCHEMA public TO app;
CREATE EXTENSION pg_stat_statements;
"""


async def run(method: Callable[..., Awaitable[Any]], *orders: Any, attempt: int = 1) -> Any:
    """Carry out an activity as a worker would, at its *attempt*-th attempt."""
    env = ActivityEnvironment()
    env.info = dataclasses.replace(env.info, attempt=attempt)
    return await env.run(method, *orders)


async def until(probe: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """Ask until the answer is true, and give it."""
    async with asyncio.timeout(seconds):
        while not (answer := await probe()):
            await asyncio.sleep(0.02)
    return answer


class Server:
    """A real PostgreSQL with an application's role, ours, and some that may see less."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def conninfo(self, user: str, password: str = PASSWORD) -> SecretStr:
        """Say where *user* connects."""
        return SecretStr(f"postgresql://{user}:{password}@127.0.0.1:{self.server.port}/postgres")

    async def admin(self, question: str) -> list[dict[str, Any]]:
        """Do something as the superuser."""
        connection = await psycopg.AsyncConnection.connect(
            self.server.dsn(), autocommit=True, row_factory=dict_row
        )
        async with connection:
            cursor = await connection.execute(question)
            return await cursor.fetchall() if cursor.description else []

    async def session(self, **options: Any) -> psycopg.AsyncConnection[Any]:
        """Open a session of the application."""
        options = {"user": "app", "password": PASSWORD, "application_name": "api"} | options
        return await psycopg.AsyncConnection.connect(
            host="127.0.0.1", port=self.server.port, dbname="postgres", **options
        )

    async def crowd(self) -> list[psycopg.AsyncConnection[Any]]:
        """Open sessions of the application until no more are let in."""
        sessions: list[psycopg.AsyncConnection[Any]] = []
        while True:
            try:
                sessions.append(await self.session(application_name="leaky"))
            except psycopg.OperationalError:
                return sessions

    @asynccontextmanager
    async def database(self, user: str = "responder", **options: Any) -> AsyncIterator[Database]:
        """Make a database as the responder sees it."""
        async with Database(self.conninfo(user), **options) as database:
            yield database


@asynccontextmanager
async def served(folder: Path, **options: str) -> AsyncIterator[Server]:
    """Start a PostgreSQL whose roles need their passwords."""
    async with Postgres(folder, options={"max_connections": "40", **options}) as server:
        ready = Server(server)
        await ready.admin(ROLES)
        hba_file = (await ready.admin("SHOW hba_file"))[0]["hba_file"]
        Path(hba_file).write_text(HBA)
        await ready.admin("SELECT pg_reload_conf()")
        yield ready
