"""A freeze stops every change and every undo of an environment, and nothing else."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.worker import Worker

from activities.freezing import Freezes
from activities.record import Phase, Record, StepState
from starters.acting import NotRecorded, Refused, State
from starters.freezing import environments, freeze, open_coordinator, unfreeze
from tests.lifecycle.drills import ASKS, drill, restart, roll, scale, switch
from tests.lifecycle.edge import Closed, page
from tests.lifecycle.world import QUICK, Story, Town, World, alert, library, told
from workflows import efforts
from workflows.acts import Act, ActKind, PersonAct
from workflows.coordinator import Coordinator
from workflows.efforts import Queue
from workflows.policy import Policy
from workflows.sandbox import runner
from workflows.turns import Turns

WHY = "moving the database by hand"


@pytest.fixture
async def somewhere(town: Town):
    name = f"env-{uuid.uuid4().hex[:8]}"
    yield name
    await town.env.client.get_workflow_handle(f"coordinator-{name}").terminate("the test is over")


def said_by(by: str, text: str = WHY) -> Act:
    return Act(id=uuid.uuid4().hex, by=by, via="cli", text=text)


async def freezing(town: Town, somewhere: str, by: str = "dana", why: str = WHY) -> str:
    outcome = await freeze(town.env.client, QUICK, somewhere, said_by(by, why))
    assert outcome.state is State.DONE
    return outcome.said


async def lifting(town: Town, somewhere: str, by: str = "dana") -> str:
    outcome = await unfreeze(town.env.client, QUICK, somewhere, said_by(by, "done"))
    assert outcome.state is State.DONE
    return outcome.said


def frozen(record: Record) -> bool:
    return record.people.frozen


def resting(record: Record) -> bool:
    return frozen(record) and record.next_action.startswith("frozen by")


async def fire(town: Town, somewhere: str, *steps, policy=QUICK, **changes) -> Story:
    """An incident that has its turns from the real coordinator of its environment."""
    world = World(town)
    for name in ("coordination.take_turn", "coordination.give_back"):
        world.answers.pop(name)
    vars(world).update({"cures": {}, "library": library(drill(*steps)), **changes})
    return await town.fire(
        alert("HighDrill", environment=somewhere, expression=""), policy=policy, world=world
    )


async def test_a_change_under_way_is_finished_first_and_nothing_follows_until_it_is_lifted(
    town: Town, somewhere
) -> None:
    going = asyncio.Event()
    story = await fire(town, somewhere, scale(), roll(), slow={"processes.scale": going})
    await story.until(lambda r: any(s.state is StepState.RUNNING for s in r.ladder))

    said = await freezing(town, somewhere)
    assert f"This is finished first: scale to 5, by {story.id}" in said
    record = await story.until(frozen)
    assert "This is finished first: scale to 5" in record.timeline[-1].text
    going.set()
    await story.pass_time(minutes=2)
    record = await story.until(resting)
    assert story.world.changes == ["processes.scale"]
    assert record.ladder[0].state is StepState.UNHELPFUL, "what was done is still verified"
    assert (
        f"frozen by dana since {record.people.freezes.held[0].at:%Y-%m-%d %H:%M} UTC: {WHY}"
        in (story.world.root["status"])
    )
    assert f"responder unfreeze --environment {somewhere}" in story.world.root["commands"]

    await story.pass_time(hours=2)
    assert story.world.changes == ["processes.scale"]
    await lifting(town, somewhere)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert story.world.changes == ["processes.scale", "processes.rolling_restart"]


async def test_an_incident_that_opens_while_it_is_frozen_hears_of_it_before_its_first_change(
    town: Town, somewhere
) -> None:
    await freezing(town, somewhere)
    story = await fire(town, somewhere, scale())

    record = await story.until(resting)

    assert story.world.changes == []
    assert ("on-call", "high") in story.world.pages, "people are paged as ever"
    assert record.ladder[0].state is StepState.PLANNED


async def test_no_turn_is_given_to_an_incident_that_nobody_has_told(
    town: Town, somewhere, monkeypatch
) -> None:
    monkeypatch.setattr("activities.freezing._OPEN", 'WorkflowType = "Nobody"')
    await freezing(town, somewhere)
    story = await fire(town, somewhere, scale())

    await story.until(resting)
    assert story.world.changes == []
    await lifting(town, somewhere)
    await story.until(lambda r: r.phase is Phase.VERIFYING)  # it is remembered who has asked
    assert story.world.changes == ["processes.scale"]


async def test_an_incident_that_the_end_was_not_told_asks_at_its_next_quiet_interval(
    town: Town, somewhere, monkeypatch
) -> None:
    story = await fire(town, somewhere, scale(), roll(), cures={})
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await freezing(town, somewhere)
    await story.pass_time(minutes=2)
    await story.until(resting)

    monkeypatch.setattr("activities.freezing._OPEN", 'WorkflowType = "Nobody"')
    await lifting(town, somewhere)
    await story.pass_time(minutes=16)

    await story.until(lambda r: not frozen(r))
    await story.until(lambda r: "processes.rolling_restart" in story.world.changes)


async def test_what_was_approved_or_asked_before_is_asked_anew(town: Town, somewhere) -> None:
    story = await fire(town, somewhere, scale(asks=ASKS))
    record = await story.until(lambda r: r.question is not None)
    before = record.question.id

    await freezing(town, somewhere)
    await story.until(resting)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.act("approve", question=before)
    assert "frozen by dana since" in str(refused.value.cause)
    assert "asked anew" in str(refused.value.cause)

    await lifting(town, somewhere)
    record = await story.until(lambda r: r.question is not None)
    assert record.question.id != before
    assert story.world.changes == []
    await story.act("approve", question=record.question.id)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert story.world.changes == ["processes.scale"]


async def test_an_undo_waits_and_is_made_when_it_is_lifted(town: Town, somewhere) -> None:
    story = await fire(town, somewhere, scale(), cures={"processes.scale": True})
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await freezing(town, somewhere)
    await story.until(frozen)
    await story.over()

    await story.pass_time(minutes=5)
    record = await story.until(lambda r: r.phase is Phase.UNDOING)
    assert "It waits to undo: scale to 5" in record.next_action
    await story.pass_time(hours=1)
    assert story.world.changes == ["processes.scale"]
    assert (await story.record()).phase is Phase.UNDOING

    await lifting(town, somewhere)
    await story.ends()
    record = await story.record()
    assert story.world.changes == ["processes.scale", "processes.scale.undo"]
    assert record.resolution is not None
    assert record.resolution.how == "recovered"


async def test_an_undo_under_way_is_finished_first(town: Town, somewhere) -> None:
    going = asyncio.Event()
    story = await fire(
        town, somewhere, scale(), cures={"processes.scale": True},
        slow={"processes.scale.undo": going},
    )  # fmt: skip
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.over()
    passing = asyncio.create_task(story.pass_time(minutes=5))
    await story.until(lambda r: story.world.count("processes.scale.undo") > 0)

    await freezing(town, somewhere)
    record = await story.until(frozen)
    assert "This is finished first: scale to 5" in record.timeline[-1].text
    going.set()
    await passing
    await story.until(lambda r: r.ladder[0].state is StepState.UNDONE)


async def test_it_recovers_by_other_hands_while_it_is_frozen(town: Town, somewhere) -> None:
    await freezing(town, somewhere)
    story = await fire(town, somewhere, scale())
    await story.until(resting)

    story.world.up = True
    await story.over()
    await story.ends()

    record = await story.record()
    assert record.resolution is not None
    assert record.resolution.how == "recovered"
    assert story.world.changes == []


async def test_what_comes_back_while_it_is_frozen_is_put_back_only_afterwards(
    town: Town, somewhere
) -> None:
    story = await fire(town, somewhere, scale(), cures={"processes.scale": True})
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.over()
    while "processes.scale.undo" not in story.world.changes:
        await story.pass_time(seconds=15)
    await freezing(town, somewhere)
    await story.until(frozen)
    story.world.up = False

    await story.pass_time(minutes=30)
    assert story.world.changes == ["processes.scale", "processes.scale.undo"]
    await lifting(town, somewhere)
    await story.until(lambda r: r.next_action == "look whether it has come back")
    await story.pass_time(minutes=2)

    await story.until(lambda r: r.phase is Phase.WATCHING)
    assert story.world.changes[2:] == ["processes.scale"]


async def test_it_outlives_the_runs_of_coordinator_and_incident(town: Town, somewhere) -> None:
    short = QUICK.model_copy(update={"run_events": 200})
    story = await fire(town, somewhere, scale(), policy=short)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await freezing(town, somewhere)
    first = (await story._open.describe()).run_id
    while (await story._open.describe()).run_id == first:
        await story.pass_time(hours=1)
    assert frozen(await story.record())

    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")
    turns = await handle.query("turns")
    await handle.terminate("as if it had continued as new")
    await town.env.client.start_workflow(
        "Coordinator", args=[turns], id=handle.id, task_queue=Queue.INCIDENTS
    )
    second = await fire(town, somewhere, restart())
    await second.until(resting)
    assert second.world.changes == []


async def test_two_freeze_and_who_lifts_it_reads_whose_it_was(town: Town, somewhere) -> None:
    assert "It was" not in await freezing(town, somewhere)
    said = await freezing(town, somewhere, by="lee", why="release day")
    assert "It was frozen by dana since" in said
    assert WHY in said
    story = await fire(town, somewhere, scale())
    record = await story.until(lambda r: len(r.people.freezes.held) == 2)
    assert "and by lee since" in record.people.freezes.said

    lifted = await lifting(town, somewhere, by="lee")
    assert WHY in lifted
    assert "release day" in lifted
    await story.until(lambda r: r.phase is Phase.VERIFYING)


async def test_the_newest_word_counts_in_whatever_order_words_arrive(town: Town, somewhere) -> None:
    story = await fire(town, somewhere, scale())
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await freezing(town, somewhere)
    old = (await story.until(frozen)).people.freezes
    await lifting(town, somewhere)
    await story.until(lambda r: not frozen(r))

    await story._open.signal("freezes", old)
    await story.act("note", text="a word that came late")

    assert not frozen(await story.record())


async def test_without_a_worker_it_is_recorded_and_holds_before_anything_else(
    town: Town, somewhere
) -> None:
    story = await fire(town, somewhere, scale(), roll())
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    async with town.without(Queue.INCIDENTS):
        outcome = await freeze(town.env.client, QUICK, somewhere, said_by("dana"))
        assert outcome.state is State.RECORDED
        assert "recorded, not yet confirmed" in outcome.said

    await story.until(frozen)
    await story.pass_time(minutes=3)
    await story.until(resting)
    assert story.world.changes == ["processes.scale"]
    [known] = [each for each in await environments(town.env.client) if each.name == somewhere]
    assert known.freezes.held[0].why == WHY, "the update and the signal are one act"
    assert len(known.freezes.held) == 1


@pytest.mark.parametrize(
    ("by", "text", "why"),
    [
        ("mallory", WHY, "mallory does not have the responder role"),
        ("stranger", WHY, "stranger does not have the responder role"),
        ("dana", "  ", "freezing needs a reason"),
    ],
    ids=["without the role", "not known", "without a reason"],
)
async def test_who_may_not_freeze_is_told_why(town: Town, somewhere, by, text, why) -> None:
    await freezing(town, somewhere)
    with pytest.raises(Exception, match=why):
        await freeze(town.env.client, QUICK, somewhere, said_by(by, text))


async def sent(town: Town, somewhere: str, verb: str, by: str, **more: Any) -> str:
    """The update as the Temporal UI and `temporal workflow update` send it: no door of ours."""
    act = {"id": uuid.uuid4().hex, "by": by, "via": "temporal", "text": WHY, **more}
    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")
    return str(await handle.execute_update(verb, act, result_type=str))


async def held(town: Town, somewhere: str) -> list[str]:
    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")
    turns = await handle.query("turns", result_type=Turns)
    return [each.by for each in turns.frozen.freezes.held]


@pytest.mark.parametrize("verb", ["freeze", "unfreeze"])
@pytest.mark.parametrize("by", ["mallory", "stranger"])
async def test_who_may_not_is_refused_in_the_same_words_past_our_doors(
    town: Town, somewhere, verb, by
) -> None:
    await freezing(town, somewhere)
    do = freeze if verb == "freeze" else unfreeze
    with pytest.raises(Refused) as at_the_door:
        await do(town.env.client, QUICK, somewhere, said_by(by))

    with pytest.raises(WorkflowUpdateFailedError) as past_it:
        await sent(town, somewhere, verb, by)

    assert past_it.value.cause.message == str(at_the_door.value)
    assert await held(town, somewhere) == ["dana"]
    assert "frozen" in await sent(town, somewhere, verb, "robin")


async def test_what_the_settings_of_a_door_allow_its_worker_may_refuse(
    town: Town, somewhere
) -> None:
    """A laptop without settings knows nobody, and so everybody."""
    await freezing(town, somewhere)

    with pytest.raises(Refused, match="mallory does not have the responder role"):
        await unfreeze(town.env.client, Policy(), somewhere, said_by("mallory"))

    assert await held(town, somewhere) == ["dana"]


async def test_where_rights_cannot_be_looked_up_anybody_may_freeze_and_nobody_lift_it(
    town: Town, somewhere
) -> None:
    client = town.env.client
    async with town.without(Queue.INCIDENTS):
        bare = Worker(
            client, task_queue=Queue.INCIDENTS, workflows=[Coordinator], workflow_runner=runner()
        )
        async with bare:
            await freeze(client, Policy(), somewhere, said_by("stranger"))
            with pytest.raises(Refused, match="whether dana may unfreeze cannot be looked up"):
                await unfreeze(client, Policy(), somewhere, said_by("dana"))

    assert await held(town, somewhere) == ["stranger"], "it is said who did it"
    assert "frozen by stranger" in await lifting(town, somewhere)


async def test_a_freeze_by_a_signal_holds_and_an_unfreeze_by_one_is_not_done(
    town: Town, somewhere
) -> None:
    await open_coordinator(town.env.client, somewhere)
    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")

    for kind, by in ((ActKind.FREEZE, "stranger"), (ActKind.UNFREEZE, "dana")):
        await handle.signal("person", PersonAct(kind=kind, act=said_by(by)))

    assert await held(town, somewhere) == ["stranger"]
    assert "unfrozen" in await lifting(town, somewhere)


async def test_without_a_worker_an_unfreeze_is_never_kept_for_later(town: Town, somewhere) -> None:
    await freezing(town, somewhere)
    async with town.without(Queue.INCIDENTS):
        with pytest.raises(NotRecorded, match=r"what became of it \(`responder list`\)"):
            await unfreeze(town.env.client, QUICK, somewhere, said_by("dana"))

    handle = town.env.client.get_workflow_handle(f"coordinator-{somewhere}")
    events = (await handle.fetch_history()).events
    assert not any(each.HasField("workflow_execution_signaled_event_attributes") for each in events)


async def test_another_environment_goes_on(town: Town, somewhere) -> None:
    await freezing(town, somewhere)
    elsewhere = f"{somewhere}-too"
    story = await fire(town, elsewhere, switch())

    await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert story.world.changes == ["switches.set"]
    assert not frozen(await story.record())
    await town.env.client.get_workflow_handle(f"coordinator-{elsewhere}").terminate("over")


async def test_a_freeze_meant_for_an_incident_is_refused_and_wedges_nothing(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale()))
    story = await town.fire(alert("HighDrill"), policy=QUICK, world=world)
    await story.act_later("freeze", text=WHY)

    record = await story.until(lambda r: any("was refused" in e.text for e in r.timeline))

    assert not frozen(record)
    assert record.people.freezes == Freezes()


async def closed(town: Town, somewhere: str) -> Story:
    """An incident behind the maintenance page, and frozen."""
    world = Closed(town)
    world.library = library(drill(page()))
    story = await town.fire(
        alert("HighDrill", environment=somewhere, expression=""), policy=QUICK, world=world
    )
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await freezing(town, somewhere)
    await story.until(frozen)
    return story


async def test_a_maintenance_page_is_renewed_and_given_back_only_afterwards(
    town: Town, somewhere
) -> None:
    story = await closed(town, somewhere)
    story.world.behind = True
    await story.over()

    for _ in range(4):
        record = await story.pass_time(minutes=30)
    assert 11 <= story.world.count("maintenance.on.renew") <= 12
    assert story.world.shares == []
    assert record.phase is Phase.UNDOING

    await lifting(town, somewhere)
    assert (await story.ends()).how == "recovered"
    assert story.world.shares == [0.1, 0.5, 1.0]
    assert story.world.edge.holds == {}


async def test_a_freeze_between_two_stages_lets_no_more_users_in(town: Town, somewhere) -> None:
    story = await closed(town, somewhere)
    await lifting(town, somewhere)
    story.world.behind = True
    await story.over()
    while story.world.shares != [0.1]:
        await story.pass_time(seconds=15)

    await freezing(town, somewhere)
    await story.until(frozen)
    await story.pass_time(hours=1)

    assert story.world.shares == [0.1]
    await lifting(town, somewhere)
    assert (await story.ends()).how == "recovered"
    assert story.world.shares == [0.1, 0.5, 1.0]


async def test_who_resolves_what_is_frozen_reads_that_the_page_stays_until_it_is_lifted(
    town: Town, somewhere
) -> None:
    story = await closed(town, somewhere)
    await story.act("resolve", text="the disk was replaced")

    record = await story.until(lambda r: r.asks.startswith("Unfreeze"))
    await story.pass_time(hours=1)
    assert "show the page" in record.asks
    assert story.world.edge.holds != {}
    await lifting(town, somewhere)
    await story.over()

    assert (await story.ends()).how == "resolved by a person"
    assert story.world.edge.holds == {}


async def test_a_symptom_of_what_is_frozen_stands_up_and_people_see_both(
    town: Town, somewhere
) -> None:
    worlds = [World(town), World(town)]
    for world in worlds:
        world.answers.pop("incidents.open")
        world.cures = {}
    cause, symptom = [
        await town.fire(
            alert(name, environment=somewhere, expression=""), policy=QUICK, world=world
        )
        for name, world in zip(
            ("RedisConnectionFailure", "CriticalAPIErrorRate"), worlds, strict=True
        )
    ]
    await symptom.until(lambda r: r.phase is Phase.JOINED)

    await freezing(town, somewhere)

    record = await symptom.until(lambda r: frozen(r) and not r.explained_by and r.paged_at)
    assert f"{cause.id} is frozen: please see both" in told(record)
    assert [level for level, _ in symptom.world.pages] == ["on-call"]
    assert symptom.world.changes == []


async def test_with_the_worker_of_changes_stopped_measuring_and_paging_go_on(
    town: Town, somewhere, monkeypatch
) -> None:
    """Break glass: the way that needs nothing but the end of one process."""
    for effort in (efforts.READ, efforts.CHANGE):  # no clock is skipped while one waits for it
        monkeypatch.setitem(effort, "schedule_to_start_timeout", timedelta(seconds=0.5))
    going = asyncio.Event()
    story = await fire(town, somewhere, scale(), roll(), slow={"verification.watch": going})
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    async with town.without(Queue.CHANGES):
        pages = story.world.count("pagerduty.page")
        going.set()
        await story.pass_time(minutes=1)

        record = await story.until(
            lambda r: story.world.count("pagerduty.page") > pages and not r.pagerduty.unsent
        )
        assert record.ladder[0].state is StepState.UNHELPFUL, "it was measured"
        assert "no worker took it up" in told(record)
        assert story.world.changes == ["processes.scale"]
    # The other way round: with the process back, it goes on by itself.
    await story.pass_time(minutes=2)
    await story.until(lambda r: "processes.rolling_restart" in story.world.changes)
