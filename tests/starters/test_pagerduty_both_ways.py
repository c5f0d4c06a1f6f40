"""An incident and its page stay the same on both sides, whichever side a person comes from."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from deploy.gameday.standins.pagerduty import REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_webhooks import Hook, User
from starters.finding import record_of
from starters.pagerduty_door import PATH
from tests.starters.doors import door, settings
from workers.composition import compose
from workers.worker import THREADS, workers
from workflows.efforts import Queue

KEY, SECRET = "k" * 32, "the-secret-of-this-subscription"
DANA = User("PDANA01", "Dana Doe")


@pytest.fixture
async def account(live, tmp_path):
    """PagerDuty, our door that it tells, and a worker that pages by it."""
    async with PagerDutyStandIn([KEY]) as standing, AsyncExitStack() as stack:
        standing.on_call = {("PESC", 1): [DANA]}
        chosen = settings(
            reports={"folder": tmp_path},
            pagerduty={
                "routing_key": KEY,
                "base_url": standing.url,
                "webhook_secrets": [SECRET],
                "people": {"PDANA01": "dana"},
                "api_token": REST_TOKEN,
                "api_url": standing.url,
                "escalation_policies": {"on-call": "PESC"},
            },
            policy={"names_on_call": True, "symptom_hold_seconds": 0},
        )
        ours = await stack.enter_async_context(door(live.client, chosen))
        standing.hook = Hook(f"http://door{PATH}", [SECRET], ours)
        composition = await stack.enter_async_context(compose(chosen))
        threads = stack.enter_context(ThreadPoolExecutor(THREADS))
        for worker in workers(live.client, composition, queues=tuple(Queue), threads=threads):
            await stack.enter_async_context(worker)
        yield standing


@asynccontextmanager
async def opened(run, live, account, monkeypatch):
    """An incident whose page PagerDuty has; and the page's key."""
    monkeypatch.setenv("RESPONDER_POLICY__NAMES_ON_CALL", "true")
    service = f"svc-{id(account)}"
    said = await run("start", "SomethingOdd", "--service", service, "--severity", "critical",
                     "--why", "nothing loads", "--json")  # fmt: skip
    name = said.split('"')[3]
    try:
        while not mine(account, name):
            await asyncio.sleep(0.05)
        yield name, mine(account, name)[0].dedup_key
    finally:
        handle = live.client.get_workflow_handle(name)
        if (await handle.describe()).close_time is None:
            await handle.terminate()


def mine(account, name):
    """The pages of an incident; the worker takes up what other tests have left open, too."""
    return [each for each in account.alerts if each.dedup_key.startswith(name)]


async def until(found):
    """Wait for what is coming; the test's own time-out ends it."""
    while not await found():
        await asyncio.sleep(0.05)


async def test_acknowledged_there_and_resolved_here(run, live, account, monkeypatch):
    async with opened(run, live, account, monkeypatch) as (name, key):
        assert await account.does(DANA, "acknowledged", key, times=2) == [202, 202]

        async def acknowledged():
            return (await record_of(live.client, name)).people.acknowledged_by == "dana"

        await until(acknowledged)
        shown = await run("show", name)
        assert "on-call: dana" in shown
        assert shown.count("acknowledged by pagerduty") == 1

        await run("resolve", name, "--why", "the router was off", "--as", "dana")

        async def resolved():
            return [each.status for each in mine(account, name)] == ["resolved"]

        await until(resolved)
        assert len(mine(account, name)) == 1, "nobody is paged for the echo of our own event"


async def test_acknowledged_here_and_resolved_there(run, live, account, monkeypatch):
    async with opened(run, live, account, monkeypatch) as (name, key):
        await run("ack", name, "--as", "lee")

        async def acknowledged():
            return mine(account, name)[0].status == "acknowledged"

        await until(acknowledged)
        assert await account.does(DANA, "resolved", key) == [202]

        async def over():
            return (await record_of(live.client, name)).resolution is not None

        await until(over)
        record = await record_of(live.client, name)
        assert (record.resolution.by, record.resolution.reason) == (
            "dana",
            "resolved in PagerDuty by dana",
        )
        said = [event for event in account.events if event.dedup_key == key]
        assert not any(event.dropped for event in said)
