"""What the probes find when the API is slow, and each of the causes that they may show."""

from datetime import timedelta

from activities.deployments import ReleaseHistory
from activities.host import Capacity
from activities.postgres import Connections
from activities.postgres_indexes import Index, IndexState, MissingIndexes, State
from activities.postgres_sessions import Sessions
from activities.postgres_statements import Plan, Scanned, SequentialScans, Statements
from activities.prometheus import Series, SeriesAnswer, Value
from activities.sentry import Transactions
from activities.supervisor import Process, Processes
from tests.procedures.asking import NOW, plan

SCALE, RESTART = "processes.scale", "processes.rolling_restart"
SWITCH, INDEX = "switches.set", "postgres.create_index"
MIB = 2**20


def value(number: float | None) -> Value:
    return Value(value=number, at=NOW)


def series(label: str, **values: float | None) -> SeriesAnswer:
    return SeriesAnswer(
        series=tuple(Series(labels={label: name}, value=number) for name, number in values.items())
    )


def instances(count: int = 2, *, started: float = 86_400, environment=None, **more) -> Processes:
    about = {
        "status": "online",
        "restarts": 1,
        "started_at": NOW - timedelta(seconds=started),
        "memory_bytes": 200 * MIB,
        "environment": environment or {},
    }
    return Processes(
        app="pravado-api",
        instances=tuple(Process(id=n, pid=100 + n, **about | more) for n in range(count)),
    )


def capacity(**more) -> Capacity:
    about = {
        "cores": 4,
        "load_1m": 1.0,
        "cpu_busy_ratio": 0.25,
        "memory_total_bytes": 8192 * MIB,
        "memory_available_bytes": 4096 * MIB,
        "disk_free_ratio": 0.6,
    }
    return Capacity(**about | more)


def connections(used: int = 50, most: int = 200, **more) -> Connections:
    about = {"used": used, "max": most, "reserved": 3, "used_ratio": used / most}
    return Connections(**about | more)


def index(name: Index = Index.USERS_ORGANIZATION_ID, **more) -> IndexState:
    about = {
        "name": name,
        "table": "users",
        "columns": ("organization_id",),
        "state": State.MISSING,
        "table_exists": True,
    }
    return IndexState(**about | more)


USERS = Scanned(
    table="public.users",
    rows=250_000,
    size_bytes=80 * MIB,
    sequential_scans=12_400,
    index_scans=3,
    rows_read_per_scan=250_000,
)
FINE = {
    "p95": value(0.9),
    "routes": series("route", **{"/api/orgs": 0.9}),
    "queries": series("query_type", select=0.02),
    "providers": series("provider", openai=1.2),
    "rate": value(20.0),
    "baseline": value(19.0),
    "memory": value(400.0 * MIB),
    "slope": value(0.0),
    "capacity": capacity(),
    "instances": instances(),
    "connections": connections(),
    "statements": Statements(),
    "indexes": MissingIndexes(indexes=(index(),)),
    "scans": SequentialScans(tables=(USERS,)),
    "worst": Plan(finding="no SELECT among the top"),
    "old_transactions": Sessions(),
    "disk": value(0.5),
    "releases": ReleaseHistory(releases=()),
    "transactions": Transactions(transactions=()),
}
"""The API is slow, and nothing says why."""
SPIKE = FINE | {"rate": value(60.0), "baseline": value(20.0)}
DATABASE = FINE | {"queries": series("query_type", select=0.9, insert=0.1)}
LLM = FINE | {"providers": series("provider", openai=14.0, anthropic=2.0)}
LEAK = FINE | {"slope": value(100 * MIB / 3600)}


def latency(base=FINE, given=None, **found):
    return plan("HighAPILatency", base | found, **(given or {}))
