"""Runbook, "Database Incidents"."""

from __future__ import annotations

from datetime import timedelta

from activities.postgres import Connections, Held
from activities.postgres_sessions import Session, Sessions
from workflows.procedures.database import HighDatabaseConnections
from workflows.situations.base import AT, Situation, Situations
from workflows.situations.usual import instances


def session(pid: int, state: str, minutes: float, query: str) -> Session:
    """Make a session that has held on for so long."""
    begun = AT - timedelta(minutes=minutes)
    return Session(
        pid=pid,
        backend_start=begun,
        query_start=begun,
        xact_start=begun,
        query_id=7,
        state=state,
        application="nightly_report",
        user="report",
        client="10.0.0.7",
        age_seconds=minutes * 60,
        query=query,
    )


def held(used: int, most: int, ours: int) -> Connections:
    """Make the database's connections, *ours* of them the API's own."""
    return Connections(
        used=used,
        max=most,
        reserved=3,
        used_ratio=used / most,
        by=(
            Held(state="idle", application="pravado-api", user="api", count=ours),
            Held(
                state="idle in transaction",
                application="nightly_report",
                user="report",
                count=used - ours,
            ),
        ),
    )


LEFT_OPEN = session(4242, "idle in transaction", 12, "SELECT * FROM users FOR UPDATE")
RUNNING = session(4243, "active", 9, "SELECT * FROM llm_request_logs ORDER BY created_at")

SITUATIONS = (
    Situations(
        HighDatabaseConnections,
        {
            "connections": held(88, 100, 40),
            "sessions": Sessions(sessions=(RUNNING, LEFT_OPEN)),
            "instances": instances(environment={"DB_POOL_MAX": "20"}),
        },
        (
            Situation("Sessions hold on for long: one runs, one was left open"),
            Situation(
                "Nobody holds on, and the database has room",
                {"connections": held(170, 200, 160), "sessions": Sessions()},
            ),
            Situation(
                "Nobody may be seen: the role of the responder lacks pg_monitor",
                {"sessions": Sessions(blind=True, why_blind="the role lacks pg_monitor")},
            ),
        ),
        by_hand="""\
psql "$DATABASE_URL" -c "SELECT pid, application_name, state, now() - xact_start AS open_for,
       left(query, 60) FROM pg_stat_activity ORDER BY xact_start NULLS LAST LIMIT 20"
# cancel first (useless for idle in transaction); never replication, dumps or index builds:
psql "$DATABASE_URL" -c "SELECT pg_cancel_backend(PID)"
psql "$DATABASE_URL" -c "SELECT pg_terminate_backend(PID)"
""",
    ),
)
