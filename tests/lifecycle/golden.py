"""The incidents whose histories are kept: closed ones, and such as stand open in every phase."""

from collections.abc import Awaitable, Callable

from activities.record import Phase, StepState
from tests.lifecycle.by_evidence import ALL, ByEvidence, first_with_steps
from tests.lifecycle.drills import ASKS, drill, restart, scale, switch
from tests.lifecycle.edge import Closed, page
from tests.lifecycle.world import QUICK, Story, Town, World, alert, later, library

Golden = Callable[[Town, World], Awaitable[Story]]
GOLDEN: dict[str, Golden] = {}


def golden(told: Golden) -> Golden:
    GOLDEN[told.__name__.replace("_", "-")] = told
    return told


async def fire(town: Town, world: World, name: str = "HighDrill", severity: str = "critical"):
    return await town.fire(alert(name, severity=severity), policy=QUICK, world=world)


async def ended(story: Story) -> Story:
    await story.over()
    await story.ends()
    return story


@golden
async def redis_is_restarted(town: Town, world: World) -> Story:
    story = await fire(town, world, "RedisConnectionFailure")
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return await ended(story)


@golden
async def redis_is_served_from_memory_until_people_bring_it_back(town: Town, world: World) -> Story:
    world.cures = {}
    story = await fire(town, world, "RedisConnectionFailure")
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=3)
    await story.act("acknowledge")
    world.up = True
    return await ended(story)


@golden
async def latency_is_scaled_away_and_back(town: Town, world: World) -> Story:
    world.rate = {"now": 300.0, "before": 100.0}
    world.cures = {"processes.scale": True}
    story = await fire(town, world, "HighAPILatency", "warning")
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return await ended(story)


@golden
async def a_question_is_rejected_and_the_next_step_helps(town: Town, world: World) -> Story:
    world.library = library(drill(scale(asks=ASKS), restart()))
    story = await fire(town, world)
    await story.until(lambda r: r.question is not None)
    await story.act("reject", text="not at night")
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return await ended(story)


@golden
async def a_question_stands_open(town: Town, world: World) -> Story:
    world.library = library(drill(scale(asks=ASKS)))
    story = await fire(town, world)
    await story.until(lambda r: r.question is not None)
    await story.pass_time(minutes=6)
    return story


@golden
async def an_approval_is_void_and_two_people_approve_what_is_asked_anew(
    town: Town, world: World
) -> Story:
    world.library = library(drill(scale(asks=ASKS)))
    world.cures = {"processes.scale": True}
    world.answers["slack.open_channel"] = lambda order: {"channel_id": "C0OWN", "name": "inc-1"}
    world.answers["slack.announce"] = world.answers["slack.post_entry"]
    policy = QUICK.model_copy(update={"two_people": ("processes.scale",), "own_channel": True})
    opened = alert("HighDrill", severity="critical")
    story = await town.fire(opened, policy=policy, world=world)
    for times in range(2):
        record = await story.until(
            lambda r, times=times: len(r.questions) == times and r.question is not None
        )
        # First it changes while it is asked about, then it stays as it was shown.
        world.replicas += 1 - times
        for person in ("dana", "lee"):
            await story.act("approve", by=person, question=record.question.id)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return await ended(story)


@golden
async def nobody_answers(town: Town, world: World) -> Story:
    story = await fire(town, world, "NobodyWroteIt")
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.pass_time(minutes=31)
    return story


@golden
async def a_step_is_being_verified(town: Town, world: World) -> Story:
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.act("note", text="seen")
    return story


@golden
async def taken_over_and_handed_back(town: Town, world: World) -> Story:
    world.library = library(drill(scale(), switch()))
    world.cures = {"switches.set": True}
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.act("take-over")
    await story.pass_time(minutes=3)
    await story.act("hand-back")
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return await ended(story)


@golden
async def it_comes_back_after_the_undo(town: Town, world: World) -> Story:
    world.library = library(drill(scale()))
    world.cures = {"processes.scale": True}
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.over()
    for _ in range(20):
        record = await story.pass_time(seconds=15)
        if any(step.state is StepState.UNDONE for step in record.steps):
            break
    world.up = False
    await story.pass_time(minutes=3)
    return story


@golden
async def resolved_by_a_person_while_it_fires_on(town: Town, world: World) -> Story:
    world.library = library(drill())
    story = await fire(town, world, severity="warning")
    await story.until(lambda r: r.phase is Phase.WATCHING)
    await story.act("resolve", text="known")
    await story.pass_time(minutes=40)
    await story.notice(later(story.alert, hours=1))
    await story.until(lambda r: r.recurrence == 1 and r.phase is Phase.WATCHING)
    return story


@golden
async def continued_as_new(town: Town, world: World) -> Story:
    world.library = library(drill())
    short = QUICK.model_copy(update={"run_events": 200})
    story = await town.fire(alert("HighDrill", severity="warning"), policy=short, world=world)
    await story.until(lambda r: r.phase is Phase.WATCHING)
    first = (await story.handle.describe()).run_id
    for number in range(60):
        await story.act("note", text=f"note {number}")
        await story.pass_time(minutes=10)
        if (await story.handle.describe()).run_id != first:
            break
    await story.pass_time(minutes=10)
    return story


@golden
async def users_are_kept_away_and_return_in_stages(town: Town, world: World) -> Story:
    shut = Closed(town)
    shut.library = library(drill(page(), restart()))
    story = await fire(town, shut)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.pass_time(minutes=11)
    shut.behind = True
    return await ended(story)


@golden
async def cancelled(town: Town, world: World) -> Story:
    story = await fire(town, world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    await story.handle.cancel()
    await story.until(lambda r: bool(r.people.taken_over_by))
    await story.pass_time(minutes=3)
    return story


def as_the_runbook_says(name: str) -> Golden:
    """Go by the plan of one procedure, everything approved, until it is over."""

    async def told(town: Town, world: World) -> Story:
        situations = ALL[name]
        situation = first_with_steps(situations)
        given = situations.procedure.severity.value
        story = await town.fire(
            alert(name, severity=given, expression="", **situations.labels),
            policy=QUICK,
            world=ByEvidence(town, situations, situation),
        )
        for _ in range(60):
            record = await story.pass_time(seconds=2)
            if record.question is not None and not record.question.answer:
                await story.act("approve")
            elif record.phase in (Phase.VERIFYING, Phase.WATCHING, Phase.SETTLING):
                break
        story.world.up = True
        return await ended(story)

    return told


GOLDEN |= {name: as_the_runbook_says(name) for name in ALL}
