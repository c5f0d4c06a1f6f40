"""A report that reads a whole table is seen as a missing index, and ended by making that."""

import pytest
from pydantic import SecretStr

from activities.changes import Targets
from activities.postgres_connection import Database
from activities.postgres_indexes import CreateIndex, Index, PostgresIndexes
from activities.postgres_indexing import PostgresIndexing
from activities.postgres_statements import PostgresStatements, Top
from activities.prometheus import Prometheus, SeriesQuery
from activities.prometheus_api import PrometheusApi
from activities.words import Nothing
from deploy.gameday.reporting import ALL
from tests.activities.attempts import run
from tests.gameday.watching import until
from workflows import promql

SLOW = promql.within(promql.DATABASE_P95, "6s")


@pytest.fixture
async def prometheus(platform):
    api = PrometheusApi(platform.prometheus_url)
    yield Prometheus(api)
    api.close()


@pytest.fixture
async def database(platform):
    async with Database(SecretStr(platform.postgres_dsn)) as database:
        yield database


async def p95(prometheus) -> float:
    found = (await run(prometheus.series, SeriesQuery(expression=SLOW))).series
    return next((s.value or 0 for s in found if s.labels == {"query_type": "report"}), 0)


async def test_the_missing_index_is_found_and_made_and_the_report_is_quick(
    platform, prometheus, database
):
    await platform.report_slowly()

    async def slow() -> str:
        seconds = await p95(prometheus)
        return "" if seconds > 1 else f"p95 of the report is {seconds} s"

    await until(slow)
    indexes = await run(PostgresIndexes(database).missing_indexes, Nothing())
    assert Index.USERS_ORGANIZATION_ID in [each.name for each in indexes.missing]
    plan = await run(PostgresStatements(database).plan, Top())
    assert plan.sequential == ("users",)

    making = PostgresIndexing(database, Targets())
    order = CreateIndex(name=Index.USERS_ORGANIZATION_ID, disk_free_ratio=0.6)
    done = await run(making.create_index, order, await run(making.create_index_read, order))
    assert done.changed

    async def quick() -> str:
        seconds = await p95(prometheus)
        return "" if 0 < seconds < 1 else f"p95 of the report is {seconds} s"

    await until(quick)
    assert "report is still broken on purpose" in await platform.healthy()
    platform.stop_reporting()


async def test_no_index_helps_a_report_on_everybody(platform, database):
    await platform.report_slowly(whose=ALL)

    indexes = await run(PostgresIndexes(database).missing_indexes, Nothing())

    assert Index.USERS_ORGANIZATION_ID not in [each.name for each in indexes.missing]
    platform.stop_reporting()
