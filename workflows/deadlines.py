"""Waiting until an absolute time: the only way in which an incident waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow


async def until(condition: Callable[[], bool], deadline: datetime | None, why: str) -> bool:
    """Wait for *condition*, at most until *deadline*; tell whether it came true.

    A deadline in the past asks the condition once. (A timer with a negative delay would make
    every workflow task fail, and with it the incident, for ever.)
    """
    if condition():
        return True
    if deadline is None:
        await workflow.wait_condition(condition)
        return True
    left = deadline - workflow.now()
    if left.total_seconds() <= 0:
        return False
    try:
        await workflow.wait_condition(condition, timeout=left, timeout_summary=why)
    except TimeoutError:
        return condition()
    return True
