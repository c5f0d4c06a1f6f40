"""Who spends what on models, by a real PostgreSQL."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.llm_usage import LlmUsage, TopOrganizations
from activities.postgres_connection import Database
from tests.activities.databases import run


@pytest.fixture
async def log(postgres):
    """Requests of fourteen organizations; number 3 spends most, and long ago number 9 did."""
    await postgres.admin(
        "CREATE TABLE llm_request_logs (organization_id bigint, provider text, model text,"
        " cost_usd numeric(12, 6), created_at timestamptz NOT NULL);"
        "INSERT INTO llm_request_logs SELECT n, 'openai', 'gpt-4', 0.01, now()"
        " FROM generate_series(1, 14) AS n;"
        "INSERT INTO llm_request_logs SELECT 3, 'openai', 'gpt-4', 2.5, now() FROM"
        " generate_series(1, 20);"
        "INSERT INTO llm_request_logs VALUES (9, 'openai', 'gpt-4', 900, now() - interval '25 h');"
        "GRANT SELECT ON llm_request_logs TO responder"
    )
    yield
    await postgres.admin("DROP TABLE llm_request_logs")


@pytest.fixture
async def ask(postgres):
    async with Database(postgres.conninfo("responder")) as database:

        async def ask(hours=1.0, **limits):
            usage = LlmUsage(database, **limits)
            return await run(usage.top, TopOrganizations(hours=hours))

        yield ask


async def test_the_ten_that_spend_most_are_named_with_what_they_spent(log, ask):
    spending = await ask()

    assert len(spending.organizations) == 10
    worst = spending.organizations[0]
    assert (worst.organization, worst.requests) == ("3", 21)
    assert worst.cost_usd == pytest.approx(50.01)
    assert worst.day_usd == pytest.approx(50.01)
    assert spending.total_usd == pytest.approx(50.14), "of all fourteen"


async def test_what_is_long_past_does_not_count(log, ask):
    assert (await ask()).organizations[0].organization != "9"
    assert (await ask(hours=48)).organizations[0].organization == "9"


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        pytest.param({}, [], id="no limit: nobody is over it"),
        pytest.param({"limit_usd": 20}, ["3"], id="one limit for all"),
        pytest.param({"limit_usd": 20, "limits": {"3": 100}}, [], id="a limit of its own"),
        pytest.param({"limits": {"5": 0}}, ["5"], id="may spend nothing"),
    ],
)
async def test_who_is_over_a_limit_is_known(log, ask, limits, over):
    assert [each.organization for each in (await ask(**limits)).organizations if each.over] == over


async def test_an_empty_log_is_nobody(postgres, ask):
    await postgres.admin(
        "CREATE TABLE llm_request_logs (organization_id bigint, cost_usd numeric,"
        " created_at timestamptz); GRANT SELECT ON llm_request_logs TO responder"
    )
    try:
        spending = await ask()
    finally:
        await postgres.admin("DROP TABLE llm_request_logs")

    assert (spending.total_usd, spending.organizations) == (0, ())


async def test_a_log_that_is_not_there_is_said_and_not_tried_again(ask):
    with pytest.raises(ApplicationError) as failed:
        await ask()
    assert failed.value.non_retryable
