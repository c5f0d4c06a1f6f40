from activities.record import Phase
from tests.lifecycle.world import Town, World, alert


async def test_a_critical_incident_that_one_step_repairs(town: Town, world: World) -> None:
    story = await town.fire(alert())
    record = await story.until(lambda r: r.phase is Phase.VERIFYING)
    assert world.pages == [("on-call", "high")]
    await story.notice(alert(status="resolved", starts_at=record.starts_at))
    closed = await story.ends()
    assert closed.how == "recovered"
    assert world.changes == ["host.restart_service"]
    record = await story.record()
    history = await story.handle.fetch_history()
    print(len(history.events), [e.text for e in record.timeline])
    from collections import Counter
    from temporalio.api.enums.v1 import EventType

    print(Counter(EventType.Name(e.event_type)[11:] for e in history.events))
    print(
        [
            e.activity_task_scheduled_event_attributes.activity_type.name
            for e in history.events
            if e.HasField("activity_task_scheduled_event_attributes")
        ]
    )
