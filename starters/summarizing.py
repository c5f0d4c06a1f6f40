"""The weekly summary: its schedule, and the same by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)

from starters.scheduling import keep
from workers.settings import Settings, variable
from workers.summary_settings import SummarySettings, Weekday
from workflows.efforts import Queue
from workflows.weekly import SummaryOrder, WeeklySummary

SCHEDULE = "weekly-summary"
_CATCH_UP = timedelta(days=3)
"""After a Temporal that was away: late is better than never."""


async def keep_summaries(client: Client, settings: Settings) -> str:
    """Have the summary sent every week as the settings say, or never; twice does no harm."""
    chosen = settings.summary
    await keep(client, SCHEDULE, _schedule(chosen) if chosen.weekday else None)
    if not chosen.weekday:
        return f"no weekly summary ({variable('summary', 'weekday')} names its day)"
    return f"a summary every {chosen.weekday} at {chosen.at} ({chosen.time_zone})"


def _schedule(chosen: SummarySettings) -> Schedule:
    hour, minute = (int(part) for part in chosen.at.split(":"))
    # The first is none; Sunday is 0.
    day = get_args(Weekday).index(chosen.weekday) - 1
    return Schedule(
        action=ScheduleActionStartWorkflow(
            WeeklySummary.run,
            SummaryOrder(channel=chosen.channel, to=chosen.to),
            id=SCHEDULE,
            task_queue=Queue.INCIDENTS,
            static_summary="What was done in a week, or would have been",
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    hour=[ScheduleRange(hour)],
                    minute=[ScheduleRange(minute)],
                    day_of_week=[ScheduleRange(day)],
                )
            ],
            time_zone_name=chosen.time_zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )
