"""What Sentry has seen, against a stand-in that refuses what Sentry refuses."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from activities.errors import Refused, Throttled, Unavailable
from activities.sentry import NewestIssues, Sentry, SlowTransactions
from deploy.gameday.standins.faults import Fault, outage
from deploy.gameday.standins.sentry import SentryStandIn
from tests.activities.attempts import run

TOKEN = "sntrys_0123456789thisMustNeverBeSeen"


@pytest.fixture
async def standin() -> AsyncIterator[SentryStandIn]:
    async with SentryStandIn("pravado", TOKEN) as standin:
        yield standin


@pytest.fixture
async def sentry(standin) -> AsyncIterator[Sentry]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Sentry(http, "pravado", SecretStr(TOKEN), url=standin.url, environment="production")


async def test_the_errors_that_happen_most_come_first(standin, sentry):
    standin.issue("TypeError: plan is undefined", count=4, culprit="billing.ts")
    standin.issue("TimeoutError", count=212)
    standin.issue("Old", count=900, minutes_ago=90)

    found = (await run(sentry.issues, NewestIssues(minutes=60))).issues

    assert [(each.title, each.count) for each in found] == [
        ("TimeoutError", 212), ("TypeError: plan is undefined", 4),
    ]  # fmt: skip
    assert found[1].culprit == "billing.ts"
    assert found[1].url.startswith("https://sentry.io/organizations/pravado/issues/")
    assert "environment=production" in standin.asked[0]


async def test_a_title_shows_no_credential_and_is_no_novel(standin, sentry):
    standin.issue("Error: password=hunter2secret at postgres://api:topsecret@db/x " + "x" * 900)

    [issue] = (await run(sentry.issues, NewestIssues())).issues

    assert "hunter2secret" not in issue.title
    assert "topsecret" not in issue.title
    assert len(issue.title) <= 200


async def test_the_slowest_transactions_come_first_in_seconds(standin, sentry):
    standin.transaction("/api/orgs", p95_milliseconds=180.0, count=900)
    standin.transaction("/api/dashboard", p95_milliseconds=2400.0, count=40)

    found = (await run(sentry.slow_transactions, SlowTransactions(most=1))).transactions

    assert [(each.name, each.p95_seconds, each.count) for each in found] == [
        ("/api/dashboard", 2.4, 40)
    ]


async def test_nothing_seen_is_an_answer(sentry):
    assert (await run(sentry.issues, NewestIssues())).issues == ()
    assert (await run(sentry.slow_transactions, SlowTransactions())).transactions == ()


@pytest.mark.parametrize("organization", ["pravado", "other"])
async def test_what_it_may_not_see_is_refused_without_the_token(standin, organization):
    async with httpx.AsyncClient(trust_env=False) as http:
        wrong = SecretStr("wrong" if organization == "pravado" else TOKEN)
        sentry = Sentry(http, organization, wrong, url=standin.url)
        with pytest.raises(Refused, match=r"Invalid token|does not exist") as refused:
            await run(sentry.issues, NewestIssues())
    assert TOKEN not in str(refused.value)


async def test_a_limit_without_a_time_is_waited_for_as_its_header_says(standin, sentry):
    late = {"X-Sentry-Rate-Limit-Reset": "9999999999"}
    standin.fail(Fault(kind="answer", status=429, headers=late, body="{}"))

    with pytest.raises(Throttled) as throttled:
        await run(sentry.issues, NewestIssues())

    assert throttled.value.next_retry_delay.total_seconds() == 900


async def test_an_outage_is_worth_another_try(standin, sentry):
    standin.fail(outage(502))

    with pytest.raises(Unavailable, match="502"):
        await run(sentry.issues, NewestIssues())
    assert (await run(sentry.issues, NewestIssues())).issues == ()


@pytest.mark.parametrize("row", ['{"transaction": "a"}', "7", '{"transaction": 1, "p95()": "x"}'])
async def test_rows_of_another_shape_are_no_answer(standin, sentry, row):
    body = f'{{"data": [{row}]}}'
    standin.fail(Fault(kind="answer", status=200, body=body))

    with pytest.raises(Unavailable, match="does not list transactions"):
        await run(sentry.slow_transactions, SlowTransactions())
