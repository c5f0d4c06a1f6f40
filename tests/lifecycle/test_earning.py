"""What a step has earned decides beside the policy, and never beyond it."""

import uuid

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.autonomy import Earning, Level, ledger_id
from activities.record import Phase, StepState
from activities.words import Mode, Risk
from starters.acting import Refused
from starters.autonomy import ledger_of, move
from tests.lifecycle.drills import drill, restart, roll, scale
from tests.lifecycle.world import BROKEN, PEOPLE, QUICK, Story, Town, World, alert, library, told
from workflows.efforts import Queue
from workflows.ledger import Ledger, Move
from workflows.policy import Policy

SCALE = "processes.scale@scale to 5"


def earning(begins: Level = Level.ASK, successes: int = 2, **more) -> Policy:
    own = Earning(enabled=True, begins=begins, successes=successes)
    return QUICK.model_copy(update={"autonomy": own, **more})


@pytest.fixture
def somewhere() -> str:
    return f"env-{uuid.uuid4().hex[:8]}"


async def fire(town: Town, somewhere: str, *steps, policy: Policy, **changes) -> Story:
    world = World(town)
    vars(world).update({"cures": {"processes.scale": True}, "library": library(drill(*steps))})
    vars(world).update(changes)
    return await town.fire(
        alert("HighDrill", environment=somewhere, expression=""), policy=policy, world=world
    )


async def ledger(town: Town, somewhere: str) -> Ledger:
    return await ledger_of(town.env.client, somewhere)


async def promoted(town: Town, somewhere: str, *, up: bool = True, by: str = "dana") -> str:
    what = Move(id=uuid.uuid4().hex, by=by, step=SCALE, up=up)
    return (await move(town.env.client, QUICK, somewhere, what)).said


async def helped(town: Town, somewhere: str, *, approve: bool = True) -> Story:
    """One incident in which the step helps."""
    story = await fire(town, somewhere, scale(), policy=earning())
    if approve:
        record = await story.until(lambda r: r.question is not None)
        await story.act("approve", question=record.question.id)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=1)
    await story.over()
    await story.ends()
    return story


async def test_off_nothing_is_asked_of_the_ledger(town: Town, somewhere) -> None:
    story = await fire(town, somewhere, scale(), policy=QUICK)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    assert (await ledger(town, somewhere)).entries == {}


async def test_it_asks_until_it_has_helped_often_enough_and_somebody_agrees(
    town: Town, somewhere
) -> None:
    await helped(town, somewhere)
    second = await helped(town, somewhere)

    assert f"responder autonomy promote {SCALE}" in second.world.said
    assert (await ledger(town, somewhere)).entries[SCALE].proposed is Level.ACT
    third = await fire(town, somewhere, scale(), policy=earning())
    await third.until(lambda r: r.question is not None)  # a proposal changes nothing

    assert "ask is now act" in await promoted(town, somewhere)
    fourth = await helped(town, somewhere, approve=False)
    assert fourth.world.changes == ["processes.scale", "processes.scale.undo"]
    assert (await fourth.record()).questions == []


async def test_one_failed_verification_demotes_at_once_and_is_told(town: Town, somewhere) -> None:
    await helped(town, somewhere)
    await promoted(town, somewhere)
    story = await fire(town, somewhere, scale(), policy=earning(), cures={})
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=2)

    await story.until(lambda r: r.ladder[0].state is StepState.UNHELPFUL and r.ladder[0].counted)

    assert (await ledger(town, somewhere)).entries[SCALE].level is Level.ASK
    assert f"{SCALE} did not help: act is now ask" in story.world.said
    again = await fire(town, somewhere, scale(), policy=earning())
    await again.until(lambda r: r.question is not None)


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (Level.OBSERVE, "observe mode: I would have done this"),
        (Level.PROPOSE, "proposed, not done: please do it by hand if you agree"),
    ],
    ids=["observe", "propose"],
)
async def test_what_may_not_be_done_is_said(town: Town, somewhere, begins, said) -> None:
    story = await fire(town, somewhere, scale(), policy=earning(begins))

    record = await story.until(lambda r: r.phase is Phase.WATCHING)

    assert (record.ladder[0].state, record.ladder[0].said) == (StepState.SKIPPED, said)
    assert story.world.changes == []


async def test_no_level_exceeds_the_policy(town: Town, somewhere) -> None:
    destructive = await fire(
        town, somewhere, scale(risk=Risk.DESTRUCTIVE), policy=earning(Level.ACT)
    )
    await destructive.until(lambda r: r.question is not None)
    observing = await fire(
        town, somewhere, roll(), policy=earning(Level.ACT, modes={"HighDrill": Mode.OBSERVE})
    )
    await observing.until(lambda r: r.phase is Phase.WATCHING)

    assert destructive.world.changes == observing.world.changes == []


async def test_what_cannot_be_seen_in_the_ledger_a_person_decides(
    town: Town, somewhere, monkeypatch
) -> None:
    monkeypatch.setattr("activities.keepers.TASK_QUEUE", "nobody")
    monkeypatch.setattr("activities.keepers.SECONDS", QUICK.seconds(0.3))
    story = await fire(town, somewhere, scale(), policy=earning(Level.ACT))

    record = await story.until(lambda r: r.question is not None, seconds=20)

    assert "what it has earned cannot be seen" in told(record)
    assert story.world.changes == []


@pytest.mark.parametrize(
    "name", ["autonomy.count", "autonomy.counted"], ids=["before it counts", "after it has counted"]
)
async def test_a_crash_around_the_ledgers_entry_counts_once(
    town: Town, somewhere, name: str
) -> None:
    story = await fire(
        town, somewhere, scale(), policy=earning(Level.ACT), fails={name: [BROKEN["crashed"]()]}
    )
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=1)
    await story.until(lambda r: r.ladder[0].counted)
    await story.over()
    await story.ends()

    entry = (await ledger(town, somewhere)).entries[SCALE]
    assert (entry.successes, entry.failures) == (1, 0)


async def test_what_could_not_be_told_is_told_in_the_end(town: Town, somewhere) -> None:
    broken = [BROKEN["unavailable"]() for _ in range(2)]
    story = await fire(
        town, somewhere, scale(), policy=earning(Level.ACT), fails={"autonomy.count": broken}
    )
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=1)
    record = await story.until(lambda r: r.phase is Phase.SETTLING)
    assert "not counted" in told(record)
    await story.over()
    await story.ends()

    assert (await ledger(town, somewhere)).entries[SCALE].successes == 1
    assert (await story.record()).steps[0].state is StepState.UNDONE


async def test_a_worker_that_dies_between_verification_and_entry_loses_and_doubles_nothing(
    town: Town, somewhere
) -> None:
    story = await fire(town, somewhere, scale(), policy=earning(Level.ACT))
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    async with town.without(Queue.INCIDENTS):
        pass
    await story.pass_time(minutes=1)
    async with town.without(Queue.INCIDENTS):
        pass
    await story.over()
    await story.ends()

    assert (await ledger(town, somewhere)).entries[SCALE].successes == 1


@pytest.mark.parametrize(
    ("by", "why"),
    [("robin", "may not decide about reversible steps"), ("mallory", "responder role")],
    ids=["without the right to approve", "without the role"],
)
async def test_who_may_not_promote_is_told_why(town: Town, somewhere, by, why) -> None:
    await helped(town, somewhere)

    with pytest.raises(Refused, match=why):
        await promoted(town, somewhere, by=by)

    assert by in PEOPLE
    assert (await ledger(town, somewhere)).entries[SCALE].level is Level.ASK
    await town.env.client.get_workflow_handle(ledger_id(somewhere)).terminate("over")


@pytest.mark.parametrize(
    ("by", "why"),
    [("robin", "may not decide about reversible steps"), ("mallory", "responder role")],
    ids=["without the right to approve", "without the role"],
)
async def test_what_is_said_of_ones_own_rights_past_our_doors_counts_for_nothing(
    town: Town, somewhere, by, why
) -> None:
    await helped(town, somewhere)
    handle = town.env.client.get_workflow_handle(ledger_id(somewhere))
    claimed = Move(id="claimed", by=by, step=SCALE, up=True, may=tuple(Risk))

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("move", claimed)

    assert why in refused.value.cause.message
    assert (await ledger(town, somewhere)).entries[SCALE].level is Level.ASK
    await handle.terminate("over")


async def test_one_procedure_is_observed_and_another_acts(town: Town, somewhere) -> None:
    policy = QUICK.model_copy(update={"modes": {"HighDrill": Mode.OBSERVE}})
    observed = await fire(town, somewhere, restart(), policy=policy)
    record = await observed.until(lambda r: r.phase is Phase.WATCHING)
    acting = await town.fire(alert(environment=somewhere), policy=policy)
    await acting.until(lambda r: r.phase is Phase.VERIFYING)

    assert record.ladder[0].said == "observe mode: I would have done this"
    assert "observe mode, nothing was done" in record.asks
    assert observed.world.changes == []
    assert acting.world.changes == ["host.restart_service"]
