"""The way of a test page: from the command to PagerDuty, to a person, and back through the door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

from activities.pagerduty import PagerDuty
from deploy.gameday.standins.pagerduty import PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import Hook, User
from starters.pagerduty_door import PATH
from starters.paging_proof import (
    SCHEDULE,
    LastProven,
    NotProven,
    keep_schedule,
    last_proven,
    prove_page,
)
from starters.readiness import Readiness
from starters.session import Exit
from tests.starters.doors import door, settings
from workflows.efforts import Queue
from workflows.page_proof import PageProof
from workflows.sandbox import runner

KEY, SECRET = "k" * 32, "the-secret-of-this-subscription"
DANA = User("PDANA01", "Dana Doe")


def chosen(level: str = "on-call", **proof):
    return settings(
        pagerduty={"webhook_secrets": [SECRET], "people": {"PDANA01": "dana"}},
        proof={"level": level, "at": "10:30", **proof},
    )


@asynccontextmanager
async def working(client: Client, account: PagerDutyStandIn) -> AsyncIterator[None]:
    """What a worker does for test pages, without PagerDuty's REST API."""
    async with httpx.AsyncClient() as http:
        pages = PagerDuty(http, {"default": SecretStr(KEY)}, url=account.url)
        proofs = Worker(
            client,
            task_queue=Queue.INCIDENTS,
            workflows=[PageProof],
            workflow_runner=runner(),
        )
        paging = Worker(client, task_queue=Queue.PAGES, activities=[pages.page, pages.resolve])
        async with proofs, paging:
            while not (await Readiness(client).state()).worker:
                await asyncio.sleep(0.05)
            yield


@pytest.fixture
async def account() -> AsyncIterator[PagerDutyStandIn]:
    async with PagerDutyStandIn([KEY]) as standing:
        yield standing


async def rung(account: PagerDutyStandIn, count: int = 1) -> str:
    """The key of the newest page, once there are so many."""
    while len(account.alerts) < count:  # the test's own time-out ends it
        await asyncio.sleep(0.05)
    return account.alerts[-1].dedup_key


async def test_a_person_who_acknowledges_there_is_told_of_here_with_the_time_it_took(
    live, account
) -> None:
    told: list[str] = []
    mine = chosen()
    async with working(live.client, account), door(live.client, mine) as ours:
        account.hook = Hook(f"http://door{PATH}", [SECRET], ours)
        proving = asyncio.create_task(prove_page(live.client, mine, by="sam", say=told.append))
        key = await rung(account)
        # Whoever asks at the same time rings nobody a second time.
        again = asyncio.create_task(prove_page(live.client, mine, by="lee"))
        assert await account.does(DANA, "acknowledged", key) == [202]
        proof, same = await asyncio.gather(proving, again)
        while account.alerts[-1].status != "resolved":
            await asyncio.sleep(0.05)

        assert (proof.by, same) == ("dana", proof)
        assert proof.seconds < 30
        assert "on-call after" in proof.said
        assert len(account.alerts) == 1
        assert "TEST PAGE" in account.alerts[0].summary
        assert told == [
            "a test page is on its way to on-call; waiting up to 15 minutes for somebody"
        ]

        await _listed(live.client, "on-call")
        metrics = (await ours.get("/metrics")).text
    [line] = [
        m for m in metrics.splitlines() if m.startswith("responder_last_proven_page_seconds{")
    ]
    assert line.startswith('responder_last_proven_page_seconds{level="on-call"} 1')
    assert float(line.rpartition(" ")[2]) == pytest.approx(proof.at.timestamp(), abs=60)


async def test_a_page_that_nobody_acknowledged_is_no_proof(live, account) -> None:
    mine = chosen("cto", wait_seconds=0.5)
    async with working(live.client, account):
        with pytest.raises(NotProven, match="cto did not acknowledge"):
            await prove_page(live.client, mine, by="sam")
    assert await last_proven(live.client, "cto") is None
    async with door(live.client, mine) as ours:
        metrics = (await ours.get("/metrics")).text
    assert 'responder_last_proven_page_seconds{level="cto"} 0.0' in metrics, "0 is never"


async def test_without_a_daily_page_there_is_no_series_that_could_be_called_old(live) -> None:
    async with door(live.client, settings()) as ours:
        assert "responder_last_proven_page_seconds{" not in (await ours.get("/metrics")).text


async def test_without_temporal_nobody_waits_a_quarter_of_an_hour() -> None:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    with pytest.raises(NotProven, match="Nobody was paged: Temporal does not answer"):
        await prove_page(client, chosen(), by="sam")
    assert await LastProven(client, "on-call").seconds() == 0


async def test_the_daily_page_is_scheduled_once_changed_and_ended_as_the_settings_say(live) -> None:
    handle = live.client.get_schedule_handle(SCHEDULE)
    said = [
        await keep_schedule(live.client, chosen(time_zone="Europe/Berlin")),
        await keep_schedule(live.client, chosen(time_zone="Europe/Berlin")),
        await keep_schedule(live.client, chosen(at="11:45", time_zone="Europe/Berlin")),
    ]
    assert said[0] == said[1] == "a test page to on-call every day at 10:30 (Europe/Berlin)"
    described = await handle.describe()
    [calendar] = described.schedule.spec.calendars
    assert (calendar.hour[0].start, calendar.minute[0].start) == (11, 45)
    assert described.schedule.spec.time_zone_name == "Europe/Berlin"
    due = described.info.next_action_times
    assert len(due) > 3
    assert {at.astimezone().utcoffset() is not None for at in due} == {True}

    off = settings()
    assert await keep_schedule(live.client, off) == await keep_schedule(live.client, off)
    listed = [each.id async for each in await live.client.list_schedules()]
    assert SCHEDULE not in listed


async def test_the_schedule_sends_a_test_page_when_it_is_due(live, account) -> None:
    mine = chosen()
    await keep_schedule(live.client, mine)
    try:
        async with working(live.client, account), door(live.client, mine) as ours:
            account.hook = Hook(f"http://door{PATH}", [SECRET], ours)
            await live.client.get_schedule_handle(SCHEDULE).trigger()
            key = await rung(account)
            assert await account.does(DANA, "acknowledged", key) == [202]
            await live.client.get_workflow_handle(key.partition("/")[0]).result()
        assert key.startswith("page-proof-on-call.daily")
    finally:
        await keep_schedule(live.client, settings())


async def test_the_command_says_who_was_reached_and_its_status_that_nobody_was(
    live, account, run, monkeypatch
) -> None:
    mine = chosen("engineering-lead")
    monkeypatch.setenv("RESPONDER_PROOF__WAIT_SECONDS", "20")
    asked = ("doctor", "--page", "--level", "engineering-lead", "--as", "sam")
    async with working(live.client, account), door(live.client, mine) as ours:
        account.hook = Hook(f"http://door{PATH}", [SECRET], ours)
        proving = asyncio.create_task(run(*asked))
        await account.does(DANA, "acknowledged", await rung(account))
        assert "proven: dana acknowledged the test page to engineering-lead after" in await proving

        monkeypatch.setenv("RESPONDER_PROOF__WAIT_SECONDS", "0.3")
        said = await run(*asked, "--json", expect=Exit.FAILED)
        assert "engineering-lead did not acknowledge the test page" in " ".join(said.split())


async def _listed(client: Client, level: str) -> None:
    """Wait until what has ended can be found: the list is a moment behind."""
    while await last_proven(client, level) is None:
        await asyncio.sleep(0.05)
