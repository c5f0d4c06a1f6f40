import pytest

from activities.postgres_indexes import MissingIndexes, State
from activities.postgres_statements import Plan, SequentialScans, Statements
from activities.record import Asks
from activities.words import Risk
from tests.procedures.asking import LATE, activities, consult, plan, said, the
from tests.procedures.slow_api import DATABASE, FINE, INDEX, capacity, index, series, value

ASKED = ("queries", "capacity", "statements", "indexes", "scans", "worst", "old_transactions",
         "disk")  # fmt: skip
SLOW = {key: (FINE | DATABASE)[key] for key in ASKED} | {
    "queries": series("query_type", report=2.4, select=0.02)
}


def queries(given=None, **found):
    return plan("SlowDatabaseQueries", SLOW | found, **(given or {}))


@pytest.mark.parametrize(
    ("found", "expected", "said_of_it"),
    [
        pytest.param({}, [INDEX], "slow queries: report 2.40 s", id="a missing index explains it"),
        pytest.param(
            {"indexes": MissingIndexes(indexes=(index(state=State.VALID),))}, [],
            "no missing index explains it", id="every index is there: a person",
        ),
        pytest.param(
            {"scans": SequentialScans(tables=()), "worst": Plan(finding="no SELECT")}, [],
            "nothing shows that it would help", id="no table is read whole: no index on suspicion",
        ),
        pytest.param(
            {"scans": SequentialScans(tables=()), "worst": Plan(sequential=("users",))}, [INDEX],
            "the worst SELECT reads users whole", id="the plan of the worst SELECT shows it",
        ),
        pytest.param({"indexes": None}, [], LATE, id="the indexes could not be read"),
        pytest.param({"scans": None}, [], LATE, id="what is read whole could not be read"),
        pytest.param(
            {"disk": value(0.1)}, [], "10% of the database's disk is free",
            id="too little disk for an index",
        ),
        pytest.param({"disk": None}, [], "is not known to be 20% free", id="disk not known"),
        pytest.param(
            {"queries": series("query_type", report=0.4)}, [], "no type of query is over 1 s now",
            id="it is over by now",
        ),
        pytest.param(
            {"queries": None}, [INDEX], "which queries are slow is not known",
            id="p95 could not be read: the index would help all the same",
        ),
        pytest.param(
            {"queries": series("query_type", report=None)}, [INDEX], "is not known",
            id="no data is not fast",
        ),
    ],
)  # fmt: skip
def test_an_index_is_made_only_where_the_evidence_supports_it(found, expected, said_of_it):
    planned = queries(**found)

    assert activities(planned) == expected
    assert said_of_it in said(planned)


def test_an_index_is_permanent_and_always_asked_about():
    step = the(queries(), INDEX)

    assert (step.risk, step.asks, step.undo) == (Risk.DISRUPTIVE, Asks.ALWAYS, False)
    assert any("write a migration" in finding for finding in queries().findings)


def test_what_the_statements_do_not_tell_is_told():
    refused = Statements(finding="the extension pg_stat_statements is missing")

    assert "statements: the extension pg_stat_statements is missing" in said(
        queries(statements=refused)
    )


def test_people_are_sent_to_the_databases_performance_page():
    assert "https://app.supabase.com" in said(queries())
    assert consult("SlowDatabaseQueries").facts.condition.threshold == 1.0


def test_the_disk_is_the_hosts_where_that_is_declared():
    given = {"database_on_api_host": True}
    assert activities(queries(given, disk=None)) == [INDEX]
    assert activities(queries(given, capacity=capacity(disk_free_ratio=0.1))) == []
    assert activities(queries(given, capacity=None)) == []
