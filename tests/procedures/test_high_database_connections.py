from datetime import timedelta

import pytest

from activities.postgres import Connections, Held
from activities.postgres_sessions import Session, Sessions
from activities.record import Asks
from activities.supervisor import Process, Processes
from activities.words import Risk
from tests.procedures.asking import LATE, NOW, activities, plan, said, the

CANCEL, TERMINATE, SWITCH = "postgres.cancel", "postgres.terminate", "switches.set"


def session(pid: int, state: str = "idle in transaction", age: float = 600, **more) -> Session:
    begun = NOW - timedelta(seconds=age)
    about = {
        "pid": pid,
        "backend_start": begun,
        "query_start": begun,
        "xact_start": begun,
        "query_id": 7,
        "state": state,
        "application": "report",
        "user": "app",
        "client": "10.0.0.7",
        "age_seconds": age,
        "query": "SELECT *\n  FROM users",
    }
    return Session(**about | more)


def connections(used: int = 88, most: int = 100, ours: int = 40, **more) -> Connections:
    held = (
        Held(state="idle", application="pravado-api", user="app", count=ours),
        Held(state="idle in transaction", application="report", user="app", count=used - ours),
    )
    about = {"used": used, "max": most, "reserved": 3, "used_ratio": used / most, "by": held}
    return Connections(**about | more)


def instances(*pools: str | None) -> Processes:
    return Processes(
        app="pravado-api",
        instances=tuple(
            Process(
                id=n,
                pid=100 + n,
                status="online",
                restarts=0,
                environment={} if pool is None else {"DB_POOL_MAX": pool},
            )
            for n, pool in enumerate(pools)
        ),
    )


def listed(*sessions: Session, **more) -> Sessions:
    return Sessions(sessions=sessions, **more)


RUNS, IDLE = session(101, "active"), session(102)
FULL = {
    "connections": connections(),
    "sessions": listed(RUNS, IDLE),
    "instances": instances("20", "20"),
}


def full(given=None, **found):
    return plan("HighDatabaseConnections", FULL | found, **(given or {}))


ROOM = {"connections": connections(used=170, most=200, ours=160), "sessions": listed()}
BLIND = {"blind": True, "why_blind": "our role may not see other sessions"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, [CANCEL, TERMINATE], id="statements run and transactions idle: both"),
        pytest.param(
            {"sessions": listed(IDLE)}, [TERMINATE], id="idle ones alone: a cancel is useless"
        ),
        pytest.param({"sessions": listed(RUNS)}, [CANCEL, TERMINATE], id="running ones alone"),
        pytest.param(
            {"sessions": listed()}, [], id="nobody holds on, and no room for a larger pool"
        ),
        pytest.param(ROOM, [SWITCH], id="nobody holds on, and there is room: a larger pool"),
        pytest.param(
            ROOM | {"sessions": listed(IDLE)}, [TERMINATE, SWITCH], id="first sessions, then pool"
        ),
        pytest.param({"sessions": None}, [], id="the sessions could not be read: nobody is ended"),
        pytest.param({"connections": None}, [CANCEL, TERMINATE], id="the count could not be read"),
        pytest.param(ROOM | {"connections": None}, [], id="no count, no larger pool"),
        pytest.param(ROOM | {"instances": None}, [], id="no instances, no larger pool"),
        pytest.param({"sessions": listed(**BLIND)}, [], id="blind to sessions: nobody is ended"),
        pytest.param(
            ROOM | {"connections": connections(used=170, most=200, ours=160, **BLIND)},
            [],
            id="blind to who holds the connections: no larger pool",
        ),
        pytest.param(
            {"connections": connections(used=79)},
            [],
            id="PostgreSQL contradicts the alert: no step",
        ),
        pytest.param(
            ROOM | {"instances": instances("20", "50")}, [], id="the pools differ: left alone"
        ),
        pytest.param(
            ROOM | {"instances": instances("many")}, [], id="a pool size that is no number"
        ),
        pytest.param(
            ROOM | {"instances": instances()}, [], id="no instance runs: no pool to change"
        ),
        pytest.param(
            ROOM | {"connections": connections(used=170, most=200, ours=160, pooler=True)},
            [],
            id="a pooler's limit is not known: no larger pool",
        ),
    ],
)
def test_what_is_done_when_connections_run_out(found, expected):
    assert activities(full(**found)) == expected


def test_it_is_asked_once_and_terminates_exactly_what_was_approved():
    planned = full()
    cancel, terminate = the(planned, CANCEL), the(planned, TERMINATE)

    assert (cancel.asks, terminate.asks) == (Asks.ALWAYS, Asks.ALWAYS)
    assert (cancel.risk, terminate.risk) == (Risk.DESTRUCTIVE, Risk.DESTRUCTIVE)
    assert terminate.approved_with == cancel.key
    refs = [one.ref.model_dump(mode="json") for one in (RUNS, IDLE)]
    assert cancel.order["sessions"] == refs[:1]
    assert terminate.order["sessions"] == refs
    assert set(cancel.details) <= set(terminate.details)
    assert (cancel.effect, terminate.effect) == (
        "cancel 1 statement",
        "terminate 2 backends, those cancelled among them",
    )
    assert terminate.details == [
        "report, active for 600 s: “SELECT * FROM users”: pid 101",
        "report, idle in transaction for 600 s: “SELECT * FROM users”: pid 102",
    ]


def test_where_nothing_can_be_cancelled_the_terminate_asks_for_itself():
    assert the(full(sessions=listed(IDLE)), TERMINATE).approved_with == ""


NEVER = (
    "ours",
    "replication",
    "dump",
    "index build",
    "migration",
    "superuser",
    "autovacuum worker",
    "autovacuum against wraparound",
    "not visible to us",
)


@pytest.mark.parametrize(
    "why", [pytest.param(why, id=f"{why}: never ended, and said so") for why in NEVER]
)
def test_the_protected_are_never_ended(why):
    planned = full(
        sessions=listed(session(66, protected=why), session(67, "active", protected=why))
    )

    assert activities(planned) == []
    assert f"left alone: pid 66 (report, idle in transaction 600 s): {why}" in planned.findings


def test_only_the_root_of_a_chain_is_ended_for_the_others_go_on_by_themselves():
    root = session(1, blocks=2, root_blocker=True)
    waiters = (session(2, "active", blocked_by=(1,)), session(3, "active", blocked_by=(1,)))
    planned = full(sessions=listed(root, *waiters))

    assert activities(planned) == [TERMINATE]
    assert [ref["pid"] for ref in the(planned, TERMINATE).order["sessions"]] == [1]
    assert "pid 1 (blocks 2)" in the(planned, TERMINATE).details[0]
    assert "left alone: pid 2, pid 3: waits for pid 1" in planned.findings


@pytest.mark.parametrize(
    ("holder", "root"),
    [
        pytest.param(9, session(9, protected="migration", blocks=1), id="behind a migration"),
        pytest.param(0, None, id="behind a prepared transaction"),
    ],
)
def test_who_waits_for_what_may_not_be_ended_is_left_alone(holder, root):
    waiter = session(2, "active", blocked_by=(holder,))

    assert activities(full(sessions=listed(*([root] if root else []), waiter))) == []


def test_a_short_blocker_is_not_ended():
    assert activities(full(sessions=listed(session(1, age=3, blocks=4)))) == []


def test_many_sessions_alike_are_named_one_by_one_in_one_line():
    many = [session(pid, age=600 + pid) for pid in range(1, 31)]
    terminate = the(full(sessions=listed(*many, left_out=2)), TERMINATE)

    [line] = terminate.details
    assert line.startswith("report, idle in transaction for 601 to 630 s: “SELECT * FROM users”: ")
    assert all(f"pid {one.pid}" in line for one in many)
    assert len(terminate.order["sessions"]) == 30


def test_more_than_can_be_named_are_not_ended_and_that_is_said():
    many = [session(pid) for pid in range(1, 61)]
    planned = full(sessions=listed(*many, left_out=5))

    assert len(the(planned, TERMINATE).order["sessions"]) == 30
    assert "35 more sessions are not named, and not ended" in planned.findings


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"connections": connections(pooler=True)}, id="seen among the connections"),
        pytest.param({"sessions": listed(session(5, pooled=True))}, id="seen at the session"),
    ],
)
def test_behind_a_pooler_a_backend_is_not_a_client_and_the_question_says_so(found):
    assert "behind a pooler: each may serve another client" in the(full(**found), TERMINATE).effect


@pytest.mark.parametrize(
    ("found", "size"),
    [
        # 200 less 3 reserved, 10 kept free and 10 of others are 177 for two.
        pytest.param({}, "88", id="as much as max_connections leaves"),
        pytest.param(
            {"connections": connections(used=470, most=500, ours=460)}, "100", id="at most 100"
        ),
    ],
)
def test_the_pool_grows_within_what_the_database_leaves(found, size):
    step = the(full(**ROOM | found), SWITCH)

    assert step.order["values"] == {"database pool size": size}
    assert step.effect == (
        f"set “database pool size” from 20 to {size}, "
        "which restarts all 2 instances of pravado-api once"
    )
    assert (step.risk, step.undo, step.asks) == (Risk.DISRUPTIVE, True, Asks.POLICY)


def test_other_peoples_connections_are_not_given_to_the_pool():
    planned = full(**ROOM | {"connections": connections(used=170, most=200, ours=0)})

    assert activities(planned) == []
    assert "the pool stays 20: beside the others the database has 17 connections" in said(planned)


def test_a_pool_is_never_made_smaller():
    assert activities(full(**ROOM | {"instances": instances("90", "90")})) == []


def test_a_pool_that_is_not_set_has_the_size_of_the_settings():
    step = the(full({"pool_size": 50}, **ROOM | {"instances": instances(None)}), SWITCH)

    assert "from 50 to 100" in step.effect


def test_a_threshold_of_the_settings_decides_what_is_full():
    assert activities(full({"thresholds": {"HighDatabaseConnections": 0.9}})) == []


def test_people_read_who_holds_the_connections_and_what_could_not_be_read():
    planned = full()
    blind = full(sessions=None)

    assert planned.cause == ("88 of 100 connections are used; 2 are held for long and may be ended")
    assert "48 report idle in transaction" in said(planned)
    assert f"long statements, and who blocks whom: could not be read: {LATE}" in blind.findings
    assert "cannot be seen" in blind.cause
    assert "larger database" in planned.when_out
