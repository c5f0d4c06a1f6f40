"""Runs an activity as a worker would, at a given attempt."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.testing import ActivityEnvironment

T = TypeVar("T")


async def run(activity: Callable[..., Awaitable[T]], *given: Any, attempt: int = 1) -> T:
    """Run *activity* once, as its *attempt*-th attempt."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(activity, *given)
