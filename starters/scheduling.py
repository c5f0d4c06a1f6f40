"""Keeping a schedule of Temporal as the settings say."""

from __future__ import annotations

from temporalio.client import (
    Client,
    Schedule,
    ScheduleAlreadyRunningError,
    ScheduleUpdate,
)
from temporalio.service import RPCError, RPCStatusCode


async def keep(client: Client, name: str, schedule: Schedule | None) -> None:
    """Have *schedule* under *name*, or none; twice does no harm."""
    handle = client.get_schedule_handle(name)
    if schedule is None:
        try:
            await handle.delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))
