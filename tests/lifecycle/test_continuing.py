"""An incident that lasts: its history stays small, and nothing is lost or said twice."""

import asyncio
import uuid
from datetime import timedelta

from temporalio.client import WorkflowHandle

from activities.record import Phase
from starters.finding import Filters, Listed, described, incidents
from tests.lifecycle.drills import drill
from tests.lifecycle.world import QUICK, Town, World, alert, later, library, resolved, told
from workflows.case import PHASE, SEVERITY

SHORT = QUICK.model_copy(
    update={"run_events": 200, "quiet_seconds": 4 * 3600, "watch_every_seconds": 3600}
)
"""Short runs, and few looks: every look at the world costs the test real time."""


async def runs(town: Town, name: str) -> list[WorkflowHandle]:
    found = {}
    async for run in town.env.client.list_workflows(f'WorkflowId = "{name}"'):
        found[run.run_id] = town.env.client.get_workflow_handle(name, run_id=run.run_id)
    return list(found.values())


async def test_three_days_in_people_s_hands_are_many_short_runs_and_one_incident(
    town: Town, world: World
) -> None:
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity="warning"), policy=SHORT, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("acknowledge", id="click-1")
    for hour in range(6):
        await story.pass_time(hours=12)
        await story.act("note", id=f"note-{hour}", text=f"shift {hour}")
    record = await story.record()
    current = await story.town.env.client.get_workflow_handle(story.id).describe()

    assert current.history_length < 600
    assert len(await runs(town, story.id)) > 3, "it has continued as new"
    assert record.phase is Phase.WATCHING, told(record)
    assert current.typed_search_attributes[PHASE] == "in people's hands"
    assert current.typed_search_attributes[SEVERITY] == "warning"
    notes = [entry.text for entry in record.timeline if entry.kind == "note"]
    assert notes == [f"shift {hour}" for hour in range(6)]

    assert await story.act("note", id="note-0", text="shift 0") == "noted"
    await story.act_later("note", id="note-1", text="shift 1")
    await story.pass_time(minutes=1)
    record = await story.record()
    assert len([entry for entry in record.timeline if entry.kind == "note"]) == 6

    keys = [order["entry"]["key"] for order in world.orders("slack.post_entry")]
    assert len(keys) == len(set(keys)), "no entry twice"
    pages = [order["dedup_key"] for order in world.orders("pagerduty.page")]
    assert len(pages) == len(set(pages)), "no page twice"
    assert world.count("slack.post_root") == 1
    world.up = True
    await story.over()
    record = await story.pass_time(hours=12)
    assert record.phase is Phase.RESOLVED, told(record)
    assert record.resolution.how == "recovered"


async def test_a_flapping_incident_continues_as_new_wherever_it_stands(
    town: Town, world: World
) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="warning")
    story = await town.fire(first, policy=QUICK.model_copy(update={"run_events": 200}), world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    for number in range(8):
        world.up = True
        await story.notice(resolved(later(first, minutes=number)))
        await story.pass_time(minutes=1, seconds=45)
        world.up = False
        await story.notice(later(first, minutes=number + 1))
        await story.pass_time(minutes=2)

    record = await story.record()

    assert record.recurrence == 8, told(record)
    assert len(await runs(town, story.id)) > 1
    assert len(record.firing) == 1


async def test_acts_and_alerts_that_come_while_it_continues_as_new_are_not_lost(
    town: Town, world: World
) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="warning", fingerprint="f0")
    story = await town.fire(first, policy=SHORT, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)

    async def alerts() -> None:
        for number in range(1, 31):
            more = first.model_copy(update={"fingerprint": f"f{number}"})
            await story.notice(more)

    async def notes() -> None:
        for number in range(30):
            await story.act_later("note", id=f"n{number}", text=f"note {number}")

    await asyncio.gather(alerts(), notes(), story.pass_time(hours=6))
    await asyncio.gather(alerts(), story.pass_time(hours=6))

    record = await story.record()
    assert len(record.firing) == 31
    assert sum(entry.kind == "note" for entry in record.timeline) == 30
    assert len(await runs(town, story.id)) > 1


async def test_clocks_run_on_across_runs(town: Town, world: World) -> None:
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity="critical"), policy=SHORT, world=world)
    record = await story.until(lambda r: r.told_at is not None and r.phase is Phase.WATCHING)
    await story.act("acknowledge")
    started = record.told_at

    for _ in range(3):
        await story.pass_time(minutes=20)
        first = await story.record()

    asked = [e.at - started for e in first.timeline if "is dana still on it" in e.text]
    assert len(asked) == 1
    assert timedelta(minutes=30) <= asked[0] < timedelta(minutes=31)


async def test_the_list_has_each_incident_once_with_its_own_opening_and_is_sorted_by_it(
    town: Town, world: World
) -> None:
    client, where = town.env.client, f"env-{uuid.uuid4().hex[:8]}"
    world.library = library(drill())
    first = alert("HighDrill", severity="warning", environment=where)
    lasting = await town.fire(first, policy=SHORT, world=world)
    await lasting.until(lambda r: r.phase is Phase.WATCHING)
    await town.fire(alert("HighDrill", severity="warning", environment=where), policy=SHORT)
    while len(await runs(town, lasting.id)) == 1:
        await lasting.pass_time(hours=4)
    opened = (await lasting.record()).opened_at

    async def rows() -> list[Listed]:
        return await incidents(client, Filters(closed=True, environment=where))

    while any(not each.open for each in await rows()):
        await asyncio.sleep(0.05)  # the list of workflows lags behind
    [second, mine] = await rows()
    assert (mine.id, mine.opened_at) == (lasting.id, opened)
    assert second.opened_at > opened
    assert second.opened_at < (await lasting._open.describe()).start_time, "its run is younger"
    assert (await described(client, lasting.id)).opened_at == opened
    [newest] = await incidents(client, Filters(environment=where), most=1)
    assert newest.id == second.id
