"""What a person opens in PagerDuty by hand is one incident on both sides, from its first moment."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from deploy.gameday.standins.pagerduty import READ_ONLY_TOKEN, REST_TOKEN, PagerDutyStandIn
from deploy.gameday.standins.pagerduty_state import Opened
from deploy.gameday.standins.pagerduty_webhooks import INTEGRATION, Hook, User, payload
from starters.finding import record_of
from starters.pagerduty_door import PATH
from tests.starters.doors import door, settings
from workers.composition import compose
from workers.worker import THREADS, workers
from workflows.efforts import Queue

KEY, SECRET = "k" * 32, "the-secret-of-this-subscription"
DANA = User("PDANA01", "Dana Doe", "dana@example.com")
ROBOT = User("PROBOT", "Incident Responder", "responder@example.com")
STRANGER = User("PNOBODY", "Somebody Else", "else@example.com")
MALLORY = User("PMALLORY", "Mallory M", "mallory@example.com")


class Both:
    """PagerDuty, our door that it tells, and a worker that tells it."""

    def __init__(self, live, there: PagerDutyStandIn) -> None:
        self.client = live.client
        self.there = there
        self.names: list[str] = []

    async def opened(self, user: User = DANA, **more) -> tuple[str, Opened]:
        """Have *user* open one there by hand."""
        opened = await self.there.opens(user, "Checkout is broken", service="Pravado API", **more)
        name = f"OpenedInPagerDuty-{opened.name}"
        self.names.append(name)
        return name, opened

    async def until(self, name: str, what):
        """Wait for what is coming; the test's own time-out ends it."""
        while not what(record := await record_of(self.client, name)):
            await asyncio.sleep(0.05)
        return record

    async def becomes(self, opened: Opened, status: str) -> None:
        while self.shown(opened).status != status:
            await asyncio.sleep(0.05)

    def shown(self, opened: Opened) -> Opened:
        found = self.there.alert(opened.dedup_key)
        assert found is not None
        return found

    def paged(self, name: str) -> list[str]:
        """What we have said of it by events, which would open a page of our own."""
        return [each.dedup_key for each in self.there.events if each.dedup_key.startswith(name)]

    async def ends(self, name: str) -> None:
        async with asyncio.timeout(20):
            await self.client.get_workflow_handle(name).result()

    async def unknown(self, name: str) -> bool:
        try:
            await self.client.get_workflow_handle(name).describe()
        except RPCError:
            return True
        return False


@asynccontextmanager
async def both_sides(live, tmp_path, *, work: bool = True, **pagerduty):
    async with PagerDutyStandIn([KEY]) as there, AsyncExitStack() as stack:
        there.users = [DANA, ROBOT, STRANGER, MALLORY]
        known = {
            "routing_key": KEY,
            "base_url": there.url,
            "webhook_secrets": [SECRET],
            "people": {DANA.id: "dana", MALLORY.id: "mallory"},
            "api_token": REST_TOKEN,
            "api_url": there.url,
            "from_address": ROBOT.email,
        }
        people = {"dana": {}, "lee": {}, "mallory": {"responder": False}}
        chosen = settings(
            reports={"folder": tmp_path},
            pagerduty={**known, **pagerduty},
            policy={"symptom_hold_seconds": 0, "people": people},
        )
        ours = await stack.enter_async_context(door(live.client, chosen))
        there.hook = Hook(f"http://door{PATH}", [SECRET], ours)
        both = Both(live, there)
        if work:
            composition = await stack.enter_async_context(compose(chosen))
            threads = stack.enter_context(ThreadPoolExecutor(THREADS))
            for worker in workers(live.client, composition, queues=tuple(Queue), threads=threads):
                await stack.enter_async_context(worker)
        try:
            yield both
        finally:
            for name in both.names:
                handle = live.client.get_workflow_handle(name)
                if not await both.unknown(name) and (await handle.describe()).close_time is None:
                    await handle.terminate()


@pytest.fixture
async def both(live, tmp_path):
    async with both_sides(live, tmp_path) as sides:
        yield sides


async def test_opened_there_and_acknowledged_and_resolved_here(run, both):
    name, opened = await both.opened()
    record = await both.until(name, lambda r: r.paged_at is not None)
    assert (record.severity, record.service) == ("critical", "pravado-api")
    assert [state.alert.annotations["opened_by"] for state in record.alerts.values()] == ["dana"]
    shown = await run("show", name)
    assert "Checkout is broken" in shown
    assert "dana has opened it in PagerDuty, which calls on-call" in shown

    await run("ack", name, "--as", "dana")
    await both.becomes(opened, "acknowledged")
    acknowledged = both.shown(opened).acknowledged
    assert [who["id"] for who in acknowledged] == [DANA.id], "in the name of whoever did it"

    await run("resolve", name, "--why", "the router was off", "--as", "lee")
    await both.becomes(opened, "resolved")
    changed_by = both.shown(opened).changed_by
    assert changed_by is not None
    assert changed_by["id"] == ROBOT.id, "lee is nobody there"
    await both.ends(name)
    assert both.paged(name) == [], "nobody is paged twice"


async def test_the_echo_of_our_word_is_nobodys_act(live, tmp_path, run):
    async with both_sides(live, tmp_path, from_address=DANA.email) as both:
        name, opened = await both.opened()
        await both.until(name, lambda r: r.paged_at is not None)
        await run("ack", name, "--as", "lee")
        await both.becomes(opened, "acknowledged")
        assert both.shown(opened).acknowledged == [DANA.reference], "who speaks for lee"

        record = await both.until(name, lambda r: bool(r.paging.events))
        assert record.people.acknowledged_by == "lee"
        assert await both.there.does(DANA, "acknowledged", opened.dedup_key) == [202]
        await both.until(name, lambda r: r.people.acknowledged_by == "dana")


async def test_opened_acknowledged_noted_and_resolved_there(both):
    name, opened = await both.opened(urgency="low")
    key = opened.dedup_key
    assert await both.there.does(DANA, "acknowledged", key) == [202]
    await both.there.does(DANA, "annotated", key, text="it was the cache")
    record = await both.until(name, lambda r: any(e.kind == "note" for e in r.timeline))
    assert record.severity == "warning"
    assert record.people.acknowledged_by == "dana"

    await both.there.does(DANA, "resolved", key)
    await both.ends(name)
    record = await record_of(both.client, name)
    assert record.resolution.reason == "resolved in PagerDuty by dana"
    assert both.paged(name) == []
    assert [who["id"] for who in both.shown(opened).acknowledged] == [DANA.id], "told once"
    assert both.shown(opened).reopened == 0


async def test_however_often_it_is_said_it_is_opened_once_also_once_it_is_over(both):
    name, opened = await both.opened(times=3)
    handle = both.client.get_workflow_handle(name)
    first = (await handle.describe()).run_id
    await both.there.does(DANA, "resolved", opened.dedup_key, times=2)
    await both.ends(name)

    assert await both.there.does(DANA, "triggered", opened.dedup_key, times=2) == [200, 200]
    described = await handle.describe()
    assert (described.run_id, described.status) == (first, WorkflowExecutionStatus.COMPLETED)


@pytest.mark.parametrize("token", [REST_TOKEN, ""], ids=["with a key to look", "without"])
@pytest.mark.parametrize("done", ["acknowledged", "resolved"])
async def test_what_was_done_before_we_heard_that_it_was_opened_counts(live, tmp_path, token, done):
    async with both_sides(live, tmp_path, api_token=token) as both:
        name, opened = await both.opened(times=0)
        assert await both.there.does(DANA, done, opened.dedup_key) == [200], "not ours yet"
        assert await both.there.does(DANA, "triggered", opened.dedup_key) == [202]

        record = await both.until(name, lambda r: bool(r.people.acknowledged_by))
        assert record.people.acknowledged_by == "dana"
        assert (record.resolution is not None) is (done == "resolved")


async def test_another_door_looks_how_it_stands_there(live, tmp_path):
    async with both_sides(live, tmp_path) as both:
        name, opened = await both.opened(times=0)
        hook, both.there.hook = both.there.hook, Hook("http://127.0.0.1:1", [SECRET])
        await both.there.does(DANA, "acknowledged", opened.dedup_key)
        both.there.hook = hook
        # It may not look for long, and a repeat looks again.
        acknowledged = ""
        while not acknowledged:
            if await both.there.does(DANA, "triggered", opened.dedup_key) == [202]:
                acknowledged = (await record_of(both.client, name)).people.acknowledged_by
        assert acknowledged == "dana"


@pytest.mark.parametrize(
    ("pagerduty", "todo"),
    [
        pytest.param({"api_token": READ_ONLY_TOKEN}, "API_TOKEN", id="a key that may only read"),
        pytest.param({"api_token": ""}, "API_TOKEN", id="no key"),
        pytest.param({"api_token": "u+another-token"}, "API_TOKEN", id="a wrong key"),
        pytest.param({"from_address": ""}, "FROM_ADDRESS", id="nobody to speak for us"),
        pytest.param({"from_address": "x@y.example"}, "FROM_ADDRESS", id="nobody whom they know"),
    ],
)
async def test_what_cannot_be_told_there_is_said_once_and_what_to_set(
    live, tmp_path, run, pagerduty, todo
):
    async with both_sides(live, tmp_path, **pagerduty) as both:
        name, opened = await both.opened()
        await both.until(name, lambda r: r.paged_at is not None)
        await run("ack", name, "--as", "lee")

        def problems(record):
            return [
                e.text for e in record.timeline if e.kind == "problem" and "acknowledge" in e.text
            ]

        record = await both.until(name, lambda r: bool(problems(r)))
        [said] = problems(record)
        assert f"RESPONDER_PAGERDUTY__{todo}" in said
        assert "u+another-token" not in said
        assert not record.pagerduty.unsent
        assert not record.pagerduty.off, "pages still go out"
        assert both.shown(opened).status == "triggered"


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        pytest.param(STRANGER.reference, "opened_by_stranger", id="a user whom nobody knows"),
        pytest.param(MALLORY.reference, "opened_without_role", id="somebody without the role"),
        pytest.param(INTEGRATION, "not_ours", id="an integration"),
        pytest.param({**INTEGRATION, "id": DANA.id}, "not_ours", id="an integration of her id"),
        pytest.param(None, "not_ours", id="nobody"),
    ],
)
async def test_what_nobody_of_ours_has_opened_opens_nothing(live, tmp_path, caplog, agent, why):
    async with both_sides(live, tmp_path, work=False) as both:
        name, opened = await both.opened(times=0)
        said = payload("triggered", opened.incident(), agent=agent)
        assert await both.there.hook.send(said) == 200
        metrics = (await both.there.hook.http.get("/metrics")).text
        assert f'responder_pagerduty_events_total{{outcome="{why}"}} 1.0' in metrics
        assert await both.unknown(name)
    if agent == STRANGER.reference:
        assert "Somebody Else (PNOBODY)" in caplog.text
        assert "RESPONDER_PAGERDUTY__PEOPLE" in caplog.text


async def test_nothing_is_opened_where_that_is_not_wanted(live, tmp_path):
    async with both_sides(live, tmp_path, work=False, open_what_people_open=False) as both:
        name, opened = await both.opened(times=0)
        assert await both.there.does(DANA, "triggered", opened.dedup_key) == [200]
        assert await both.unknown(name)
