"""Runbook, "Error Rate Incidents"."""

from __future__ import annotations

from datetime import timedelta

from activities.edge import Edge
from activities.host import HostPong, Logs
from activities.postgres_sessions import Sessions
from activities.prometheus import Series, SeriesAnswer
from activities.redis import Pong
from activities.redis_findings import Finding
from activities.services import Unit
from workflows.procedures.error_rate import CriticalAPIErrorRate, HighAPIErrorRate
from workflows.procedures.error_rate_database import DatabaseConnectionErrors
from workflows.situations.api_performance import API, NO_ANSWER, SLOW_PROVIDER
from workflows.situations.base import Situation, Situations, asked_by
from workflows.situations.by_hand import LOOK_AT_API, MAINTENANCE
from workflows.situations.database import ANSWERS, LEFT_OPEN, held, silent, supabase
from workflows.situations.releases import BAD, WITH_MIGRATIONS, history
from workflows.situations.usual import busiest, instances, series, value

_SAID = "ERROR uncaughtException: Cannot read properties of undefined"
FAILING = API | {
    "failing": value(0.12),
    "throughout": value(0.02),
    "by_status": series("status", {"500": 1.8, "503": 0.2}),
    "by_route": SeriesAnswer(
        series=(Series(labels={"status": "500", "route": "/api/dashboard"}, value=1.8),)
    ),
    "logs": Logs(text=_SAID, lines=1),
    "busiest": busiest(40.0, 38.0),
}
_REFUSED = "connection refused"
_NO_REDIS = {
    "from_worker": Pong(answered=False, finding=Finding.REFUSED, said=_REFUSED, milliseconds=1.0),
    "from_host": HostPong(answered=False, finding=Finding.REFUSED, said=_REFUSED),
    "service": Unit(loaded=True, state="failed", result="signal", pid=0, self_hosted=True),
}
_NO_DATABASE = {"reach": NO_ANSWER, "reach_from_host": NO_ANSWER}
_ROLL_BACK = """\
# A release that came shortly before: back to one that is built already. No build on a sick host,
# no `git revert`; not if it brought migrations, and not while the database does not answer.
ls -l ~/pravado/current ~/pravado/releases    # which runs, and which are there
ln -sfn ~/pravado/releases/GOOD ~/pravado/next && mv -T ~/pravado/next ~/pravado/current
pm2 reload pravado-api
"""

SITUATIONS = (
    Situations(
        HighAPIErrorRate,
        asked_by(HighAPIErrorRate, FAILING),
        (
            Situation("Most answer 500, shortly after a deployment", {"releases": history(BAD)}),
            Situation("The same, and the deployment brought migrations", {
                "releases": history(WITH_MIGRATIONS),
            }),
            Situation("Most answer 500, and nothing was deployed"),
            Situation("Most answer 502: instances crashed", {
                "by_status": series("status", {"502": 2.0}),
            }),
            Situation("Most answer 502, and an instance crashes over and over", {
                "by_status": series("status", {"502": 2.0}),
                "instances": instances(up=timedelta(seconds=20), restarts=9),
            }),
            Situation("Most answer 503, and Redis is down", {
                "by_status": series("status", {"503": 2.0}), **_NO_REDIS,
            }),
            Situation("Most answer 504, and an LLM provider is slow", {
                "by_status": series("status", {"504": 2.0}), **SLOW_PROVIDER,
            }),
        ),
        by_hand=LOOK_AT_API + _ROLL_BACK,
    ),
    Situations(
        CriticalAPIErrorRate,
        asked_by(CriticalAPIErrorRate, FAILING | {"failing": value(0.64)}),
        (
            Situation("Shortly after a deployment", {"releases": history(BAD)}),
            Situation("Nothing was deployed"),
            Situation("The database does not answer", _NO_DATABASE),
            Situation("Nothing was deployed, and it has been as bad for five minutes", {
                "throughout": value(0.64),
            }),
        ),
        by_hand=LOOK_AT_API + _ROLL_BACK + MAINTENANCE,
    ),
    Situations(
        DatabaseConnectionErrors,
        {
            "pool": value(1.0),
            "from_worker": ANSWERS,
            "from_host": ANSWERS,
            "status": supabase("operational"),
            "connections": held(60, 200, 40),
            "sessions": Sessions(sessions=(LEFT_OPEN,)),
            "instances": instances(environment={"DB_POOL_MAX": "20"}),
            "throughout": value(0.1),
            "edge": Edge(on=False, share=1.0),
        },
        (
            Situation("The pool is exhausted, and a transaction was left open"),
            Situation("The pool is exhausted, and the database has no room for a larger one", {
                "connections": held(190, 200, 40), "sessions": Sessions(),
            }),
            Situation("The database answers nobody", {
                "from_worker": silent(), "from_host": silent(), "status": supabase("outage"),
                "connections": None, "sessions": None, "pool": value(0.0),
            }),
            Situation("The database answers nobody, and a backup of it is prepared", {
                "from_worker": silent(), "from_host": silent(), "status": supabase("outage"),
                "connections": None, "sessions": None, "pool": value(0.0),
            }, declared={"database_backup": "standby"}),
            Situation("The database answers the worker, and not the API host", {
                "from_host": silent(), "pool": value(0.0),
            }),
        ),
        by_hand="""\
psql "$DATABASE_URL" -c "SELECT state, application_name, count(*) FROM pg_stat_activity
       GROUP BY 1, 2 ORDER BY 3 DESC"
psql "$DATABASE_URL" -c "SELECT pg_terminate_backend(PID)"   # of one that idles in a transaction
# never more than max_connections leaves for all instances together:
DB_POOL_MAX=50 DB_CONNECT_TIMEOUT_MS=5000 pm2 reload pravado-api --update-env
""",
    ),
)  # fmt: skip
