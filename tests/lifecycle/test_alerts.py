"""What alerts do to an incident, in whatever order and however often they come."""

import asyncio

import pytest

from activities.record import Phase
from tests.lifecycle.drills import drill
from tests.lifecycle.world import (
    QUICK,
    Story,
    Town,
    World,
    alert,
    later,
    library,
    minutes,
    resolved,
    told,
)  # fmt: skip


@pytest.fixture
async def watching(town: Town, world: World) -> Story:
    """An incident in people's hands: its procedure has no step."""
    world.library = library(drill())
    story = await town.fire(alert("HighDrill", severity="warning"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    return story


async def firing(story: Story) -> int:
    return len((await story.record()).firing)


@pytest.mark.parametrize(
    ("notices", "still"),
    [
        pytest.param(lambda a: [[a], [a], [a]], 1, id="the same alert again changes nothing"),
        pytest.param(
            lambda a: [[resolved(a)], [a]], 0, id="a firing that its resolve has overtaken"
        ),
        pytest.param(
            lambda a: [[later(a, minutes=5)], [resolved(a)]],
            1,
            id="the resolve of an earlier firing comes late",
        ),
        pytest.param(lambda a: [[resolved(a)], [later(a, minutes=5)]], 1, id="it fires anew"),
        pytest.param(
            lambda a: [[later(a, minutes=5)], [resolved(later(a, minutes=5))], [a]],
            0,
            id="an old firing comes after everything",
        ),
        pytest.param(
            lambda a: [[resolved(a.model_copy(update={"fingerprint": "other"}))]],
            1,
            id="a resolve of what never fired here",
        ),
        pytest.param(
            lambda a: [[resolved(later(a, minutes=5))]], 0, id="a resolve whose firing was lost"
        ),
    ],
)
async def test_the_newest_word_on_a_fingerprint_counts(watching: Story, notices, still) -> None:
    for alerts in notices(watching.alert):
        await watching.notice(*alerts)
    end = watching.alert.model_copy(update={"fingerprint": "end"})
    await watching.notice(end, incomplete=True)

    record = await watching.until(lambda r: "end" in r.alerts)

    assert len(record.firing) - 1 == still, told(record)
    assert record.incomplete


async def test_a_resolve_that_was_lost_is_noticed_at_the_next_quiet_interval(
    watching: Story,
) -> None:
    watching.world.up = True
    watching.world.expression, watching.world.listed = False, set()

    closed = await watching.ends()

    assert closed.how == "recovered"
    record = await watching.record()
    assert "its expression is no longer true, and Alertmanager no longer lists it" in told(record)


async def test_an_expression_without_data_does_not_end_what_alertmanager_lists(
    watching: Story,
) -> None:
    watching.world.up = True
    watching.world.expression, watching.world.listed = False, {watching.alert.fingerprint}

    record = await watching.pass_time(minutes=40)

    assert record.phase is Phase.WATCHING
    assert len(record.firing) == 1
    assert "well, but 1 alerts still fire: settling on" in told(record)
    assert record.asks.startswith("It has recovered by its condition, but 1 alerts still fire")


async def test_a_resolve_that_came_too_early_is_taken_back(watching: Story) -> None:
    watching.world.listed = {watching.alert.fingerprint}
    await watching.over()
    await watching.until(lambda r: not r.firing)

    record = await watching.pass_time(minutes=16)

    assert len(record.firing) == 1
    assert "1 still fire by what Alertmanager says" in told(record)


async def test_after_a_persons_word_repeats_open_nothing_and_a_new_firing_does(
    watching: Story,
) -> None:
    watching.world.listed = {watching.alert.fingerprint}
    watching.world.expression = True
    await watching.act("resolve", text="known, accepted")
    await watching.until(lambda r: r.phase is Phase.RESOLVED)
    for _ in range(3):
        await watching.notice(watching.alert)
        record = await watching.pass_time(hours=1)
    assert record.phase is Phase.RESOLVED
    assert len(watching.world.pages) == 2, "the opening, and the ladder that ran out"

    await watching.notice(later(watching.alert, hours=4))

    record = await watching.until(lambda r: r.phase is Phase.WATCHING and not r.pagerduty.unsent)
    assert record.recurrence == 1
    assert record.people.acknowledged_by == ""
    assert record.resolution is None
    keys = [order["dedup_key"] for order in watching.world.orders("pagerduty.page")]
    assert len(set(keys)) == 4, "PagerDuty has closed the earlier keys"
    assert "HighDrill is back" in watching.world.orders("pagerduty.page")[2]["summary"]


async def test_fired_anew_between_a_persons_word_and_the_report_it_opens_again(
    watching: Story,
) -> None:
    watching.world.slow["report.write"] = asyncio.Event()
    await watching.act("resolve", text="over")
    await watching.until(lambda r: r.phase is Phase.DOCUMENTING)
    await watching.notice(later(watching.alert, minutes=1))
    watching.world.slow["report.write"].set()

    record = await watching.until(lambda r: r.recurrence == 1 and r.phase is Phase.WATCHING)

    assert record.resolution is None


async def test_what_resolved_before_anybody_could_be_told_wakes_nobody(
    town: Town, world: World
) -> None:
    first = alert("HighDrill", severity="critical")
    story = await town.fire(first, resolved(first), world=world)

    closed = await story.ends()

    assert closed.how == "stale"
    assert world.pages == []


async def test_a_flapping_alert_is_one_incident_and_does_not_page_at_each_turn(
    watching: Story,
) -> None:
    world, turn = watching.world, watching.alert
    await watching.act("acknowledge")
    for number in range(6):
        world.up = True
        await watching.notice(resolved(turn))
        record = await watching.pass_time(minutes=1, seconds=45)
        assert record.phase is Phase.SETTLING, told(record)
        world.up = False
        turn = later(watching.alert, minutes=number + 1)
        await watching.notice(turn)
        record = await watching.pass_time(minutes=1)
        assert record.phase is Phase.WATCHING, told(record)

    assert record.recurrence == 6
    assert len(world.pages) <= 3, told(record)


async def test_five_hundred_fingerprints_stay_small_and_are_told_in_one_line(
    town: Town, world: World
) -> None:
    many = [
        alert(
            "HighDrill", severity="warning", service="storm", fingerprint=f"f{number}",
            instance=f"host-{number}", annotations={"description": "x" * 1000},
        )
        for number in range(500)
    ]  # fmt: skip
    world.library = library(drill())
    story = await town.fire(*many, policy=QUICK, world=world)

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert len(record.firing) == 500
    assert len(record.model_dump_json()) < 500_000
    lines = [text for _, text in minutes(record, "alert")]
    assert len(lines) == 2, "the first one opened it"
    assert lines[1].startswith("HighDrill (host-1) and 498 more fires since")
    assert world.count("prometheus.alert_state") <= 10
    world.up, world.expression, world.listed = True, False, set()
    assert (await story.ends()).how == "recovered"


async def test_three_hundred_alerts_while_it_closes_and_none_is_lost(
    town: Town, world: World
) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="warning", fingerprint="f0")
    story = await town.fire(first, policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("resolve", text="closing")
    await story.notice(resolved(first))

    async def send(number: int) -> None:
        await asyncio.sleep(number / 500)
        again = later(first, seconds=number)
        await town.fire(again.model_copy(update={"fingerprint": f"f{number}"}), policy=QUICK)

    await asyncio.gather(*(send(number) for number in range(1, 301)))

    newest = story.town.env.client.get_workflow_handle(story.id)
    kept: set[str] = set()
    async for run in town.env.client.list_workflows(f'WorkflowId = "{story.id}"'):
        seen = await town.env.client.get_workflow_handle(story.id, run_id=run.run_id).query(
            "record"
        )
        kept |= set(seen["alerts"])
    last = await newest.query("record")
    kept |= set(last["alerts"])
    assert kept >= {f"f{number}" for number in range(1, 301)}


async def test_a_new_incident_refers_to_the_one_before(town: Town, world: World) -> None:
    world.library = library(drill())
    first = alert("HighDrill", severity="warning")
    story = await town.fire(first, policy=QUICK, world=world)
    run = story.handle.first_execution_run_id
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("resolve", text="power was cut")
    await story.over()
    await story.ends()
    del world.answers["incidents.earlier"]  # the real activity asks the real Temporal
    closed = town.env.client.list_workflows(
        f'WorkflowId = "{story.id}" AND ExecutionStatus = "Completed"'
    )
    while not [run async for run in closed]:
        await asyncio.sleep(0.05)
        closed = town.env.client.list_workflows(
            f'WorkflowId = "{story.id}" AND ExecutionStatus = "Completed"'
        )

    again = await town.fire(later(first, hours=1), policy=QUICK, world=world)
    record = await again.until(lambda r: r.phase is Phase.WATCHING)

    assert record.earlier == run
    [said] = [text for _, text in minutes(record, "alert") if "the last such" in text]
    assert said.endswith("resolved by a person: power was cut")
