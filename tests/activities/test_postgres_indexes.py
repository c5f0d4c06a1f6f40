import pytest

from activities.postgres_indexes import DEFINITIONS, Index, PostgresIndexes, State
from activities.words import Nothing
from tests.activities.databases import Server, run
from tests.activities.indexes import (
    INVALID,
    NAME,
    state,
)


@pytest.fixture
async def database(postgres: Server, organizations):
    async with postgres.database() as database:
        yield database


async def test_each_of_the_five_is_looked_at(database):
    found = await run(PostgresIndexes(database).missing_indexes, Nothing())

    assert [index.name for index in found.indexes] == list(Index)
    assert [index.name for index in found.missing] == [NAME]
    first = found.indexes[0]
    assert first.state is State.MISSING
    assert first.can_be_made
    assert first.rows == 5000
    assert first.table_bytes > 100_000
    assert not any(index.table_exists for index in found.indexes[1:])


@pytest.mark.parametrize(
    ("done", "found", "covered"),
    [
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (created_at)",
            State.VALID,
            "",
            id="one that is there is valid",
        ),
        pytest.param(
            "CREATE INDEX by_age ON organizations (created_at, name)",
            State.MISSING,
            "by_age",
            id="one by another name serves as well",
        ),
        pytest.param(
            "CREATE INDEX recent ON organizations (created_at) WHERE id > 100",
            State.MISSING,
            "",
            id="one with a condition does not",
        ),
        pytest.param(
            "CREATE INDEX by_name ON organizations (name, created_at)",
            State.MISSING,
            "",
            id="one that begins with another column does not",
        ),
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (name)",
            State.TAKEN,
            "",
            id="its name can be taken by another index",
        ),
        pytest.param(
            f"CREATE INDEX {NAME} ON organizations (created_at); {INVALID}",
            State.INVALID,
            "",
            id="what a failed build left is not an index",
        ),
        pytest.param(
            "ALTER TABLE organizations DROP created_at", State.MISSING, "", id="its column is gone"
        ),
    ],
)
async def test_what_there_is_is_told_apart(
    postgres: Server, database, done: str, found: State, covered: str
):
    await postgres.admin(done)

    seen = await state(database)

    assert seen.state is found
    assert seen.covered_by == covered
    assert seen.missing_columns == (("created_at",) if "DROP" in done else ())


async def test_an_index_is_looked_at_without_waiting_for_a_lock(database, sessions):
    holder = await sessions()
    await holder.execute("LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE")

    assert (await state(database)).state is State.MISSING
    await holder.rollback()


def test_every_index_has_its_definition():
    assert set(DEFINITIONS) == set(Index)
