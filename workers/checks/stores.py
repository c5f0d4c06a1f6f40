"""Looks at PostgreSQL and Redis: not whether they are well, but what our user may do there."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from redis.exceptions import NoPermissionError, ResponseError

from activities.postgres_connection import SEES, Database
from activities.redis_connection import RedisConnection
from workers.checks.check import Check, Seen
from workers.settings import variable

_ROLE = f"""
SELECT current_user AS role, current_setting('server_version') AS version, {SEES} AS sees,
       pg_has_role('pg_signal_backend', 'usage') AS ends,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS statements,
       pg_is_in_recovery() AS replica,
       (SELECT reset_val = 'on' FROM pg_settings
        WHERE name = 'default_transaction_read_only') AS read_only
"""  # noqa: S608 (a constant)
_TABLES = {
    "push_tokens": ("SELECT", "DELETE"),
    "push_receipts": ("SELECT", "INSERT"),
    "push_queue": ("SELECT", "UPDATE"),
    "users": ("SELECT",),
    "llm_request_logs": ("SELECT",),
}
"""What is asked and changed of the platform's own tables; one that is not there needs nothing."""
_MAY = """
SELECT name, right_, has_table_privilege(to_regclass(name), right_) AS may
FROM unnest(%(names)s::text[], %(rights)s::text[]) AS wanted (name, right_)
WHERE to_regclass(name) IS NOT NULL
"""
Ask = Callable[[redis.asyncio.Redis], Awaitable[Any]]


class PostgresCheck(Check):
    """What our role may see and do."""

    name = "PostgreSQL"
    setting = variable("postgres", "dsn")

    @property
    def configured(self) -> bool:
        """Whether there is a connection string."""
        return bool(self.settings.postgres.dsn.get_secret_value())

    async def look(self) -> Seen:
        """Ask for the role's rights."""
        wanted = [(name, right) for name, rights in _TABLES.items() for right in rights]
        named = {"names": [name for name, _ in wanted], "rights": [right for _, right in wanted]}
        async with (
            Database(self.settings.postgres.dsn) as database,
            database.session(keep=False) as session,
        ):
            found = await (await session.execute(_ROLE)).fetchone() or {}
            may = await (await session.execute(_MAY, named)).fetchall()
        role = found["role"]
        lacks, may_not = [], []
        if not found["sees"]:
            lacks.append(
                f"the role {role} is blind: it sees no session but its own; "
                f"GRANT pg_monitor TO {role}"
            )
        if not found["statements"]:
            lacks.append(
                "the slowest statements are not counted: add pg_stat_statements to "
                "shared_preload_libraries, then CREATE EXTENSION pg_stat_statements"
            )
        if not found["ends"]:
            may_not.append(f"the role {role} may end no session: GRANT pg_signal_backend TO {role}")
        if found["replica"]:
            may_not.append("this is a replica: name the primary")
        elif found["read_only"]:
            may_not.append(
                f"the role {role} only reads: ALTER ROLE {role} RESET "
                "default_transaction_read_only, or the provider has locked a full disk"
            )
        for row in may:
            if not row["may"]:
                kind = lacks if row["right_"] == "SELECT" else may_not
                kind.append(f"GRANT {row['right_']} ON {row['name']} TO {role} is missing")
        return Seen(f"{found['version']}, as {role}", tuple(lacks), tuple(may_not))


class RedisCheck(Check):
    """What our user may ask and change."""

    name = "Redis"
    setting = variable("redis", "url")

    @property
    def configured(self) -> bool:
        """Whether there is an address."""
        return bool(self.settings.redis.url.get_secret_value())

    async def look(self) -> Seen:
        """Try each command in a way that changes nothing."""
        key = f"incident-responder-doctor-{uuid.uuid4().hex}"
        reads: dict[str, Ask] = {
            "+info": lambda r: r.info("memory"),
            "+dbsize": lambda r: r.dbsize(),
            "+scan": lambda r: r.scan(count=1),
            "+type %R~*": lambda r: r.type(key),
            "+ttl": lambda r: r.ttl(key),
            "+memory|usage": lambda r: r.memory_usage(key),
            "+config|get": lambda r: r.config_get("save"),
        }
        # Redis looks at the right first: with it, it says that there is no such setting.
        writes: dict[str, Ask] = {"+config|set": lambda r: r.config_set(key, "no")}
        for prefix in self.settings.given.redis_disposable_prefixes:
            # A key that is not there; with the brackets alone, its pattern is looked at as well.
            writes[f"(%W~{prefix}* +unlink)"] = _unlinking(f"{prefix}{key}")
        async with RedisConnection(self.settings.redis.url).asking() as client:
            await client.ping()
            lacks = [rule for rule, ask in reads.items() if not await _may(client, ask)]
            may_not = [rule for rule, ask in writes.items() if not await _may(client, ask)]
        user = "our user of Redis"
        return Seen(
            "answers",
            (f"{user} lacks {' '.join(lacks)} (deploy/redis/users.acl)",) if lacks else (),
            (f"{user} lacks {' '.join(may_not)} (deploy/redis/users.acl)",) if may_not else (),
        )


def _unlinking(key: str) -> Ask:
    return lambda client: client.unlink(key)


async def _may(client: redis.asyncio.Redis, ask: Ask) -> bool:
    try:
        await ask(client)
    except NoPermissionError:
        return False
    except ResponseError:
        # Let through, and senseless or not offered by the provider: no right of ours is missing.
        return True
    return True
