"""Whether the data are whole: assertions that can neither write nor take for ever."""

import pytest

from activities.postgres_assertions import Assertion, PostgresAssertions
from activities.words import Nothing
from tests.activities.databases import Server, run

HOLDS = Assertion("holds", "SELECT count(*) = 1 FROM held WHERE id = 1")


def asked(database, *assertions: Assertion) -> PostgresAssertions:
    return PostgresAssertions(database, assertions)


@pytest.mark.usefixtures("table")
async def test_every_assertion_is_asked_in_order(postgres: Server):
    async with postgres.database("app") as database:
        both = asked(database, HOLDS, Assertion("empty", "SELECT count(*) = 0 FROM held"))
        found = await run(both.assertions, Nothing())
        sample = await both.sample()

    assert [(each.name, each.holds) for each in found.assertions] == [
        ("holds", True), ("empty", False),
    ]  # fmt: skip
    assert found.complaints == ("empty: does not hold",)
    assert (sample.good, sample.note) == (False, "empty: does not hold")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE held SET n = 7 RETURNING true", id="a statement that writes"),
        pytest.param(
            "WITH gone AS (DELETE FROM held RETURNING 1) SELECT true",
            id="a SELECT that deletes",
        ),
        pytest.param(
            "COMMIT; DELETE FROM held; SELECT true", id="a second statement behind a COMMIT",
        ),
        pytest.param("SELECT 1", id="a number is no answer"),
        pytest.param("SELECT true, true", id="two answers are none"),
        pytest.param("SELECT true WHERE false", id="no row is no answer"),
        pytest.param("SELECT NULL::boolean", id="NULL is no answer"),
        pytest.param("SELECT true FROM nowhere", id="a table that is not there"),
        pytest.param("SELECT pg_sleep(5) IS NULL", id="one that takes too long"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_holds_nothing_and_changes_nothing(
    postgres: Server, statement: str
):
    async with postgres.database("app", statement_seconds=0.5) as database:
        one = asked(database, Assertion("it", statement))
        found = await run(one.assertions, Nothing())
        sample = await one.sample()

    assert [each.holds for each in found.assertions] == [None]
    assert found.complaints[0].startswith("it: ")
    assert sample.good is None
    assert await postgres.admin("SELECT id, n FROM held") == [{"id": 1, "n": 0}]


@pytest.mark.usefixtures("table")
async def test_one_that_fails_does_not_keep_the_next_from_being_asked(postgres: Server):
    async with postgres.database("app") as database:
        found = await run(
            asked(database, Assertion("broken", "SELECT"), HOLDS).assertions, Nothing()
        )

    assert [each.holds for each in found.assertions] == [None, True]


async def test_without_assertions_that_is_said(postgres: Server):
    async with postgres.database() as database:
        sample = await asked(database).sample()

    assert (sample.good, sample.note) == (True, "no assertion is configured")
