"""The three incidents of the demonstration, minute by minute."""

from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType

from activities.record import Phase, StepState
from tests.lifecycle.world import Story, Town, World, alert, minutes, told

NOT_COUNTED = ("TIME_SKIPPING", "OPTIONS_UPDATED", "WORKFLOW_TASK")
"""Driving the clock writes events of its own; how many tasks the answers share is chance."""
MOST_EVENTS = 120
"""With the tasks, three events each, it is under 180 on a machine that is not overloaded."""


async def counted(story: Story) -> int:
    history = await story.handle.fetch_history()
    names = [EventType.Name(event.event_type) for event in history.events]
    return sum(1 for name in names if not any(part in name for part in NOT_COUNTED))


def steps(record) -> list[tuple[str, str]]:
    return [(step.activity, step.state.value) for step in record.steps]


async def test_redis_fails_and_one_restart_repairs_it(town: Town, world: World) -> None:
    story = await town.fire(alert(), world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.pages == [("on-call", "high")]
    await story.over()

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert closed.report == ("/reports/incident.html", "/reports/incident.md")
    assert world.changes == ["host.restart_service"]
    assert steps(record) == [("host.restart_service", "helped"), ("switches.set", "planned")]
    assert minutes(record, "verification") == [
        (0, "Does it help?: recovered (3 good looks in a row)"),
        (10, "Settling: recovered (40 good looks, none bad)"),
    ]
    assert world.pages == [("on-call", "high")]
    assert world.root["over"]
    assert "Over: recovered" in world.said
    assert await counted(story) < MOST_EVENTS


async def test_redis_fails_and_neither_step_brings_it_back(town: Town, world: World) -> None:
    world.cures = {}
    story = await town.fire(alert(), world=world)
    await story.until(lambda r: r.phase is Phase.VERIFYING)

    record = await story.pass_time(minutes=11)

    assert record.phase is Phase.WATCHING, told(record)
    assert minutes(record, "step")[:2] == [
        (0, f"{record.ladder[0].effect}: it answers neither the worker nor the API host"),
        (0, "redis was restarted: pid 7 is now 8"),
    ]
    [(at, said)] = [entry for entry in minutes(record, "step") if "set {" in entry[1]]
    assert (at, said) == (5, "set {'in-memory cache': 'true'}")
    assert [state for _, state in steps(record)] == ["did not help", "did not help"]
    assert [(at, said.split(":")[0]) for at, said in minutes(record, "page")] == [
        (0, "on-call is paged, high urgency"),
        (9, "on-call is paged, high urgency"),
    ]
    assert "provision a new instance" in record.asks
    assert "provision a new instance" in world.said

    await story.act("acknowledge")
    world.up = True
    await story.over()
    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert world.changes == ["host.restart_service", "switches.set", "switches.set.undo"]
    assert world.switches == {"in-memory cache": None}
    assert [state for _, state in steps(record)] == ["did not help", "undone"]
    ends = [said.split(":")[0] for _, said in minutes(record, "verification")]
    assert ends == [
        "Does it help?",
        "Does it help?",
        "In people's hands",
        "Settling",
        f"Still well without it? {record.ladder[1].effect}".split(":")[0],
        "Settling",
    ]
    first, second = (
        entry.at for entry in record.timeline if entry.text.startswith("Settling: recovered")
    )
    assert 600 <= (second - first).total_seconds() <= 660, "a full settling time after the undo"
    assert closed.reason == "40 good looks, none bad"


async def test_traffic_makes_the_api_slow_and_it_is_scaled_up_and_back(
    town: Town, world: World
) -> None:
    world.rate = {"now": 300.0, "before": 100.0}
    world.cures = {"processes.scale": True}
    slow = alert("HighAPILatency", severity="warning", expression="api_p95 > 0.5")
    story = await town.fire(slow, world=world)
    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.pages == [("on-call", "low")]
    assert world.replicas == 5
    assert "traffic grew 3.0 times" in record.cause
    assert world.orders("processes.scale")[0]["replicas"] == 5
    await story.over()

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert world.changes == ["processes.scale", "processes.scale.undo"]
    assert world.replicas == 2, "what it was before"
    assert steps(record) == [("processes.scale", "undone")]
    assert minutes(record, "verification")[1] == (
        10,
        "Settling: recovered (40 good looks, none bad)",
    )
    assert minutes(record, "step")[-1][1] == "undone: back to 2 instances"


def session(pid: int, state: str, **more) -> dict:
    now = datetime.now(UTC).isoformat()
    return {
        "pid": pid, "backend_start": now, "query_start": now, "xact_start": now, "query_id": pid,
        "state": state, "application": "nightly", "user": "report", "client": "10.0.0.7",
        "age_seconds": 900.0, "query": "select pg_sleep(900)", **more,
    }  # fmt: skip


async def test_the_connections_run_out_and_exactly_the_named_sessions_end(
    town: Town, world: World
) -> None:
    world.sessions = [session(11, "active"), session(12, "idle in transaction")]
    world.cures = {"postgres.terminate": True}
    full = alert("HighDatabaseConnections", severity="warning", expression="used > 0.8")
    story = await town.fire(full, world=world)

    record = await story.until(lambda r: r.question is not None)

    assert record.phase is Phase.ASKING
    shown = "\n".join([record.question.text, *record.question.details])
    assert "cancel 1 statement" in shown
    assert "terminate 2" in shown
    assert "pid 11" in shown
    assert "pid 12" in shown
    assert world.changes == []
    assert await story.act("approve") == f"approved: {record.question.text}"
    await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.changes == ["postgres.cancel"]
    await story.pass_time(minutes=6)
    await story.over()

    closed = await story.ends()

    record = await story.record()
    assert closed.how == "recovered"
    assert world.changes == ["postgres.cancel", "postgres.terminate"]
    pids = [
        [one["pid"] for one in world.orders(name)[0]["sessions"]]
        for name in ("postgres.cancel", "postgres.terminate")
    ]
    assert pids == [[11], [11, 12]]
    assert len(record.questions) == 1, "one approval for what was shown as one"
    assert [step.approved_by for step in record.ladder if step.state is not StepState.PLANNED] == [
        "dana",
        "dana",
    ]
