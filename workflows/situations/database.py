"""Runbook, "Database Incidents"."""

from __future__ import annotations

from datetime import timedelta

from activities.edge import Edge
from activities.postgres import Connections, Held
from activities.postgres_findings import Finding
from activities.postgres_reach import Selected
from activities.postgres_sessions import Session, Sessions
from activities.status_pages import ProviderStatus
from workflows.procedures.database import HighDatabaseConnections, SupabaseDown
from workflows.situations.base import AT, Situation, Situations
from workflows.situations.by_hand import MAINTENANCE
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
ANSWERS = Selected(answered=True, took_seconds=0.01)


def silent(finding: Finding = Finding.REFUSED, said: str = "connection refused") -> Selected:
    """Make a look at a database that gives no answer, three times in a row."""
    return Selected(answered=False, finding=finding, said=said, failures=3)


def supabase(state: str) -> ProviderStatus:
    """Make what Supabase says of itself."""
    said = "All Systems Operational" if state == "operational" else "Database: major outage"
    return ProviderStatus.model_validate(
        {"provider": "supabase", "state": state, "said": said, "url": "https://status.supabase.com"}
    )


_LOOK = """\
psql "$DATABASE_URL" -c "SELECT now()"        # from the API host, and from where you are
# https://status.supabase.com; support@supabase.com, the dashboard's support chat, @supabase
# once it is back: assertions about the data, then login, dashboard, subscriptions, then traffic
"""

SITUATIONS = (
    Situations(
        SupabaseDown,
        {
            "from_worker": silent(),
            "from_host": silent(),
            "status": supabase("outage"),
            "edge": Edge(on=False, share=1.0),
        },
        (
            Situation("It answers neither the worker nor the API host"),
            Situation("The status page says that all is well", {"status": supabase("operational")}),
            Situation("It answers the worker", {"from_worker": ANSWERS}),
            Situation("It refuses more connections, so it is not down", {
                "from_worker": silent(Finding.TOO_MANY, "too many clients already"),
                "from_host": silent(Finding.TOO_MANY, "too many clients already"),
            }),
            Situation("It answers both sides", {"from_worker": ANSWERS, "from_host": ANSWERS}),
        ),
        by_hand=_LOOK + MAINTENANCE,
    ),
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
)  # fmt: skip
