"""What the probes find when requests fail, and each of the causes that they may show."""

from datetime import timedelta

from activities.deployments import Release, ReleaseHistory
from activities.edge import Edge
from activities.host import HostPong, Logs
from activities.postgres import Held
from activities.postgres_findings import Finding
from activities.postgres_reach import Selected
from activities.postgres_sessions import Sessions
from activities.prometheus import Series, SeriesAnswer
from activities.redis import Pong
from activities.redis_findings import Finding as RedisFinding
from activities.sentry import Issues
from activities.services import Unit
from tests.procedures.asking import NOW, plan
from tests.procedures.slow_api import connections, instances, series, value

ROLLBACK, RESTART, SWITCH = "deployments.rollback", "processes.rolling_restart", "switches.set"
MAINTENANCE = "maintenance.on"


def release(name: str, minutes_ago: float, **more) -> Release:
    about = {
        "at": NOW - timedelta(minutes=minutes_ago),
        "author": "ana",
        "migrations": False,
        "schema_changed": False,
        "environment_changed": False,
        "ready": True,
        "told_by": ("the log of deployments",),
    }
    return Release(name=name, **about | more)


BAD = release("v1.43.0", 12, author="marek")
GOOD = release("v1.42.0", 1800, healthy_minutes=1700.0)
OLDER = release("v1.41.0", 9000, healthy_minutes=7000.0)


def history(*releases: Release, running: str = "", **more) -> ReleaseHistory:
    told = releases or (BAD, GOOD, OLDER)
    return ReleaseHistory(releases=told, running=running or told[0].name, **more)


def statuses(**rates: float) -> SeriesAnswer:
    return SeriesAnswer(
        series=tuple(
            Series(labels={"status": name.removeprefix("s")}, value=rate)
            for name, rate in rates.items()
        )
    )


SILENT = Selected(answered=False, finding=Finding.REFUSED, said="connection refused", failures=3)
FINE = {
    "failing": value(0.12),
    "throughout": value(0.02),
    "by_status": statuses(s500=1.8, s503=0.2),
    "by_route": SeriesAnswer(
        series=(Series(labels={"status": "500", "route": "/api/dashboard"}, value=1.8),)
    ),
    "queries": series("query_type", select=0.02),
    "providers": series("provider", openai=1.2),
    "instances": instances(),
    "connections": connections(),
    "sessions": Sessions(),
    "reach": Selected(answered=True, took_seconds=0.01),
    "reach_from_host": Selected(answered=True),
    "from_worker": Pong(answered=True, milliseconds=1.0),
    "from_host": HostPong(answered=True),
    "service": Unit(loaded=True, state="active", pid=7, self_hosted=True),
    "releases": history(GOOD, OLDER),
    "issues": Issues(issues=()),
    "logs": Logs(text="listening", lines=1),
    "edge": Edge(on=False, share=1.0, holders=()),
}
"""Requests fail with 500, the last deployment is long ago, and all else is well."""
DEPLOYED = FINE | {"releases": history()}
CRASHED = FINE | {"by_status": statuses(s502=2.0)}
UNAVAILABLE = FINE | {"by_status": statuses(s503=2.0)}
LATE = FINE | {"by_status": statuses(s504=2.0)}
DATABASE_GONE = {"reach": SILENT, "reach_from_host": SILENT}
REDIS_GONE = {
    "from_worker": Pong(answered=False, finding=RedisFinding.REFUSED, milliseconds=1.0),
    "from_host": HostPong(answered=False, finding=RedisFinding.REFUSED),
}
FULL = connections(
    used=170, by=(Held(state="idle", application="pravado-api", user="api", count=160),)
)
"""With room left for larger pools of our own."""
LOOPING = instances(started=20, restarts=9)


def only(name: str, evidence: dict) -> dict:
    """Of the evidence, what the procedure asks for."""
    from tests.procedures.asking import consult

    asked = {probe.key for probe in consult(name).probes}
    return {key: answer for key, answer in evidence.items() if key in asked}


def high(base=FINE, given=None, **found):
    return plan("HighAPIErrorRate", only("HighAPIErrorRate", base) | found, **(given or {}))


def critical(base=FINE, given=None, **found):
    base = base | {"failing": value(0.64)} | found
    return plan("CriticalAPIErrorRate", base, **(given or {}))
