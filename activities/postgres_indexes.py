"""The runbook's five indexes of PostgreSQL: which are missing, and how one is made."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import Field
from temporalio import activity

from activities.postgres_connection import Connection, Database
from activities.words import Answer, Nothing, Order

SCHEMA = "public"


class Index(StrEnum):
    """An index that the runbook names; there is no other way to say which to make."""

    ORGANIZATIONS_CREATED_AT = "idx_organizations_created_at"
    USERS_ORGANIZATION_ID = "idx_users_organization_id"
    SUBSCRIPTIONS_STRIPE_CUSTOMER_ID = "idx_subscriptions_stripe_customer_id"
    TRIALS_ORG_STATUS = "idx_trials_org_status"
    LLM_LOGS_ORG_CREATED = "idx_llm_logs_org_created"


class Definition(NamedTuple):
    """What an index is on."""

    table: str
    columns: tuple[str, ...]
    descending: frozenset[str] = frozenset()


DEFINITIONS: Mapping[Index, Definition] = {
    Index.ORGANIZATIONS_CREATED_AT: Definition("organizations", ("created_at",)),
    Index.USERS_ORGANIZATION_ID: Definition("users", ("organization_id",)),
    Index.SUBSCRIPTIONS_STRIPE_CUSTOMER_ID: Definition("subscriptions", ("stripe_customer_id",)),
    Index.TRIALS_ORG_STATUS: Definition("trial_lifecycle", ("organization_id", "status")),
    Index.LLM_LOGS_ORG_CREATED: Definition(
        "llm_request_logs", ("organization_id", "created_at"), frozenset({"created_at"})
    ),
}


class State(StrEnum):
    """What there is under the name of an index."""

    VALID = "valid"
    MISSING = "missing"
    INVALID = "invalid"
    """What a build that failed left behind: it costs every write and helps no read."""
    BUILDING = "building"
    TAKEN = "taken"
    """Something else goes by its name."""


class IndexState(Answer):
    """One index of the runbook, and the table that it is for."""

    name: Index
    table: str
    columns: tuple[str, ...]
    state: State
    table_exists: bool
    partitioned: bool = False
    """Its indexes are made partition by partition, by a person."""
    missing_columns: tuple[str, ...] = ()
    covered_by: str = ""
    """Another valid index that begins with the same columns, so that this one is not needed."""
    rows: int | None = None
    """Estimated; None when the table was never analysed."""
    table_bytes: int | None = None
    """Estimated, without its indexes."""
    sequential_scans: int | None = None
    rows_read_sequentially: int | None = None
    builder: int | None = None
    """The pid of the session that builds it, ours or not."""

    @property
    def can_be_made(self) -> bool:
        """Whether it is missing, not replaced by another, and its table and columns are there."""
        open_ = self.state in {State.MISSING, State.INVALID} and not self.covered_by
        return open_ and self.table_exists and not self.missing_columns and not self.partitioned


class MissingIndexes(Answer):
    """The five indexes of the runbook as they are."""

    indexes: tuple[IndexState, ...]

    @property
    def missing(self) -> tuple[IndexState, ...]:
        """Those that can be made."""
        return tuple(index for index in self.indexes if index.can_be_made)


class CreateIndex(Order):
    """An order to make one index of the runbook without locking out writes."""

    name: Index
    disk_free_ratio: float | None = Field(default=None, ge=0, le=1)
    """Free space on the database's disk, which SQL cannot know; None: not known."""


# Sizes and rows as of the last vacuum: pg_relation_size waits for whoever has locked the table.
_TABLE = """
SELECT t.oid, t.relkind = 'p' AS partitioned, nullif(t.reltuples, -1)::bigint AS rows,
       t.relpages::bigint * current_setting('block_size')::int AS table_bytes,
       s.seq_scan AS sequential_scans, s.seq_tup_read AS rows_read_sequentially,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) AS has
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = t.oid
WHERE n.nspname = %(schema)s AND t.relname = %(table)s AND t.relkind IN ('r', 'p', 'm')
"""
# Only whole, plain indexes: one with a condition or an expression serves other questions.
_INDEXES = """
SELECT c.relname AS name, i.indisvalid AND i.indisready AS valid,
       i.indpred IS NULL AND i.indexprs IS NULL AND m.amname = 'btree' AS plain,
       ARRAY(SELECT a.attname::text
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = %(oid)s ORDER BY c.relname
"""
_TAKEN = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
"""
# Before its entry is in the catalogue only the statement tells which index a session builds.
_BUILDER = """
SELECT p.pid FROM pg_stat_progress_create_index p JOIN pg_stat_activity a ON a.pid = p.pid
LEFT JOIN pg_class c ON c.oid = p.index_relid
WHERE p.relid = %(oid)s AND p.command LIKE 'CREATE INDEX%%'
  AND (c.relname = %(name)s OR position(%(name)s IN a.query) > 0)
"""


class PostgresIndexes:
    """Looks at the indexes that the runbook names."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="postgres.missing_indexes")
    async def missing_indexes(self, ask: Nothing) -> MissingIndexes:  # noqa: ARG002
        """Say of each of the runbook's indexes whether it is there and whether it could be made."""
        async with self._database.session() as session:
            return MissingIndexes(indexes=tuple([await state_of(session, name) for name in Index]))


async def state_of(session: Connection, name: Index) -> IndexState:
    """Look at one index and its table, without waiting for any lock."""
    table, columns, _ = DEFINITIONS[name]
    about: dict[str, Any] = {"name": name.value, "table": table, "columns": columns}
    taken = await _one(session, _TAKEN, {"schema": SCHEMA, "name": name.value})
    found = await _one(session, _TABLE, {"schema": SCHEMA, "table": table})
    if found is None:
        state = State.TAKEN if taken else State.MISSING
        return IndexState.model_validate(about | {"state": state, "table_exists": False})
    indexes = await (await session.execute(_INDEXES, found)).fetchall()
    builder = await _one(session, _BUILDER, {"oid": found["oid"], "name": name.value})
    own = next((index for index in indexes if index["name"] == name.value), None)
    if builder is not None:
        state = State.BUILDING
    elif own is None:
        state = State.TAKEN if taken else State.MISSING
    elif not _serves(own, columns):
        state = State.TAKEN
    else:
        state = State.VALID if own["valid"] else State.INVALID
    others = (index for index in indexes if index is not own and index["valid"])
    about |= {
        "state": state,
        "table_exists": True,
        "missing_columns": [column for column in columns if column not in found["has"]],
        "covered_by": next((one["name"] for one in others if _serves(one, columns)), ""),
        "builder": builder and builder["pid"],
    }
    return IndexState.model_validate(found | about)


def _serves(index: dict[str, Any], columns: tuple[str, ...]) -> bool:
    return bool(index["plain"]) and tuple(index["columns"][: len(columns)]) == columns


async def _one(
    session: Connection, question: str, values: Mapping[str, Any]
) -> dict[str, Any] | None:
    return await (await session.execute(question, values)).fetchone()
