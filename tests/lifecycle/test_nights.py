"""Whole nights with people who do not answer: who is called at which minute, and what is said."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from activities.record import Phase, Record
from activities.words import Risk
from starters.opening import attributes
from tests.lifecycle.drills import SCALE, CriticalDrill, drill, scale
from tests.lifecycle.world import POLICY, Story, Town, World, alert, library, minutes, told
from workflows.efforts import Queue
from workflows.incident import Incident
from workflows.opening import Opening

BERLIN = ZoneInfo("Europe/Berlin")
CALM = POLICY.model_copy(update={"quiet_seconds": 7200.0, "watch_every_seconds": 1800.0})
"""Fewer looks in people's hands, which are not what these nights are about."""

ROUND = ("on-call", "engineering-lead", "cto")
CRITICAL = [(15 * n, ROUND[n % 3], "high") for n in range(32)]
WARNING = [(0, "on-call", "low"), (45, "on-call", "high"), (60, "engineering-lead", "high")]
INFO = [(240, "engineering-lead", "low")]


def paged(record: Record) -> list[tuple[int, str, str]]:
    """Minute, level and urgency of each page."""
    said = [(at, *text.split(" is paged, ")) for at, text in minutes(record, "page")]
    return [(at, level, rest.split(" ")[0]) for at, level, rest in said]


def reasons(record: Record) -> list[tuple[str, str]]:
    """Level and reason of each page, in order."""
    said = [text.split(" is paged, ") for _, text in minutes(record, "page")]
    return [(level, rest.partition(": ")[2]) for level, rest in said]


def updates(world: World) -> list[str]:
    return [entry for entry in world.entries if entry.startswith("Update: ")]


def next_by(update: str) -> datetime:
    """The time of day that an update promises the next one by."""
    said = update.rpartition("the next by ")[2].removesuffix(" UTC")
    return datetime.fromisoformat(f"2026-11-23T{said}+00:00")


async def nobody_there(town: Town, world: World, severity: str, **policy) -> Story:
    chosen = CALM.model_copy(update=policy)
    story = await town.fire(alert("Unheard", severity=severity), world=world, policy=chosen)
    await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    return story


async def night(story: Story, *, hours: int = 8, restarts: bool = False) -> Record:
    """Let a night pass; where *restarts*, with new workers each hour, that know nothing."""
    record = await story.pass_time(minutes=59)
    for _ in range(hours - 1):
        if restarts:
            await story.town.anew()
        record = await story.pass_time(hours=1)
    return record


@pytest.mark.parametrize("anew", ["one worker", "a new worker each hour"])
@pytest.mark.parametrize(
    ("severity", "expected", "promised"),
    [
        pytest.param("critical", CRITICAL, 31, id="critical: all three in turn, every 15 minutes"),
        pytest.param("warning", WARNING, 7, id="warning: loud after 45 minutes, then the lead"),
        pytest.param("info", INFO, 0, id="info: nobody for four hours, then the lead, quietly"),
    ],
)
async def test_a_night_in_which_nobody_answers(  # noqa: PLR0917 (a table)
    town: Town, world: World, severity, expected, promised, anew
) -> None:
    story = await nobody_there(town, world, severity)

    record = await night(story, restarts=anew == "a new worker each hour")

    assert paged(record) == expected, told(record)
    assert world.pages == [(level, urgency) for _, level, urgency in expected], "each once"
    for before, after in pairwise(reasons(record)):
        assert before != after, "nobody twice in a row for the same occasion"
    said = [next_by(update) for update in updates(world)]
    assert len(said) == promised, "never silent longer than was promised"
    every = 15 if severity == "critical" else 60
    for earlier, later in pairwise(said):
        assert abs((later - earlier).total_seconds() % 86400 - 60 * every) <= 1
    assert all(f"Updates: every {every} minutes" in update for update in updates(world))


async def test_whoever_acknowledges_and_falls_asleep_is_asked_before_the_next_is_called(
    town: Town, world: World
) -> None:
    story = await nobody_there(town, world, "critical")
    await story.pass_time(minutes=10)
    await story.act("take-over")

    record = await night(story, hours=3)

    assert paged(record) == [
        (0, "on-call", "high"),
        (40, "on-call", "high"),
        (55, "engineering-lead", "high"),
        (70, "cto", "high"),
        *((85 + 15 * n, ROUND[n % 3], "high") for n in range(7)),
    ], told(record)
    assert reasons(record)[1][1].startswith("is dana still on it?")
    assert "dana has taken it over: no step is taken" in reasons(record)[2][1]
    assert record.people.taken_over_by == "dana", "what she has is not taken from her"


async def test_a_ladder_that_runs_out_in_the_night_recovers_at_dawn_and_is_reported(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale(), kind=CriticalDrill))
    story = await town.fire(alert("CriticalDrill", severity="critical"), world=world, policy=CALM)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    record = await night(story, hours=6)

    assert paged(record)[:5] == [
        (0, "on-call", "high"),
        (5, "on-call", "high"),
        (10, "engineering-lead", "high"),
        (25, "cto", "high"),
        (40, "on-call", "high"),
    ], told(record)
    why = [reason for _, reason in reasons(record)][:3]
    assert why[0] != why[1]
    assert "nobody has answered the hand-over" in why[2]
    world.up = True
    await story.over()
    closed = await story.ends()
    assert closed.how == "recovered", told(await story.record())
    over = next(entry for entry in world.entries if entry.startswith("Over: "))
    assert "Report: /reports/incident.html" in over
    resolved = {order["dedup_key"] for order in world.orders("pagerduty.resolve")}
    assert resolved == {order["dedup_key"] for order in world.orders("pagerduty.page")}
    assert len([entry for entry in world.entries if entry.startswith("Over: ")]) == 1


async def test_a_question_at_night_asks_the_next_level_once_and_silence_means_no(
    town: Town, world: World
) -> None:
    world.library = library(drill(scale(risk=Risk.DESTRUCTIVE)))
    story = await town.fire(alert("HighDrill", severity="critical"), world=world, policy=CALM)
    await story.until(lambda r: r.phase is Phase.ASKING)

    record = await story.pass_time(minutes=14)

    asked = [
        (at, level)
        for (at, level, _), (_, reason) in zip(paged(record), reasons(record), strict=True)
        if reason.startswith("a decision is needed")
    ]
    assert asked == [(0, "on-call"), (5, "engineering-lead")], told(record)
    assert SCALE not in world.changes


# Clocks


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Worker and test in the local time of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def next_change(*, summer: bool) -> datetime:
    """When Berlin next goes to summer time, or from it."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    while True:
        hour += timedelta(hours=1)
        was, is_now = (at.astimezone(BERLIN).dst() for at in (hour - timedelta(hours=1), hour))
        if was != is_now and bool(is_now) is summer:
            return hour


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    "season",
    [
        pytest.param("winter", id="the hour that comes twice, on the last Sunday of October"),
        pytest.param("summer", id="the hour that is missing, on the last Sunday of March"),
    ],
)
async def test_the_change_of_summer_time_moves_no_deadline(
    town: Town, world: World, season: str
) -> None:
    change = next_change(summer=season == "summer")
    assert change.weekday() == 6
    first = alert("Unheard", severity="critical")
    story = await opened_at(town, world, first, change - timedelta(minutes=40))

    record = await story.pass_time(minutes=134)

    assert record.opened_at < change < record.opened_at + timedelta(minutes=60), told(record)
    assert paged(record) == CRITICAL[:9], told(record)
    assert len(updates(world)) == 8


async def opened_at(town: Town, world: World, first, at: datetime) -> Story:
    """An incident that begins then, by the server's clock."""
    first = first.model_copy(update={"starts_at": at})
    town.worlds[(name := f"Unheard-{first.labels['service']}")] = world
    handle = await town.env.client.start_workflow(
        Incident.run,
        Opening(policy=CALM, first=first),
        id=name,
        task_queue=Queue.INCIDENTS,
        search_attributes=attributes(first, "test"),
        start_delay=at - datetime.now(UTC),
    )
    story = Story(town, handle, first)
    town.stories.append(story)
    await town.env.fast_forward(handle, at - datetime.now(UTC) + timedelta(seconds=5))
    await story.until(lambda r: r.phase is Phase.WATCHING and r.told_at is not None)
    return story


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0, 3600.0], ids=["+1 d", "-1 d", "+1 h"])
async def test_a_worker_whose_clock_jumps_calls_nobody_sooner_or_later(
    town: Town, world: World, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    story = await nobody_there(town, world, "critical")
    await story.pass_time(minutes=7)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    await town.anew()

    record = await story.pass_time(minutes=60)

    assert paged(record) == CRITICAL[:5], told(record)
