"""Runbook, "API Performance Incidents"."""

from __future__ import annotations

from activities.edge import Edge
from activities.host import HostPong
from activities.postgres_findings import Finding
from activities.postgres_indexes import Index, IndexState, MissingIndexes, State
from activities.postgres_reach import Selected
from activities.postgres_sessions import Sessions
from activities.postgres_statements import Plan, Scanned, SequentialScans, Statements
from activities.redis import Pong
from activities.sentry import Issues, Transactions
from activities.services import Unit
from workflows.procedures.api_performance import CriticalAPILatency, HighAPILatency
from workflows.procedures.slow_queries import SlowDatabaseQueries
from workflows.situations.base import Situation, Situations, asked_by
from workflows.situations.by_hand import LOOK_AT_API, MAINTENANCE
from workflows.situations.releases import history
from workflows.situations.usual import (
    GIB,
    MIB,
    busiest,
    capacity,
    connections,
    instances,
    series,
    value,
)

NO_ANSWER = Selected(answered=False, finding=Finding.REFUSED, said="connection refused", failures=3)
API = {
    "p95": value(0.9),
    "failing": value(0.002),
    "throughout": value(0.001),
    "routes": series("route", {"/api/orgs": 0.9}),
    "queries": series("query_type", {"select": 0.02}),
    "providers": series("provider", {"openai": 1.2, "anthropic": 1.4}),
    "rate": value(20.0),
    "baseline": value(19.0),
    "memory": value(400.0 * MIB),
    "slope": value(0.0),
    "capacity": capacity(),
    "instances": instances(),
    "connections": connections(most=400),
    "sessions": Sessions(),
    "statements": Statements(),
    "indexes": MissingIndexes(
        indexes=(
            IndexState(
                name=Index.USERS_ORGANIZATION_ID,
                table="users",
                columns=("organization_id",),
                state=State.MISSING,
                table_exists=True,
            ),
        )
    ),
    "scans": SequentialScans(
        tables=(
            Scanned(
                table="public.users",
                rows=250_000,
                size_bytes=80 * MIB,
                sequential_scans=12_400,
                index_scans=3,
                rows_read_per_scan=250_000,
            ),
        )
    ),
    "worst": Plan(finding="no SELECT among the top"),
    "old_transactions": Sessions(),
    "disk": value(0.5),
    "releases": history(),
    "transactions": Transactions(transactions=()),
    "issues": Issues(issues=()),
    "busiest": busiest(40.0, 38.0),
    "reach": Selected(answered=True, took_seconds=0.01),
    "reach_from_host": Selected(answered=True),
    "from_worker": Pong(answered=True, milliseconds=1.0),
    "from_host": HostPong(answered=True),
    "provider": None,
    "service": Unit(loaded=True, state="active", pid=812, self_hosted=True),
    "deployment": None,
    "edge": Edge(on=False, share=1.0, holders=()),
}
"""The API as it usually is, with an index missing on a large table."""
SLOW_DATABASE = {"queries": series("query_type", {"select": 1.9, "insert": 0.1})}
SLOW_PROVIDER = {"providers": series("provider", {"openai": 14.0, "anthropic": 2.0})}

SITUATIONS = (
    Situations(
        HighAPILatency,
        asked_by(HighAPILatency, API),
        (
            Situation("Three times the requests of an hour ago", {"rate": value(60.0)}),
            Situation(
                "The same, on a host without room",
                {"rate": value(60.0), "capacity": capacity(memory_left=1 * GIB)},
            ),
            Situation("The database is slow, and an index is missing", SLOW_DATABASE),
            Situation("An LLM provider answers slowly, the other well", SLOW_PROVIDER),
            Situation("The API's memory grows by a quarter an hour", {
                "slope": value(100 * MIB / 3600),
            }),
            Situation("Nothing says why"),
            Situation("It is fast again when we look", {"p95": value(0.2)}),
        ),
        by_hand=LOOK_AT_API + """\
pm2 scale pravado-api 5                       # only if CPU, memory and 5 times the pool allow it
pm2 reload pravado-api                        # one instance after the other
""",
    ),
    Situations(
        CriticalAPILatency,
        asked_by(CriticalAPILatency, API | {
            "p95": value(3.4), "throughout": value(0.02),
            "routes": series("route", {"/api/orgs": 3.9}),
        }),
        (
            Situation("Database and providers are well: more instances"),
            Situation("An LLM provider answers slowly", SLOW_PROVIDER),
            Situation("The database is overloaded: no scaling", SLOW_DATABASE),
            Situation("The database does not answer", {
                "reach": NO_ANSWER, "reach_from_host": NO_ANSWER,
            }),
            Situation("More than half of the requests have failed for five minutes", {
                "throughout": value(0.7), "failing": value(0.8),
            }),
        ),
        by_hand=LOOK_AT_API + """\
pm2 scale pravado-api 10                      # only if the database is NOT what is slow
# circuit breaker, in one restart of each instance:
NON_CRITICAL_LLM_OFF=true SERVE_CACHED=true pm2 reload pravado-api --update-env
""" + MAINTENANCE,
    ),
    Situations(
        SlowDatabaseQueries,
        asked_by(SlowDatabaseQueries, API | {
            "queries": series("query_type", {"report": 2.4, "select": 0.02}),
        }),
        (
            Situation("A large table is read whole, and its index is missing"),
            Situation("The database's disk is nearly full", {"disk": value(0.1)}),
            Situation("No table is read whole", {"scans": SequentialScans(tables=())}),
        ),
        by_hand="""\
psql "$DATABASE_URL" -c "SELECT query, calls, mean_exec_time FROM pg_stat_statements
                         ORDER BY total_exec_time DESC LIMIT 10"
psql "$DATABASE_URL" -c "EXPLAIN SELECT …"    # never EXPLAIN ANALYZE: it runs the statement
# CONCURRENTLY, or all writes to the table wait; not while transactions are older than 5 min:
psql "$DATABASE_URL" -c "SET lock_timeout = '5s'" \\
     -c "CREATE INDEX CONCURRENTLY idx_users_organization_id ON users(organization_id)"
""",
    ),
)  # fmt: skip
