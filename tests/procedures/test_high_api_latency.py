from datetime import timedelta

import pytest

from activities.host import Capacity, Deployment, Deployments
from activities.postgres import Connections
from activities.postgres_indexes import Index, IndexState, MissingIndexes, State
from activities.postgres_sessions import Session, Sessions
from activities.postgres_statements import Plan, Scanned, SequentialScans, Statement, Statements
from activities.prometheus import Series, SeriesAnswer, Value
from activities.record import Asks
from activities.supervisor import Process, Processes
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, consult, plan, said, the

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
    "deployment": Deployments(last=(), newest_minutes_ago=None),
}
"""The API is slow, and nothing says why."""
SPIKE = FINE | {"rate": value(60.0), "baseline": value(20.0)}
DATABASE = FINE | {"queries": series("query_type", select=0.9, insert=0.1)}
LLM = FINE | {"providers": series("provider", openai=14.0, anthropic=2.0)}
LEAK = FINE | {"slope": value(100 * MIB / 3600)}


def latency(base=FINE, given=None, **found):
    return plan("HighAPILatency", base | found, **(given or {}))


@pytest.mark.parametrize(
    ("base", "expected", "cause"),
    [
        pytest.param(FINE, [RESTART], "no clear cause", id="no clear cause: a restart is proposed"),
        pytest.param(SPIKE, [SCALE], "traffic grew 3.0 times", id="a traffic spike: scale"),
        pytest.param(
            DATABASE, [INDEX], "the database is slow: select 0.90 s", id="database: index"
        ),
        pytest.param(LLM, [SWITCH], "an LLM provider is slow: openai 14.00 s", id="LLM: switch"),
        pytest.param(LEAK, [RESTART], "memory grows by 25% an hour", id="memory grows: restart"),
        pytest.param(
            DATABASE | {"providers": LLM["providers"]},
            [INDEX, SWITCH],
            "the database is slow: select 0.90 s; an LLM provider is slow",
            id="two causes: each is treated, in the runbook's order",
        ),
        pytest.param(
            SPIKE | {"queries": DATABASE["queries"]},
            [INDEX],
            "the database is slow",
            id="a spike on a slow database is not scaled: it would drown it",
        ),
        pytest.param(
            SPIKE | {"slope": LEAK["slope"]},
            [SCALE],
            "traffic grew",
            id="memory that grows with traffic is no leak",
        ),
        pytest.param(
            LEAK | {"instances": instances(started=600)},
            [RESTART],
            "no clear cause",
            id="memory that grows after a start is no leak",
        ),
        pytest.param(
            FINE | {"slope": value(1000.0), "capacity": capacity(memory_available_bytes=900 * MIB)},
            [RESTART],
            "memory grows",
            id="a host short of memory, and still growing: restart",
        ),
        pytest.param(
            FINE | {"capacity": capacity(memory_available_bytes=900 * MIB)},
            [RESTART],
            "no clear cause",
            id="a host short of memory that does not grow is no leak",
        ),
        pytest.param(
            SPIKE | {"p95": value(0.3)}, [], "p95 is 0.30 s now", id="it is fast again: no step"
        ),
        pytest.param(SPIKE | {"p95": None}, [SCALE], "traffic grew", id="p95 could not be read"),
        pytest.param(SPIKE | {"p95": value(None)}, [SCALE], "traffic grew", id="p95 has no data"),
    ],
)
def test_each_cause_is_treated_as_the_runbook_says(base, expected, cause):
    planned = latency(base)

    assert activities(planned) == expected
    assert cause in planned.cause


@pytest.mark.parametrize(
    ("found", "asks"),
    [
        pytest.param({}, Asks.POLICY, id="everything was read: the policy decides"),
        pytest.param({"instances": None}, Asks.ALWAYS, id="the instances were not: ask"),
        pytest.param({"connections": None}, Asks.ALWAYS, id="the connections were not: ask"),
        pytest.param({"queries": None}, Asks.ALWAYS, id="the database's p95 was not: ask"),
        pytest.param({"capacity": None}, Asks.ALWAYS, id="the host was not: ask"),
        pytest.param(
            {"queries": series("query_type", select=None)}, Asks.ALWAYS, id="p95 has no data: ask"
        ),
        pytest.param({"queries": SeriesAnswer(series=())}, Asks.ALWAYS, id="p95 is empty: ask"),
        pytest.param({"capacity": capacity(load_1m=None)}, Asks.ALWAYS, id="no load: ask"),
        pytest.param(
            {"capacity": capacity(memory_available_bytes=None)}, Asks.ALWAYS, id="no memory: ask"
        ),
        pytest.param(
            {"connections": connections(blind=True, why_blind="blind")},
            Asks.ALWAYS,
            id="blind: ask",
        ),
        pytest.param(
            {"connections": connections(pooler=True)}, Asks.ALWAYS, id="a pooler in between: ask"
        ),
        pytest.param(
            {"instances": instances(memory_bytes=None)}, Asks.ALWAYS, id="no size of one: ask"
        ),
        pytest.param(
            {"instances": instances(environment={"DB_POOL_MAX": "many"})},
            Asks.ALWAYS,
            id="no pool size: ask",
        ),
    ],
)
def test_scaling_asks_where_what_makes_it_safe_could_not_be_read(found, asks):
    planned = latency(SPIKE, **found)

    assert the(planned, SCALE).asks is asks
    assert any("scaling asks first" in line for line in planned.findings) is (asks is Asks.ALWAYS)


@pytest.mark.parametrize(
    ("given", "found", "reason"),
    [
        pytest.param(
            {},
            {"connections": connections(used=50, most=100)},
            "5 instances may open 100 connections, and the database has 87 for them",
            id="the pools would not fit into max_connections less the reserve",
        ),
        pytest.param(
            {},
            {"instances": instances(environment={"DB_POOL_MAX": "50"})},
            "may open 250 connections",
            id="the pool size that is set counts, not the declared one",
        ),
        pytest.param(
            {},
            {"connections": connections(used=160)},
            "160 of 200 database connections are used",
            id="80 % of the connections are used",
        ),
        pytest.param(
            {},
            {"queries": series("query_type", select=0.9)},
            "the database is slow",
            id="the database is slow",
        ),
        pytest.param(
            {}, {"capacity": capacity(load_1m=3.7)}, "the host's load is 0.93", id="no CPU left"
        ),
        pytest.param(
            {},
            {"capacity": capacity(memory_available_bytes=1200 * MIB)},
            "3 more instances need 600 MiB",
            id="the new instances would not fit into the host's memory",
        ),
        pytest.param(
            {}, {"instances": instances(8)}, "8 instances run already", id="never scaled down"
        ),
        pytest.param(
            {"replicas_most": 2}, {}, "2 instances run already", id="never above the most allowed"
        ),
        pytest.param(
            {},
            {"connections": connections(used=160), "capacity": None},
            "160 of 200",
            id="what was read and forbids wins over what could not be read",
        ),
    ],
)
def test_scaling_is_not_planned_where_something_stands_against_it(given, found, reason):
    planned = latency(SPIKE, given, **found)

    assert SCALE not in activities(planned)
    assert any(line.startswith("not scaled") and reason in line for line in planned.findings)


def test_a_scale_says_from_what_to_what_and_is_undone():
    scale = the(latency(SPIKE), SCALE)

    assert scale.effect == "scale pravado-api from 2 to 5 instances"
    assert (scale.risk, scale.undo) == (Risk.REVERSIBLE, True)
    assert scale.order == {"app": "pravado-api", "replicas": 5, "most": 12}


@pytest.mark.parametrize(
    ("rate", "baseline"),
    [
        pytest.param(None, value(20.0), id="the rate could not be read"),
        pytest.param(value(60.0), None, id="the hour before could not be read"),
        pytest.param(value(60.0), value(None), id="the hour before has no data"),
        pytest.param(value(None), value(20.0), id="now has no data"),
        pytest.param(value(60.0), value(0.0), id="there was no traffic to compare with"),
        pytest.param(value(29.0), value(20.0), id="it grew less than a spike"),
    ],
)
def test_no_traffic_spike_is_made_up(rate, baseline):
    assert SCALE not in activities(latency(rate=rate, baseline=baseline))


@pytest.mark.parametrize(
    ("found", "values"),
    [
        pytest.param(
            {},
            {"LLM time-out (ms)": "10000", "LLM routing": "forcedProvider:anthropic"},
            id="time-outs down, and the other provider",
        ),
        pytest.param(
            {"providers": series("provider", anthropic=14.0, openai=2.0)},
            {"LLM time-out (ms)": "10000", "LLM routing": "forcedProvider:openai"},
            id="the other way round",
        ),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=14.0)},
            {"LLM time-out (ms)": "10000"},
            id="both are slow: nowhere to go",
        ),
        pytest.param(
            {"providers": series("provider", mistral=14.0)},
            {"LLM time-out (ms)": "10000"},
            id="a provider without another",
        ),
        pytest.param(
            {"instances": instances(environment={"LLM_TIMEOUT_MS": "5000"})},
            {"LLM routing": "forcedProvider:anthropic"},
            id="a shorter time-out is never made longer",
        ),
        pytest.param(
            {
                "instances": instances(
                    environment={"LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
                )
            },
            {"LLM time-out (ms)": "10000"},
            id="the other provider is forced already",
        ),
    ],
)
def test_a_slow_provider_is_waited_for_less_in_one_restart(found, values):
    switch = the(latency(LLM, **found), SWITCH)

    assert switch.order["values"] == values
    assert (switch.risk, switch.undo, switch.restarts) == (Risk.DISRUPTIVE, True, True)
    assert switch.asks is Asks.POLICY


def test_switches_are_shown_before_and_after():
    assert the(latency(LLM), SWITCH).effect == (
        "set LLM time-out (ms) from 30000 to 10000, LLM routing from costOptimized to "
        "forcedProvider:anthropic, which restarts all 2 instances of pravado-api once"
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"providers": series("provider", openai=14.0)}, id="nobody calls the other"),
        pytest.param(
            {"providers": series("provider", openai=14.0, anthropic=None)}, id="it has no data"
        ),
        pytest.param({"instances": None}, id="how it is set could not be read"),
    ],
)
def test_going_to_a_provider_that_nobody_measured_asks(found):
    assert the(latency(LLM, **found), SWITCH).asks is Asks.ALWAYS


def test_switches_that_are_set_already_are_not_set_again():
    set_ = {"LLM_TIMEOUT_MS": "10000", "LLM_ROUTING_STRATEGY": "forcedProvider:anthropic"}
    planned = latency(LLM, instances=instances(environment=set_))

    assert activities(planned) == []
    assert "the LLM switches are set for it already" in planned.findings


def test_an_index_says_what_it_is_on_asks_and_stays():
    planned = latency(DATABASE)
    step = the(planned, INDEX)

    assert step.effect == (
        "create index idx_users_organization_id on users (organization_id), concurrently; "
        "writes go on meanwhile, and it stays"
    )
    assert step.why == "users was read whole 12400 times, 250000 rows each"
    assert (step.asks, step.risk, step.undo) == (Asks.ALWAYS, Risk.DISRUPTIVE, False)
    assert step.order == {"name": "idx_users_organization_id", "disk_free_ratio": 0.5}
    assert step.key == "postgres.create_index@idx_users_organization_id"
    assert "write a migration" in said(planned)


OLD = Session(
    pid=7,
    backend_start=NOW,
    query_start=NOW,
    xact_start=NOW,
    state="idle in transaction",
    application="report",
    user="app",
    client="local",
    age_seconds=400,
    query="SELECT 1",
)


@pytest.mark.parametrize(
    ("given", "found", "reason"),
    [
        pytest.param({}, {"indexes": None}, "no index is proposed", id="the indexes were not read"),
        pytest.param({}, {"scans": None}, "no index is proposed", id="the scans were not read"),
        pytest.param(
            {},
            {"scans": SequentialScans(tables=())},
            "nothing shows that it would help",
            id="its table is not read whole",
        ),
        pytest.param(
            {},
            {"scans": SequentialScans(tables=(USERS.model_copy(update={"table": "old.users"}),))},
            "nothing shows that it would help",
            id="a table of its name in another schema is another table",
        ),
        pytest.param({}, {"disk": None}, "not known to be 20% free", id="the disk was not read"),
        pytest.param({}, {"disk": value(None)}, "not known to be 20%", id="the disk has no data"),
        pytest.param(
            {}, {"disk": value(0.19)}, "19% of the database's disk", id="the disk is full"
        ),
        pytest.param(
            {"database_on_api_host": True},
            {"capacity": capacity(disk_free_ratio=0.1)},
            "10% of the database's disk",
            id="the disk of the API's host is full, and it is the database's",
        ),
        pytest.param(
            {},
            {"old_transactions": Sessions(sessions=(OLD,))},
            "it would wait for pid 7 (report), in a transaction for 400 s",
            id="a transaction has been open for five minutes",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(table_exists=False),))},
            "so is its table users",
            id="its table does not exist",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(partitioned=True),))},
            "partitioned users: a person",
            id="its table is partitioned",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(missing_columns=("organization_id",)),))},
            "has no column organization_id",
            id="its column does not exist",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(state=State.BUILDING, builder=9),))},
            "is being built by pid 9",
            id="somebody builds it",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(state=State.TAKEN),))},
            "something else is called",
            id="its name is taken",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(state=State.VALID),))},
            "",
            id="it is there",
        ),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(covered_by="users_org_idx"),))},
            "",
            id="another does the same",
        ),
    ],
)
def test_an_index_is_not_made_where_nothing_supports_it_or_something_stands_against(
    given, found, reason
):
    planned = latency(DATABASE, given, **found)

    assert INDEX not in activities(planned)
    assert reason in said(planned)
    assert RESTART not in activities(planned), "a restart makes no database faster"


@pytest.mark.parametrize(
    ("given", "found", "free"),
    [
        pytest.param(
            {},
            {
                "scans": SequentialScans(tables=()),
                "worst": Plan(query="SELECT 1 FROM users", sequential=("users",)),
            },
            0.5,
            id="the worst SELECT reads its table whole",
        ),
        pytest.param({"database_on_api_host": True}, {"disk": None}, 0.6, id="the host's own disk"),
        pytest.param({}, {"old_transactions": None}, 0.5, id="old transactions not read: it asks"),
        pytest.param(
            {},
            {"indexes": MissingIndexes(indexes=(index(state=State.INVALID),))},
            0.5,
            id="an invalid leftover is made anew",
        ),
    ],
)
def test_an_index_is_proposed_where_the_evidence_supports_it(given, found, free):
    assert the(latency(DATABASE, given, **found), INDEX).order["disk_free_ratio"] == free


def test_every_index_that_helps_is_a_step_of_its_own():
    second = index(
        Index.TRIALS_ORG_STATUS, table="trial_lifecycle", columns=("organization_id", "status")
    )
    scans = (USERS, USERS.model_copy(update={"table": "public.trial_lifecycle"}))
    planned = latency(
        DATABASE,
        indexes=MissingIndexes(indexes=(index(), second)),
        scans=SequentialScans(tables=scans),
    )

    assert [step.key.partition("@")[2] for step in planned.steps] == [
        "idx_users_organization_id",
        "idx_trials_org_status",
    ]


def test_a_restart_without_a_clear_cause_is_only_proposed():
    restart = the(latency(), RESTART)

    assert restart.asks is Asks.ALWAYS
    assert restart.effect == "restart all 2 instances of pravado-api, one at a time"
    assert (restart.risk, restart.restarts, restart.undo) == (Risk.DISRUPTIVE, True, False)


@pytest.mark.parametrize("base", [pytest.param(FINE, id="no cause"), pytest.param(LEAK, id="leak")])
@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"instances": instances(status="errored", restarts=16)}, id="given up by pm2"),
        pytest.param({"instances": instances(started=20, restarts=9)}, id="young, again and again"),
    ],
)
def test_what_crashes_over_and_over_is_not_restarted_once_more(base, found):
    planned = latency(base, **found)

    assert RESTART not in activities(planned)
    assert "crashes over and over" in said(planned)


def test_the_restart_of_a_leak_follows_the_policy_and_the_only_instance_is_named():
    assert the(latency(LEAK), RESTART).asks is Asks.POLICY
    assert the(latency(LEAK, instances=None), RESTART).asks is Asks.ALWAYS
    alone = the(latency(LEAK, instances=instances(1)), RESTART).effect
    assert "the one instance" in alone
    assert "nothing is answered meanwhile" in alone
    assert "find the leak" in said(latency(LEAK))


@pytest.mark.parametrize("key", [pytest.param(key, id=f"without {key}") for key in FINE])
def test_one_missing_answer_never_stops_the_plan(key):
    for base in (FINE, SPIKE, DATABASE, LLM, LEAK):
        planned = latency(base, **{key: None})
        risky = [step for step in planned.steps if step.asks is not Asks.ALWAYS]
        causes = {SCALE: SPIKE, SWITCH: LLM, RESTART: LEAK}
        assert all(base is causes[step.activity] for step in risky), "acts without its evidence"


def test_with_nothing_read_at_all_a_restart_is_proposed_and_every_gap_is_named():
    planned = latency(dict.fromkeys(FINE))

    assert [(step.activity, step.asks) for step in planned.steps] == [(RESTART, Asks.ALWAYS)]
    assert "not all of the evidence could be read" in planned.cause
    assert f"database p95 by type of query: could not be read: {LATE}" in planned.findings


def test_people_get_what_only_they_can_do():
    statement = Statement(
        query_id=1, query="SELECT * FROM users", user="app", calls=900, total_seconds=800.0,
        mean_milliseconds=889.0, max_milliseconds=2000.0, rows=5, share=0.91,
    )  # fmt: skip
    last = Deployment(at=NOW, release="v1.42.0", author="dana")
    planned = latency(
        DATABASE,
        {"sentry": "https://sentry.example.com/pravado"},
        statements=Statements(by_total=(statement,)),
        deployment=Deployments(last=(last,), newest_minutes_ago=1800.0),
        connections=connections(used=190),
    )
    text = said(planned)

    for expected in (
        "optimise “SELECT * FROM users”: 91% of the database's time, 900 calls of 889 ms",
        "https://app.supabase.com",
        "look for N+1 or unbatched queries, missing time-outs",
        "/api/orgs 0.90 s",
        "https://sentry.example.com/pravado",
        "last deployment: v1.42.0 by dana, 30 hours ago",
        "190 of 200 database connections are used",
    ):
        assert expected in text
    assert "sentry" not in said(latency(DATABASE)).lower()


def test_the_window_and_the_threshold_of_the_settings_are_used_everywhere():
    given = {"fast_window": "10s", "thresholds": {"HighAPILatency": 0.8}, "baseline_offset": "15s"}
    answer = consult("HighAPILatency", **given)

    assert answer.facts.condition.threshold == 0.8
    assert "[10s]" in answer.facts.condition.expression
    asked = {probe.key: probe.ask.get("expression", "") for probe in answer.probes}
    assert not [key for key, expression in asked.items() if "[1m]" in expression]
    assert "[10s] offset 15s" in asked["baseline"]
    assert "[30m]" in asked["slope"]
    assert activities(latency(given=given, p95=value(0.7))) == []
