"""What is done here is said of what people opened at PagerDuty: a PagerDuty on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.pagerduty import Follow, PagerDuty
from activities.pagerduty_there import PeoplesIncidents, incident_of, key_of, there
from deploy.gameday.standins.faults import Fault, outage, rate_limited
from deploy.gameday.standins.pagerduty import REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import User

DANA = User("PDANA", "Dana Doe", "dana@example.com")
GONE = User("PGONE", "Somebody Gone", "gone@example.com")
ROBOT = User("PROBOT", "Responder", "responder@example.com")
PEOPLE = {"PDANA": "dana", "PGONE": "gone", "PODD": "odd"}


@pytest.fixture
async def account() -> AsyncIterator[PagerDutyStandIn]:
    async with PagerDutyStandIn(["k" * 32]) as standing:
        standing.users = [DANA, ROBOT, User("PODD", "Odd", "odd\r\nx: y@example.com")]
        yield standing


@asynccontextmanager
async def duty(account: PagerDutyStandIn) -> AsyncIterator[PagerDuty]:
    async with httpx.AsyncClient() as http:
        peoples = PeoplesIncidents(
            http, SecretStr(REST_TOKEN), people=PEOPLE, sender=ROBOT.email, url=account.url
        )
        yield PagerDuty(http, {}, url=account.url, peoples=peoples)


async def say(account: PagerDutyStandIn, kind: str, name: str, by: str = "") -> str:
    order = Follow(dedup_key=key_of(incident_of(name)), route="there", by=by)
    async with duty(account) as pages:
        paged = await ActivityEnvironment().run(getattr(pages, kind), order)
    assert paged.dedup_key == order.dedup_key
    return paged.said


@pytest.mark.parametrize(
    ("by", "user"),
    [
        pytest.param("dana", DANA, id="whom PagerDuty knows"),
        pytest.param("lee", ROBOT, id="whom the settings do not name"),
        pytest.param("gone", ROBOT, id="whom PagerDuty has no more"),
        pytest.param("odd", ROBOT, id="whose address could not stand in a header"),
        pytest.param("", ROBOT, id="nobody: it was the responder"),
    ],
)
async def test_it_is_said_in_the_name_of_whoever_did_it(
    account: PagerDutyStandIn, by: str, user: User
) -> None:
    opened = await account.opens(DANA, "Slow", times=0)
    assert await say(account, "acknowledge", opened.name, by) == (
        "Told PagerDuty that it is acknowledged."
    )
    assert (opened.status, opened.acknowledged) == ("acknowledged", [user.reference])
    await say(account, "resolve", opened.name, by)
    assert (opened.status, opened.changed_by) == ("resolved", user.reference)


async def test_whoever_may_not_is_spoken_for(account: PagerDutyStandIn) -> None:
    opened = await account.opens(DANA, "Slow", times=0)
    async with duty(account) as pages:
        order = Follow(dedup_key=f"there/{opened.name}", route="there", by="dana")
        await ActivityEnvironment().run(pages.acknowledge, order)
        account.users.remove(DANA)  # after her address was asked for
        await ActivityEnvironment().run(pages.resolve, order)
    assert opened.changed_by == ROBOT.reference


@pytest.mark.parametrize("kind", ["acknowledge", "resolve"])
async def test_what_is_so_already_is_fine(account: PagerDutyStandIn, kind: str) -> None:
    opened = await account.opens(DANA, "Slow", times=0)
    await say(account, kind, opened.name)
    assert "there already" in await say(account, kind, opened.name)
    assert len(opened.acknowledged) == (kind == "acknowledge")


async def test_what_was_resolved_there_is_not_opened_again(account: PagerDutyStandIn) -> None:
    opened = await account.opens(DANA, "Slow", times=0)
    await say(account, "resolve", opened.name)
    assert await say(account, "acknowledge", opened.name) == "It is resolved there already."
    assert (opened.status, opened.reopened) == ("resolved", 0)


@pytest.mark.parametrize("kind", ["acknowledge", "resolve"])
async def test_what_is_there_no_more_is_refused_for_good(
    account: PagerDutyStandIn, kind: str
) -> None:
    with pytest.raises(ApplicationError, match="not there any more") as failed:
        await say(account, kind, "QNOTHERE")
    assert failed.value.non_retryable


@pytest.mark.parametrize(
    ("fault", "kind"), [(outage(503), "Unavailable"), (rate_limited(7), "Throttled")]
)
async def test_a_pagerduty_that_is_down_is_asked_again(
    account: PagerDutyStandIn, fault: Fault, kind: str
) -> None:
    opened = await account.opens(DANA, "Slow", times=0)
    account.fail(fault)
    with pytest.raises(ApplicationError) as failed:
        await say(account, "resolve", opened.name)
    assert (failed.value.type, failed.value.non_retryable) == (kind, False)
    assert opened.status == "triggered"


@pytest.mark.parametrize(
    ("name", "incident"),
    [
        ("Q1", "OpenedInPagerDuty-Q1"),
        ("", ""),
        ("a b", ""),
        ("../x", ""),
        ("Q" * 41, ""),
        ("a-12345678", ""),
    ],
)
def test_the_name_here_follows_from_the_name_there_and_no_alert_has_it(
    name: str, incident: str
) -> None:
    assert incident_of(name) == incident
    assert there(key_of(incident)) == (name if incident else "")
    assert key_of("OpenedInPagerDuty-api-12345678") == ""
