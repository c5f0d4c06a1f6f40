"""One thing is one thread and one page, however many alerts it raises."""

import asyncio
import uuid

import pytest

from activities.alerts import indicator_of
from activities.causes import EXPLAINS, causes_of
from activities.record import Phase
from activities.words import Severity
from tests.lifecycle.world import POLICY, Story, Town, World, alert
from workflows.relations import Relates, Relation
from workflows.rules import rules

PATIENT = POLICY.model_copy(update={"symptom_hold_seconds": 30.0})


@pytest.fixture
def somewhere() -> str:
    """An environment of its own, for the real Temporal is asked for what is open there."""
    return f"env-{uuid.uuid4().hex[:8]}"


async def fire(
    town: Town, name: str, somewhere: str, *, severity=Severity.CRITICAL, policy=PATIENT, **world
) -> Story:
    its = World(town)
    its.answers.pop("incidents.open")
    vars(its).update(world)
    # Its expression stays true until the test says otherwise.
    return await town.fire(
        alert(name, severity=severity, environment=somewhere, expression=""),
        policy=policy,
        world=its,
    )


async def redis_fails(town: Town, somewhere: str, **world) -> Story:
    """A cause at work: nothing that it does helps as yet."""
    story = await fire(
        town, "RedisConnectionFailure", somewhere, policy=POLICY, **({"cures": {}} | world)
    )
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    return story


async def joined(story: Story, cause: Story) -> None:
    record = await story.until(lambda r: r.phase is Phase.JOINED)
    assert record.explained_by == cause.id


async def test_a_symptom_joins_its_cause_and_says_nothing_of_its_own(town: Town, somewhere) -> None:
    cause = await redis_fails(town, somewhere)

    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)
    await symptom.pass_time(minutes=4)

    assert not symptom.world.pages
    assert not symptom.world.count("slack.post_root")
    assert not symptom.world.changes
    assert "CriticalAPIErrorRate fires too, a symptom of this" in cause.world.said
    assert list((await cause.record()).symptoms.values()) == ["CriticalAPIErrorRate"]


async def test_it_ends_with_its_cause_and_nobody_has_heard_of_it(town: Town, somewhere) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)

    cause.world.up = True
    await cause.over()
    await cause.ends()
    await symptom.over()
    end = await symptom.ends()

    assert end.how == "explained"
    assert not symptom.world.pages
    assert not symptom.world.count("slack.post_root")
    assert not (await symptom.record()).aftermaths


async def test_it_stands_up_when_it_outlives_its_cause_by_the_window_of_a_step(
    town: Town, somewhere
) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)

    cause.world.up = True
    await cause.over()
    await cause.ends()
    await symptom.pass_time(minutes=4)
    assert not symptom.world.pages
    await symptom.pass_time(minutes=4)

    record = await symptom.until(lambda r: r.phase not in (Phase.JOINED, Phase.OPENING))
    assert symptom.world.pages[0] == ("on-call", "high")
    assert any(f"it outlives {cause.id}" in entry.text for entry in record.timeline)
    assert record.explained_by == ""


async def test_it_stands_up_when_its_cause_is_in_peoples_hands_who_see_both(
    town: Town, somewhere
) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)

    await cause.act("take-over")
    await cause.pass_time(minutes=6)  # the verification of its last step goes on to its end
    await symptom.pass_time(minutes=1)

    record = await symptom.until(lambda r: bool(r.stands_alone))
    assert symptom.world.pages[0] == ("on-call", "high")
    assert any("please see both" in entry.text for entry in record.timeline)
    await cause.until(lambda r: not r.symptoms)
    assert "CriticalAPIErrorRate stands on its own again" in cause.world.said


async def test_a_late_word_of_its_cause_does_not_make_it_join_once_more(
    town: Town, somewhere
) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)
    # Both have looked at once: the symptom had joined before it was told to.
    word = Relation(kind=Relates.EXPLAINS, id=cause.id, title="RedisConnectionFailure")
    await symptom.handle.signal("related", word)

    await cause.act("take-over")
    await cause.pass_time(minutes=6)
    await symptom.pass_time(minutes=1)

    record = await symptom.until(lambda r: r.stands_alone and r.phase is not Phase.OPENING)
    joins = [entry for entry in record.timeline if "it joins" in entry.text]
    assert (len(joins), record.explained_by) == (1, "")
    assert symptom.world.pages[0] == ("on-call", "high")


async def test_a_critical_symptom_holds_its_page_for_a_cause_that_comes_after_it(
    town: Town, somewhere
) -> None:
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await symptom.pass_time(seconds=10)
    cause = await redis_fails(town, somewhere)

    await symptom.pass_time(seconds=15)

    await joined(symptom, cause)
    assert not symptom.world.pages


async def test_what_somebody_acknowledged_while_its_page_was_held_stays_with_them(
    town: Town, somewhere
) -> None:
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await symptom.pass_time(seconds=5)
    await symptom.act("acknowledge")
    await redis_fails(town, somewhere)

    record = await symptom.pass_time(seconds=40)

    assert (record.explained_by, record.people.acknowledged_by) == ("", "dana")
    assert record.clocks.renew_at is not None


async def test_without_a_cause_it_pages_when_it_has_waited_long_enough(
    town: Town, somewhere
) -> None:
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await symptom.pass_time(seconds=25)
    assert not symptom.world.pages

    await symptom.pass_time(seconds=10)

    await symptom.until(lambda r: r.paged_at is not None)
    assert symptom.world.pages[0] == ("on-call", "high")


async def test_what_nothing_explains_pages_at_once(town: Town, somewhere) -> None:
    story = await fire(town, "SupabaseDown", somewhere)

    record = await story.until(lambda r: r.paged_at is not None)

    assert (record.paged_at - record.opened_at).total_seconds() < 1


async def test_a_symptom_that_was_paged_joins_a_cause_that_comes_later_and_its_page_closes(
    town: Town, somewhere
) -> None:
    hang = {"slow": {"prometheus.value": asyncio.Event()}}
    symptom = await fire(town, "HighAPILatency", somewhere, severity=Severity.WARNING, **hang)
    await symptom.until(lambda r: r.paged_at is not None)

    cause = await redis_fails(town, somewhere)
    await symptom.until(lambda r: bool(r.explained_by_offer))
    hang["slow"]["prometheus.value"].set()

    await joined(symptom, cause)
    await symptom.until(lambda r: not r.paged)
    assert symptom.world.count("pagerduty.resolve") == 1
    assert (await symptom.record()).clocks.escalate_at is None


async def test_a_page_that_gets_through_late_wakes_nobody_up_the_chain_of_a_symptom(
    town: Town, somewhere
) -> None:
    ways = {name: asyncio.Event() for name in ("pagerduty.page", "slack.post_root")}
    hang = {"slow": {"prometheus.value": asyncio.Event(), **ways}}
    symptom = await fire(town, "HighAPILatency", somewhere, severity=Severity.WARNING, **hang)
    await symptom.until(lambda r: r.phase is Phase.INVESTIGATING)
    cause = await redis_fails(town, somewhere)
    await symptom.until(lambda r: bool(r.explained_by_offer))
    hang["slow"]["prometheus.value"].set()
    await joined(symptom, cause)

    for way in ways.values():
        way.set()
    await symptom.until(lambda r: r.paged_at is not None and not r.paged)
    await symptom.pass_time(hours=1)

    record = await symptom.record()
    assert (record.phase, record.people.level) == (Phase.JOINED, 0)
    assert len(symptom.world.pages) == 1


async def test_what_somebody_has_acknowledged_or_changed_is_not_taken_away_from_them(
    town: Town, somewhere
) -> None:
    symptom = await fire(
        town, "HighAPILatency", somewhere, severity=Severity.WARNING,
        rate={"now": 300.0, "before": 100.0},
    )  # fmt: skip
    await symptom.until(lambda r: r.phase is Phase.VERIFYING)

    await redis_fails(town, somewhere)
    await symptom.pass_time(minutes=2)

    record = await symptom.record()
    assert record.phase is not Phase.JOINED
    assert record.explained_by == ""


async def test_a_cause_elsewhere_explains_nothing_here(town: Town, somewhere) -> None:
    await redis_fails(town, f"{somewhere}-b")

    symptom = await fire(town, "CriticalAPIErrorRate", somewhere, policy=POLICY)

    await symptom.until(lambda r: r.paged_at is not None)


async def test_whoever_takes_a_symptom_over_has_it(town: Town, somewhere) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)

    await symptom.act("take-over")

    record = await symptom.until(lambda r: r.phase is Phase.WATCHING)
    assert (record.explained_by, record.people.taken_over_by) == ("", "dana")
    assert record.clocks.update_at is not None, "from now on it owes people its updates"
    await cause.until(lambda r: not r.symptoms)


async def test_a_symptom_that_fires_again_while_it_settles_is_a_symptom_still(
    town: Town, somewhere
) -> None:
    cause = await redis_fails(town, somewhere)
    symptom = await fire(town, "CriticalAPIErrorRate", somewhere)
    await joined(symptom, cause)
    await symptom.over()
    await symptom.until(lambda r: r.phase is Phase.SETTLING)

    again = alert(
        "CriticalAPIErrorRate", service=symptom.alert.service, environment=somewhere, expression=""
    )
    await symptom.notice(again)

    await joined(symptom, cause)
    assert not symptom.world.pages


async def planned_and_joined(town: Town, somewhere: str) -> tuple[Story, Story]:
    """A symptom that had a plan with a step when its cause came."""
    hang = asyncio.Event()
    symptom = await fire(
        town, "HighAPILatency", somewhere, severity=Severity.WARNING,
        rate={"now": 300.0, "before": 100.0}, slow={"prometheus.value": hang},
    )  # fmt: skip
    await symptom.until(lambda r: r.paged_at is not None)
    cause = await redis_fails(town, somewhere)
    await symptom.until(lambda r: bool(r.explained_by_offer))
    hang.set()
    await joined(symptom, cause)
    return symptom, cause


@pytest.mark.parametrize("well", [False, None], ids=["unwell", "unseen"])
async def test_a_symptom_that_falls_silent_and_is_not_well_takes_no_step_of_its_own(
    town: Town, somewhere, well
) -> None:
    symptom, cause = await planned_and_joined(town, somewhere)
    symptom.world.up = well
    pages = len(symptom.world.pages)

    await symptom.over()
    await symptom.pass_time(minutes=30)

    record = await symptom.record()
    assert symptom.world.changes == []
    assert len(symptom.world.pages) == pages
    assert (record.phase in (Phase.JOINED, Phase.SETTLING), record.explained_by) == (
        True, cause.id,
    )  # fmt: skip


async def test_a_silent_symptom_that_is_not_well_after_its_cause_is_handled_as_what_it_is(
    town: Town, somewhere
) -> None:
    symptom, cause = await planned_and_joined(town, somewhere)
    await symptom.over()
    await symptom.pass_time(minutes=10)

    cause.world.up = True
    await cause.over()
    await cause.ends()
    await symptom.pass_time(minutes=30)

    record = await symptom.record()
    assert (record.explained_by, record.stands_alone) == ("", True)
    assert symptom.world.changes
    assert record.resolution is None


async def test_when_temporal_cannot_be_asked_it_is_handled_as_what_it_is(
    town: Town, somewhere, world: World
) -> None:
    world.answers.pop("incidents.open")
    story = await town.fire(
        alert("CriticalAPIErrorRate", environment=somewhere), policy=POLICY, world=world
    )

    await story.until(lambda r: r.paged_at is not None)


def test_nothing_explains_itself_in_a_circle():
    def farther(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " explains ".join((*seen, name))
        for symptom in EXPLAINS.get(name, ()):
            farther(symptom, (*seen, name))

    for cause in EXPLAINS:
        farther(cause, ())


def test_every_cause_and_symptom_is_an_indicator_of_a_rule():
    known = {indicator_of(rule.alert) for rule in rules()}
    named = {*EXPLAINS, *(each for symptoms in EXPLAINS.values() for each in symptoms)}

    assert named <= known
    assert causes_of("RedisConnectionFailure") == ("DiskSpaceLow", "RedisHighMemoryUsage")
