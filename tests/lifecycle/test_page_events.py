"""What people do at PagerDuty does the same as at every other door; what machines do does not."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.record import Phase
from tests.lifecycle.world import POLICY, Story, Town, World, alert, told
from workflows.page_events import PageEvent


class Line:
    """PagerDuty's side of one incident: what happens to its pages."""

    def __init__(self, story: Story, world: World) -> None:
        self.story = story
        self.world = world
        self.start = datetime.now(UTC)
        self.count = 0

    @property
    def pages(self) -> list[str]:
        """Keys of the pages that PagerDuty has, oldest first."""
        return list(dict.fromkeys(o["dedup_key"] for o in self.world.orders("pagerduty.page")))

    async def happens(self, happening: str, key: str = "", *, second: float = 0, **more) -> str:
        """Tell the incident of an event, as the door does."""
        self.count += 1
        event = PageEvent(
            id=more.pop("id", f"event-{self.count}"),
            happening=happening,
            key=key or self.pages[0],
            at=self.start + timedelta(seconds=second or self.count),
            **more,
        )
        handle = self.story.town.env.client.get_workflow_handle(self.story.id)
        await handle.signal("page_event", event)
        return event.id


PERSON = {"by": "dana", "agent": "Dana Doe (PDANA01)", "human": True}
STRANGER = {"agent": "Nobody Known (PX)", "human": True}
MACHINE = {"agent": "incident-responder"}


async def paged(town: Town, world: World, severity: str = "critical", policy=POLICY) -> Line:
    story = await town.fire(alert("Unheard", severity=severity), world=world, policy=policy)
    await story.until(lambda r: r.phase is Phase.WATCHING and bool(r.paged))
    return Line(story, world)


def timeline(record, kind: str) -> list[str]:
    return [entry.text for entry in record.timeline if entry.kind == kind]


async def test_an_acknowledgement_there_is_one_here_by_that_person(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.happens("acknowledged", **PERSON)
    record = await line.story.until(lambda r: r.people.acknowledged_by == "dana")

    assert "acknowledged by pagerduty" in timeline(record, "person")
    record = await line.story.pass_time(minutes=20)
    assert world.pages == [("on-call", "high")], "nobody else is called"
    assert world.count("pagerduty.acknowledge") == 0, "it is not told what it has told us"


async def test_an_acknowledgement_here_is_told_there_for_every_page(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.story.pass_time(minutes=16)
    await line.happens("acknowledged", **PERSON)
    await line.story.until(lambda r: bool(r.people.acknowledged_by))
    await line.story.pass_time(seconds=10)
    first, lead = line.pages[:2]
    assert [o["dedup_key"] for o in world.orders("pagerduty.acknowledge")] == [lead]
    assert first != lead


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(STRANGER, id="a user whom nobody here goes by"),
        pytest.param(MACHINE, id="an integration"),
        pytest.param({"by": "mallory", "agent": "M (PM)", "human": True}, id="without the role"),
    ],
)
@pytest.mark.parametrize("happening", ["acknowledged", "resolved"])
async def test_nobody_else_counts(town: Town, world: World, who, happening) -> None:
    line = await paged(town, world)
    await line.happens(happening, **who)
    record = await line.story.pass_time(minutes=16)

    assert record.people.acknowledged_by == ""
    assert record.resolution is None, told(record)
    assert ("engineering-lead", "high") in world.pages, "the clock goes on"


async def test_a_stranger_is_told_of_once_and_what_to_do(town: Town, world: World) -> None:
    line = await paged(town, world)
    for _ in range(3):
        await line.happens("acknowledged", **STRANGER)
    record = await line.story.pass_time(seconds=10)
    said = [text for text in timeline(record, "page") if "Nobody Known (PX)" in text]
    assert len(said) == 1
    assert "pagerduty.people" in said[0]
    assert "Nobody Known (PX)" in world.said


async def test_the_last_page_resolved_there_resolves_it_here(town: Town, world: World) -> None:
    line = await paged(town, world)
    await line.happens("resolved", **PERSON)
    await line.story.over()
    closed = await line.story.ends()
    assert (closed.how, closed.by) == ("resolved by a person", "dana")
    assert closed.reason == "resolved in PagerDuty by dana"
    assert world.count("pagerduty.resolve") == 0, "it is not told what it has told us"


async def test_one_of_several_pages_resolved_there_ends_nothing_but_is_an_acknowledgement(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.story.pass_time(minutes=16)
    first, lead = line.pages[:2]
    await line.happens("resolved", lead, **PERSON)
    record = await line.story.until(lambda r: bool(r.people.acknowledged_by))
    assert record.resolution is None
    assert lead not in record.paged
    assert "another page is open, so the incident goes on" in told(record)

    await line.happens("resolved", first, **PERSON)
    record = await line.story.until(lambda r: r.resolution is not None)
    assert record.resolution.reason == "resolved in PagerDuty by dana"


async def test_what_is_resolved_here_is_resolved_there_and_its_echo_does_nothing(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.story.pass_time(minutes=16)
    keys = line.pages
    await line.story.act("resolve", text="done")
    await line.story.pass_time(seconds=30)
    for key in keys:
        await line.happens("resolved", key, **MACHINE)
    record = await line.story.pass_time(seconds=30)
    assert {o["dedup_key"] for o in world.orders("pagerduty.resolve")} == set(keys)
    assert line.pages == keys, "nobody is paged for an echo"
    assert not any("PagerDuty" in entry.text for entry in record.timeline)


async def test_a_page_closed_there_by_a_clock_is_opened_again_while_nobody_has_it(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.happens("resolved")
    await line.story.pass_time(seconds=30)
    assert world.pages == [("on-call", "high")] * 2

    await line.story.act("acknowledge")
    await line.happens("resolved", line.pages[1])
    record = await line.story.pass_time(seconds=30)
    assert len(world.pages) == 2, "somebody has it"
    assert record.resolution is None


async def test_an_acknowledgement_that_ran_out_there_is_withdrawn_here(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.happens("acknowledged", **PERSON)
    await line.story.until(lambda r: r.people.acknowledged_by == "dana")
    await line.happens("unacknowledged", second=3600, **MACHINE)
    record = await line.story.until(lambda r: not r.people.acknowledged_by)

    assert "please acknowledge again" in told(record)
    await line.story.pass_time(minutes=16)
    assert ("engineering-lead", "high") in world.pages, "the clock runs again"
    # And the next acknowledgement, by whatever door, is told there again.
    await line.story.act("acknowledge", "lee")
    await line.story.pass_time(seconds=10)
    acknowledged = {o["dedup_key"] for o in world.orders("pagerduty.acknowledge")}
    assert set(line.pages) <= acknowledged


async def test_what_was_taken_over_stays_so_when_an_acknowledgement_runs_out_there(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    await line.story.act("take-over", "lee")
    await line.happens("unacknowledged", second=3600, **MACHINE)
    record = await line.story.pass_time(seconds=10)
    assert record.people.acknowledged_by == "lee"


@pytest.mark.parametrize(
    ("events", "acknowledged"),
    [
        pytest.param(
            [("unacknowledged", 20, MACHINE), ("acknowledged", 10, PERSON)],
            "",
            id="an acknowledgement that came after its own end",
        ),
        pytest.param(
            [("acknowledged", 20, PERSON), ("acknowledged", 10, {**PERSON, "by": "lee"})],
            "dana",
            id="an older acknowledgement by somebody else",
        ),
        pytest.param(
            [("acknowledged", 30, PERSON), ("unacknowledged", 20, MACHINE)],
            "dana",
            id="the end of an earlier acknowledgement",
        ),
    ],
)
async def test_events_out_of_order_do_nothing_wrong(
    town: Town, world: World, events, acknowledged
) -> None:
    line = await paged(town, world)
    for happening, second, who in events:
        await line.happens(happening, second=second, **who)
    record = await line.story.pass_time(seconds=5)
    assert record.people.acknowledged_by == acknowledged, told(record)


async def test_the_same_event_twice_is_one(town: Town, world: World) -> None:
    line = await paged(town, world)
    for _ in range(3):
        await line.happens("annotated", id="one", text="it was the cache", **PERSON)
        await line.happens("acknowledged", id="two", second=5, **PERSON)
    record = await line.story.pass_time(seconds=5)
    assert timeline(record, "note") == ["it was the cache"]
    assert timeline(record, "person").count("acknowledged by pagerduty") == 1


@pytest.mark.parametrize(
    ("who", "notes"),
    [(PERSON, ["look at Redis"]), (STRANGER, []), (MACHINE, [])],
    ids=["a person's note stands in the timeline", "a stranger's does not", "a machine's neither"],
)
async def test_notes(town: Town, world: World, who, notes) -> None:
    line = await paged(town, world)
    await line.happens("annotated", text="look at Redis", **who)
    record = await line.story.pass_time(seconds=5)
    assert timeline(record, "note") == notes


async def test_where_a_page_has_gone_there_is_said(town: Town, world: World) -> None:
    line = await paged(town, world)
    await line.happens("escalated", text="lee, robin", **PERSON)
    record = await line.story.pass_time(seconds=5)
    assert "PagerDuty: a page was escalated by dana: it is with lee, robin now" in timeline(
        record, "page"
    )


async def test_an_event_of_an_earlier_incident_of_the_same_name_is_none_of_this_one(
    town: Town, world: World
) -> None:
    line = await paged(town, world)
    other = f"{line.story.id}/00000000-0000-0000-0000-000000000000/page-1"
    await line.happens("resolved", other, **PERSON)
    await line.happens("acknowledged", other, **PERSON)
    record = await line.story.pass_time(seconds=5)
    assert record.resolution is None
    assert record.people.acknowledged_by == ""


async def test_nothing_of_it_is_lost_while_no_worker_runs(town: Town, world: World) -> None:
    line = await paged(town, world)
    from workflows.efforts import Queue

    async with town.without(Queue.INCIDENTS):
        await line.happens("acknowledged", **PERSON)
    await line.story.until(lambda r: r.people.acknowledged_by == "dana")
