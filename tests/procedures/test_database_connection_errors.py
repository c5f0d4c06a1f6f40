"""DatabaseConnectionErrors: an exhausted pool is freed and enlarged, an outage is ridden out."""

import pytest

from activities.edge import Edge
from activities.postgres_findings import Finding
from activities.prometheus import Value
from activities.record import Asks
from activities.supervisor import Process, Processes
from activities.words import Risk, Severity
from tests.procedures.asking import NOW, activities, consult, plan, said, the
from tests.procedures.test_high_database_connections import connections, instances, listed, session
from tests.procedures.test_supabase_down import ANSWERS, down, status
from workflows.policy import Policy, Verdict

TERMINATE, SWITCH, PAGE, LETTER = (
    "postgres.terminate", "switches.set", "maintenance.on", "support.write",
)  # fmt: skip
FENCE = "failover.fence"
FORGOTTEN = session(102, age=400)
ROOM = connections(used=60, most=200, ours=40)


def value(number: float | None) -> Value:
    return Value(value=number, at=NOW)


EXHAUSTED = {
    "pool": value(1.0),
    "from_worker": ANSWERS,
    "from_host": ANSWERS,
    "status": status("operational"),
    "connections": ROOM,
    "sessions": listed(FORGOTTEN),
    "instances": instances("20", "20"),
    "throughout": value(0.1),
    "edge": Edge(on=False, share=1.0),
}
GONE = {"from_worker": down(), "from_host": down(), "status": status("outage"),
        "connections": None, "sessions": None, "pool": value(0.0)}  # fmt: skip


def errors(given=None, **found):
    return plan("DatabaseConnectionErrors", EXHAUSTED | found, **(given or {}))


def test_an_exhausted_pool_forgotten_transactions_are_ended_then_it_is_enlarged():
    planned = errors()

    assert activities(planned) == [TERMINATE, SWITCH]
    end = the(planned, TERMINATE)
    assert (end.risk, end.asks) == (Risk.DESTRUCTIVE, Asks.ALWAYS)
    assert "pid 102" in end.details[0]
    pool = the(planned, SWITCH)
    assert pool.order["values"] == {
        "database pool size": "50", "database connection time-out (ms)": "5000",
    }  # fmt: skip
    assert (pool.risk, pool.undo) == (Risk.DISRUPTIVE, True)
    assert planned.cause == "the API's pool is exhausted: 100% of it is in use"


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(session(7, "active", age=4000), id="what works for long is left"),
        pytest.param(session(7, age=200), id="a transaction that idles for less is left"),
        pytest.param(session(7, age=4000, protected="replication"), id="a protected one is left"),
    ],
)
def test_only_forgotten_transactions_are_ended(kept):
    planned = errors(sessions=listed(kept))

    assert activities(planned) == [SWITCH]
    assert "no session idles in a transaction for over 300 s" in planned.findings


def test_how_long_is_forgotten_is_a_setting():
    assert activities(errors({"idle_in_transaction_seconds": 500})) == [SWITCH]


@pytest.mark.parametrize(
    ("others", "size"),
    [(20, "50"), (130, "28"), (150, None)],
    ids=["there is room", "as much as is left", "too little to be worth a restart"],
)
def test_the_pool_never_grows_above_what_the_database_leaves(others, size):
    # Of 200, 3 are reserved and 10 kept for people; two instances share what others leave.
    planned = errors(connections=connections(used=40 + others, most=200, ours=40))

    sizes = [s.order["values"]["database pool size"] for s in planned.steps if s.activity == SWITCH]
    assert sizes == ([size] if size else [])
    assert size or "the pool stays 20" in said(planned)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({"connections": None}, id="who holds them cannot be read"),
        pytest.param({"instances": None}, id="the instances cannot be read"),
        pytest.param(
            {"connections": connections(used=60, most=200, pooler=True)},
            id="a pooler is in between",
        ),
    ],
)
def test_the_pool_is_left_alone_where_its_room_is_not_known(found):
    planned = errors(**found)

    assert SWITCH not in activities(planned)
    assert "the pool is left alone" in said(planned)


def test_no_slot_left_on_the_server_counts_as_exhausted_and_not_as_down():
    full = down(Finding.TOO_MANY, 0)

    planned = errors(from_worker=full, pool=value(0.2))

    assert planned.cause == "the database takes no more connections"
    assert PAGE not in activities(planned)


@pytest.mark.parametrize(
    ("pool", "connected", "expected"),
    [
        pytest.param(value(0.2), connections(used=176, most=200, ours=40),
                     "176 of the database's 200 connections are used",
                     id="the pool has room, the server has none"),
        pytest.param(None, connections(used=176, most=200, ours=40),
                     "176 of the database's 200 connections are used",
                     id="the pool could not be read, the server could"),
        pytest.param(value(0.2), ROOM, "the database is not down and no pool is seen to be",
                     id="both have room"),
    ],
)  # fmt: skip
def test_a_server_that_is_full_counts_as_exhausted_whatever_the_pool_says(
    pool, connected, expected
):
    planned = errors(pool=pool, connections=connected)

    assert expected in planned.cause
    assert (TERMINATE in activities(planned)) is expected.startswith("176")


def test_a_database_that_is_down_is_shielded_alone_only_if_most_requests_fail_for_minutes():
    planned = errors(**GONE, throughout=value(0.8))

    assert activities(planned) == [PAGE, LETTER]
    assert Policy().decide(the(planned, PAGE), Severity.CRITICAL) is Verdict.ASK
    assert the(planned, PAGE).alone_if.threshold == 0.5, "looked at when its turn has come"
    assert "no backup database is configured to fail over to" in planned.findings


def test_failing_over_always_asks_and_fences_the_old_primary_first():
    planned = errors({"database_backup": "backup-eu"}, **GONE)

    assert activities(planned) == [PAGE, LETTER, FENCE, SWITCH]
    fence, switch = the(planned, FENCE), the(planned, SWITCH)
    assert (fence.risk, fence.asks) == (Risk.DESTRUCTIVE, Asks.ALWAYS)
    assert fence.proves is not None, "it is not believed: it has to be seen to be fenced"
    assert fence.proves.checks == ("failover.fenced",)
    assert (switch.needs, switch.approved_with) == (fence.key, fence.key)
    assert (switch.risk, switch.asks, switch.undo) == (Risk.DESTRUCTIVE, Asks.ALWAYS, False)
    assert switch.order["values"] == {"database in use": "backup-eu"}
    assert "WHAT IT HAS NOT RECEIVED IS MISSING THERE" in switch.why


def test_an_order_names_the_backup_and_never_holds_its_address():
    steps = errors({"database_backup": "backup-eu"}, **GONE).steps

    assert "postgresql://" not in str([step.order for step in steps])


def test_the_backup_that_is_in_use_is_not_failed_over_to_again():
    one = Process(id=0, pid=1, status="online", restarts=0,
                  environment={"DATABASE_PROFILE": "backup-eu"})  # fmt: skip
    running = Processes(app="pravado-api", instances=(one,))

    planned = errors({"database_backup": "backup-eu"}, **GONE, instances=running)

    assert FENCE not in activities(planned)
    assert "uses its backup database (backup-eu) already" in said(planned)


@pytest.mark.parametrize("side", ["from_worker", "from_host"])
def test_one_side_alone_shields_nobody_without_a_person(side):
    planned = errors(**{"pool": value(0.1), "sessions": listed(), side: down()})

    assert activities(planned) == [PAGE]
    assert the(planned, PAGE).asks is Asks.ALWAYS


@pytest.mark.parametrize("finding", [Finding.WRONG_CREDENTIALS, Finding.DNS], ids=str)
def test_credentials_and_dns_are_a_person_s(finding):
    refused = down(finding, 0)

    planned = errors(pool=value(0.1), from_worker=refused, from_host=refused)

    assert activities(planned) == []
    assert "refused for a reason that no step of ours removes" in planned.cause


def test_nothing_read_changes_nothing():
    planned = plan("DatabaseConnectionErrors", {})

    assert activities(planned) == []
    assert planned.when_out.startswith("Please look at DATABASE_URL")


def test_a_pool_without_data_is_not_a_pool_with_room():
    planned = errors(pool=value(None))

    assert activities(planned) == []
    assert "use of the fullest pool: no data" in planned.findings


def test_it_is_over_when_every_instance_gets_answers_and_the_pool_has_room():
    condition = consult("DatabaseConnectionErrors").facts.condition

    both, away, pool = condition.conditions
    assert both.checks == ("postgres.select", "host.database_ping")
    assert (away.expression, away.threshold) == ('1 - min(db_up{job="pravado-api"})', 0.5)
    assert (pool.threshold, pool.unit) == (0.8, "%")
