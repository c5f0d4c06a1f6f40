import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from xdist.scheduler import LoadFileScheduling

from deploy.local.programs import temporal
from workflows.case import SEARCH_ATTRIBUTES

FAST = [
    flag
    for value in (
        "frontend.WorkflowTimeSkippingEnabled=true",
        # Without these every hop costs 50 ms, and every wait under a second lasts one.
        'history.timerProcessorMaxTimeShift="10ms"',
        "history.transferProcessorMaxPollRPS=200",
        "history.timerProcessorMaxPollRPS=200",
    )
    for flag in ("--dynamic-config-value", value)
]

WHOLE = ("tests/gameday/", "tests/local/", "tests/benchmarks/")
"""Tests that run whole platforms: one after the other, for two at once starve each other."""


class SideBySide(LoadFileScheduling):
    """Hands out tests by file, and those of whole platforms to a single process."""

    def _split_scope(self, nodeid: str) -> str:
        whole = nodeid.startswith(WHOLE)
        return "whole platforms" if whole else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> SideBySide:
    return SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: in the end no process waits for another."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE))


@pytest.fixture(scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server whose clock the test drives: ``await env.fast_forward(handle, …)``."""
    # Server-side clock, one a workflow. Only what env.client starts has it, and only what has it
    # can be driven; until then time passes as it does.
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",  # None may yield one that the server does not know
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    yield environment
    await environment.shutdown()
    await asyncio.sleep(0.3)  # sdk-python#300: an exit just after the last use may crash


@pytest.fixture(scope="module")
async def live() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server in real time, for the doors: its task queues are theirs.

    One for each file: a worker of one would carry on what others left open, and page for it.
    """
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal()),
        dev_server_log_level="error",
        dev_server_extra_args=FAST,
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
    )
    yield environment
    await environment.shutdown()
    await asyncio.sleep(0.3)
