import pytest

from activities.postgres_indexes import Index, MissingIndexes, State
from activities.postgres_sessions import Session, Sessions
from activities.postgres_statements import Plan, SequentialScans
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import NOW, activities, said, the
from tests.procedures.slow_api import (
    DATABASE,
    INDEX,
    RESTART,
    USERS,
    capacity,
    index,
    latency,
    value,
)


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
            {"old_transactions": Sessions(sessions=(OLD.model_copy(update={"xact_start": None}),))},
            0.5,
            id="a session that is old and in no transaction: nothing to wait for",
        ),
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
