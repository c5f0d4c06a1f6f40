"""What a shell may complete: ids of incidents, and names of alerts. Silent whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging

from temporalio.service import RPCError

from starters.finding import beginning_with, is_id
from workers.connection import NoTemporal, connect
from workers.ending import goodbye
from workers.settings import SettingsWrong, load

_SECONDS = 2.0
"""Whoever presses the key waits for it."""


def incident_ids(incomplete: str) -> list[str]:
    """Complete the id of an incident: of the open ones, else of those that are over."""
    if incomplete and not is_id(incomplete):
        return []
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_ids(incomplete))
    except (SettingsWrong, NoTemporal, RPCError, RuntimeError, OSError, TimeoutError):
        return []


def alert_names(incomplete: str) -> list[str]:
    """Complete the name of an alert that has a procedure."""
    from workflows.procedures import PROCEDURES

    return [each.__name__ for each in PROCEDURES if each.__name__.startswith(incomplete)]


async def _ids(beginning: str) -> list[str]:
    try:
        async with asyncio.timeout(_SECONDS):
            client = await connect(load().codec, role="cli")
            return await beginning_with(client, beginning)
    finally:
        await goodbye()
