"""The maintenance page in an incident: measured behind it, renewed, and taken off in stages."""

import json
from typing import Any

import pytest

from activities.errors import Gone, Unavailable
from activities.record import Asks, Phase, StepState
from tests.lifecycle.drills import CriticalDrill, HighDrill, drill, restart
from tests.lifecycle.edge import Closed, Edge, page
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, minutes, told
from workflows.efforts import Queue
from workflows.procedures.base import Step


@pytest.fixture
def world(town: Town) -> Closed:
    return Closed(town)


async def asked(story: Story) -> list[tuple[str, dict[str, Any]]]:
    """Every watch by its label, with what was asked of it."""
    history = await story.handle.fetch_history()
    found = []
    for event in history.events:
        begun = event.activity_task_scheduled_event_attributes
        if begun.activity_type.name == "verification.watch":
            label = json.loads(event.user_metadata.summary.data)
            ask = json.loads(begun.input.payloads[0].data)
            found.append((label.partition(" of the users")[0], ask))
    return found


async def watched(story: Story) -> list[tuple[str, str]]:
    """Every watch by its label, with the kind of condition that was measured."""
    return [(label, ask["condition"]["kind"]) for label, ask in await asked(story)]


async def passed(story: Story, hours: float) -> Any:
    """The record so much later; in pieces, for a long while takes long."""
    for _ in range(round(hours * 2)):
        record = await story.pass_time(minutes=30)
    return record


async def closed(
    town: Town, world: World, *steps: Step, severity: str = "critical", policy: Any = QUICK
) -> Story:
    """An incident in people's hands, with the page up."""
    world.library = library(drill(*(steps or (page(),))))
    story = await town.fire(alert("HighDrill", severity=severity), policy=policy, world=world)
    await story.until(lambda r: r.phase in (Phase.WATCHING, Phase.ASKING))
    return story


async def test_the_next_step_follows_at_once_and_users_return_in_stages(
    town: Town, world: Closed
) -> None:
    world.library = library(drill(page(), restart()))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert [step.state for step in record.ladder] == [StepState.DONE, StepState.DONE], (
        "the page mends nothing, so that nobody waits for it to help"
    )
    assert minutes(record, "verification") == []
    world.behind = True
    await story.over()

    closing = await story.ends()

    assert closing.how == "recovered", told(await story.record())
    assert world.shares == [0.1, 0.5, 1.0]
    assert world.edge.holds == {}
    assert await watched(story) == [
        ("Does it help?", "answering"),
        ("Settling", "answering"),
        ("Is it well with 10%", "answering"),
        ("Is it well with 50%", "answering"),
        ("Is it well with 100%", "below"),
        ("Still well without it? show the page", "below"),
        ("Settling", "below"),
    ], "behind the page, and then as users have it"


@pytest.mark.parametrize(
    ("back_after", "settled"),
    [
        pytest.param(0.0, 120, id="as long as it settles"),
        pytest.param(30.0, 30, id="sooner, where the procedure says so"),
        pytest.param(900.0, 120, id="never later than without a page"),
    ],
)
async def test_users_who_wait_behind_the_page_may_return_sooner_than_it_is_over(
    town: Town, world: Closed, back_after: float, settled: int
) -> None:
    kind = drill(page())
    kind.back_after_seconds = back_after
    world.library = library(kind)
    policy = QUICK.model_copy(update={"settle_seconds": 120})
    story = await town.fire(alert("HighDrill"), policy=policy, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    world.behind = True
    await story.over()

    assert (await story.ends()).how == "recovered"

    windows = [ask["window_seconds"] for label, ask in await asked(story) if label == "Settling"]
    assert windows == [settled, 120], "and as long as ever, once users have it again"


async def test_it_is_renewed_for_hours_with_a_page_at_half_time_and_an_update_every_five_minutes(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)

    record = await passed(story, 3)

    assert record.phase is Phase.WATCHING
    assert record.ladder[0].in_place
    assert 17 <= world.count("maintenance.on.renew") <= 18, "every ten minutes"
    assert record.ladder[0].expires_at > record.ladder[0].renew_at, "never near its end"
    half_time = [at for at, text in minutes(record, "page") if "half of its time" in text]
    assert half_time == [15], "once, when half of its first time is over"
    updates = [o for o in world.orders("slack.post_entry") if "Update:" in str(o)]
    assert len(updates) >= 3 * 12 - 2, "every five minutes"
    world.behind = True
    await story.over()
    assert (await story.ends()).how == "recovered"
    assert world.edge.holds == {}


async def test_a_hold_and_a_take_over_stop_the_steps_and_not_the_renewal(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)
    await story.act("take-over")
    world.behind = True

    record = await passed(story, 2)

    assert 11 <= world.count("maintenance.on.renew") <= 12, told(record)
    assert world.shares == [], "it is well behind the page, and hers to open"
    assert "Hand back and I undo what is in place: show the page" in record.asks
    await story.act("hand-back")
    await story.over()
    await story.act("hold", minutes=60)
    await story.pass_time(minutes=50)
    assert world.shares == []
    assert world.count("maintenance.on.renew") >= 15
    assert (await story.ends()).how == "recovered"
    assert world.shares == [0.1, 0.5, 1.0]
    assert world.count("maintenance.on") == 1, "what is in place is not made a second time"


async def test_two_stages_that_fail_close_it_again_and_leave_it_to_a_person(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)
    world.behind, world.bears = True, 0.2
    await story.over()

    record = await passed(story, 1)

    assert world.shares == [0.1, 0.5, 0.0, 0.1, 0.5, 0.0], told(record)
    assert record.phase is Phase.WATCHING
    assert world.edge.share == 0
    assert record.ladder[0].left == "two stages failed"
    assert "Please take it from here: users cannot be let in again" in world.said
    renewed = world.count("maintenance.on.renew")
    await passed(story, 1)
    assert world.count("maintenance.on.renew") >= renewed + 5, "closed it has to stay"
    world.bears = 1.0
    await story.act("take-over")
    await story.act("hand-back")
    assert (await story.ends()).how == "recovered"
    assert world.shares[6:] == [0.1, 0.5, 1.0]


async def test_an_alert_at_a_stage_closes_it_again(town: Town, world: Closed) -> None:
    story = await closed(town, world)
    world.behind = True
    await story.over()
    for _ in range(40):
        record = await story.pass_time(seconds=15)
        if world.shares:
            break
    assert record.phase is Phase.UNDOING, told(record)
    assert world.shares == [0.1]
    again = alert("HighDrill", service=story.alert.labels["service"], fingerprint="again")
    await story.notice(again)

    await story.until(lambda r: "with 10% of the users it fires again" in told(r))

    assert world.shares == [0.1, 0.0]


async def test_the_word_of_a_person_takes_the_page_off_before_it_is_over(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)

    await story.act("resolve", text="it was the wrong platform")
    await story.over()

    assert (await story.ends()).how == "resolved by a person"
    assert world.edge.holds == {}
    names = [name for name, _ in world.calls]
    assert names.index("maintenance.on.undo") < names.index("report.write")
    assert (await story.record()).resolution.still_temporary == []


async def test_a_page_that_cannot_be_taken_off_is_named_in_the_end(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)
    world.fails["maintenance.on.undo"] = lambda: Unavailable("Cloudflare is down")

    await story.act("resolve", text="it is mended")
    await story.over()
    await story.ends()

    record = await story.record()
    assert record.resolution.still_temporary == ["show the page"]
    assert any("please undo it by hand" in text for _, text in minutes(record, "page"))
    assert "Still temporary: show the page" in world.said
    renewed = world.count("maintenance.on.renew")
    assert renewed == 0, "it is not kept alive: it ends by itself"


async def test_what_somebody_opened_by_hand_is_neither_renewed_nor_closed_again(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)
    world.edge.holds.clear()
    world.fails["maintenance.on.renew"] = lambda: Gone("somebody has opened it")

    record = await story.pass_time(hours=1)

    assert world.count("maintenance.on.renew") == 1
    step = record.ladder[0]
    assert (step.state, step.said) == (StepState.UNDONE, "somebody has opened it")
    assert any("somebody has opened it" in text for _, text in minutes(record, "page"))
    assert world.count_changes()["on"] == 1
    world.behind = True
    await story.over()
    assert (await story.ends()).how == "recovered"
    assert world.shares == [], "there is nothing to give back"


async def test_a_renewal_that_fails_is_said_paged_and_at_last_held_for_run_out(
    town: Town, world: Closed
) -> None:
    story = await closed(town, world)
    world.fails["maintenance.on.renew"] = lambda: Unavailable("Cloudflare is down")

    record = await story.pass_time(minutes=45)

    pages = [(at, text) for at, text in minutes(record, "page") if "show the page" in text]
    assert ["cannot be renewed" in pages[0][1], "it ran out" in pages[-1][1]] == [True] * 2
    assert len(pages) == 2, told(record)
    assert pages[0][0] in (15, 16, 17), "once less than half is left"
    assert 30 <= pages[-1][0] <= 33
    assert record.ladder[0].state is StepState.UNDONE
    assert "it ran out" in record.ladder[0].said


async def test_a_short_silence_of_the_store_costs_nothing(town: Town, world: Closed) -> None:
    story = await closed(town, world)
    world.fails["maintenance.on.renew"] = [Unavailable("busy") for _ in range(4)]

    record = await story.pass_time(minutes=28)

    assert record.ladder[0].in_place
    assert not record.ladder[0].renewal_failed
    assert "renewed again: show the page" in told(record)
    assert not any("cannot be renewed" in text for _, text in minutes(record, "page"))


@pytest.mark.parametrize("queue", [Queue.INCIDENTS, Queue.CHANGES], ids=lambda q: f"of {q}")
async def test_it_is_renewed_after_its_worker_was_gone(
    town: Town, world: Closed, queue: Queue
) -> None:
    story = await closed(town, world)
    await story.pass_time(minutes=9)
    async with town.without(queue):
        pass

    record = await story.pass_time(minutes=25)

    assert world.count("maintenance.on.renew") == 3, told(record)
    assert record.ladder[0].in_place


async def test_it_is_renewed_across_runs(town: Town, world: Closed) -> None:
    short = QUICK.model_copy(update={"run_events": 200})
    story = await closed(town, world, policy=short)
    for _ in range(12):
        record = await story.pass_time(minutes=30)

    assert record.ladder[0].in_place, told(record)
    assert world.count("maintenance.on.renew") >= 30
    newest = await town.env.client.get_workflow_handle(story.id).describe()
    assert newest.run_id != story.handle.first_execution_run_id, "it went on in another run"


async def test_two_incidents_hold_it_and_the_last_one_opens_it(town: Town) -> None:
    edge = Edge()
    first, second = Closed(town, edge), Closed(town, edge)
    one, other = await closed(town, first), await closed(town, second)
    first.behind = True
    await one.over()

    record = await passed(one, 1)

    assert first.shares[:3] == [0.1, 0.5, 1.0]
    assert edge.share == 0, "the other's hold is the stricter one"
    assert record.phase is Phase.UNDOING
    assert "well; other incidents hold it too" in record.next_action
    second.behind = True
    await other.over()
    await passed(other, 0.5)
    assert second.shares == [0.1, 0.5, 1.0]
    assert (await one.ends()).how == "recovered"
    assert (await other.ends()).how == "recovered"
    assert second.shares == [0.1, 0.5, 1.0]


async def test_a_warning_asks_and_a_rejection_shows_no_page(town: Town, world: Closed) -> None:
    story = await closed(town, world, page(asks=Asks.NEVER), severity="warning")
    record = await story.record()
    assert record.question is not None, "alone only where it is critical"

    await story.act("reject", text="not for this")

    await story.until(lambda r: r.phase is Phase.WATCHING)
    record = await story.pass_time(hours=1)
    assert world.count_changes() == {"on": 0, "on.renew": 0, "on.stage": 0, "on.undo": 0}


async def test_what_fires_or_ends_meanwhile_neither_worsens_nor_mends_it(
    town: Town, world: Closed
) -> None:
    world.library = library(drill(page()), drill(restart(), kind=CriticalDrill))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    service = story.alert.labels["service"]

    await story.notice(alert("CriticalDrill", service=service, fingerprint="worse"))
    await story.over()
    record = await story.pass_time(minutes=20)

    assert record.phase is Phase.WATCHING, told(record)
    assert record.ladder[0].in_place
    assert world.count("host.restart_service") == 0, "no other ladder is begun"


class Waits(HighDrill):
    """A drill whose database is somebody else's to bring back."""

    waits = True
    ladder = (page(),)


async def test_what_only_somebody_else_can_mend_is_waited_for_and_wakes_nobody_anew(
    town: Town, world: Closed
) -> None:
    world.library = library(type("HighDrill", (Waits,), {"__doc__": Waits.__doc__}))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: "waiting: " in told(r))
    await story.act("acknowledge")

    record = await passed(story, 2)

    assert record.phase is Phase.MITIGATING, "it is not in people's hands"
    assert record.asks == ""
    pages = [text for at, text in minutes(record, "page") if at < 20]
    assert [text.split(": ")[1] for text in pages] == [
        "HighDrill", "half of its time is over, and it is still in place",
    ]  # fmt: skip
    assert world.root["eta"] == "unknown"
    world.behind = True
    await story.over()
    assert (await story.ends()).how == "recovered", told(await story.record())
    assert world.shares == [0.1, 0.5, 1.0]


@pytest.mark.parametrize("act", ["hold", "take-over"])
async def test_a_person_can_call_the_waiting_off(town: Town, world: Closed, act: str) -> None:
    world.library = library(type("HighDrill", (Waits,), {"__doc__": Waits.__doc__}))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: "waiting: " in told(r))

    await story.act(act)
    world.behind = True
    record = await story.pass_time(minutes=5)

    assert world.shares == [], told(record)


async def test_a_wait_that_sees_nothing_is_left_to_people(town: Town, world: Closed) -> None:
    world.library = library(type("HighDrill", (Waits,), {"__doc__": Waits.__doc__}))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: "waiting: " in told(r))
    world.behind = None

    record = await passed(story, 1)

    assert record.phase is Phase.WATCHING
    assert "whether it is back cannot be seen" in record.asks


async def test_where_no_page_can_be_shown_the_next_step_is_taken_all_the_same(
    town: Town, world: Closed
) -> None:
    world.fails["maintenance.on.read"] = lambda: Unavailable("Cloudflare is down")
    world.library = library(drill(page(), restart()))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.until(lambda r: "no step can be taken now" in told(r))

    record = await story.pass_time(minutes=20)

    assert record.ladder[0].state is StepState.FAILED, told(record)
    assert world.count("host.restart_service") == 1
