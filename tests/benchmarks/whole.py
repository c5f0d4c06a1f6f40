"""What one whole incident leaves in Temporal: a critical one, which one step repairs."""

from collections import Counter
from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.record import Phase
from deploy.local.programs import temporal
from tests.benchmarks.figures import Table
from tests.conftest import FAST
from tests.lifecycle.world import Town, alert
from workflows.case import SEARCH_ATTRIBUTES

EVENTS = 150


async def whole() -> Table:
    """Let one happen from the first alert to the report, its waits skipped."""
    env = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    try:
        async with Town(env) as town:
            story = await town.fire(alert())
            await story.until(lambda r: r.phase is Phase.VERIFYING)
            await story.over()
            closed = await story.ends()
            history = await story.handle.fetch_history()
    finally:
        await env.shutdown()
    events = [event for event in history.events if not _of_the_clock(event)]
    activities = Counter(
        event.activity_task_scheduled_event_attributes.activity_type.name.partition(".")[0]
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    )
    table = Table("A whole critical incident that one step repairs", ("what", "how much"))
    table.row("history events", len(events))
    table.row("history bytes", f"{sum(event.ByteSize() for event in events):,}")
    table.row("workflow tasks", sum(_name(event) == "WORKFLOW_TASK_COMPLETED" for event in events))
    table.row("timers", sum(_name(event) == "TIMER_STARTED" for event in events))
    for system, count in activities.most_common():
        table.row(f"activities of {system}", count)
    table.aim(f"under {EVENTS} events; it ended as {closed.how}", met=len(events) < EVENTS)
    return table


def _name(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def _of_the_clock(event: HistoryEvent) -> bool:
    """Whether it is there only because time was skipped."""
    return any(part in _name(event) for part in ("TIME_SKIPPING", "OPTIONS_UPDATED"))
