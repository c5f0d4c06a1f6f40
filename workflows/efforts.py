"""How hard each kind of activity is tried, and on which task queue: named once, by intent."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig, LocalActivityConfig

from activities.words import cut


class Queue(StrEnum):
    """Task queues: each has its own slots, so that a hanging Slack delays no page."""

    INCIDENTS = "incidents"
    PROBES = "probes"
    MESSAGES = "messages"
    PAGES = "pages"
    CHANGES = "changes"


_NEVER = ("NotFoundError",)
"""Of the SDK: no worker of that queue knows the activity, and trying again teaches it to none."""
_MOST_SUMMARY = 200

CONSULT = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=2),
    schedule_to_close_timeout=timedelta(seconds=5),
    retry_policy=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=100)),
)
"""A pure question to a procedure; a failing one must never hold up a response."""

PAGE = ActivityConfig(
    task_queue=Queue.PAGES,
    start_to_close_timeout=timedelta(seconds=10),
    schedule_to_close_timeout=timedelta(minutes=2),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=15)
    ),
)
"""Somebody must be woken: tried hard, then the lane tries again and says so."""

MESSAGE = ActivityConfig(
    task_queue=Queue.MESSAGES,
    # After a lost answer a page of what was said is read back at a time, each heartbeating.
    start_to_close_timeout=timedelta(seconds=60),
    heartbeat_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(minutes=4),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)
    ),
)
"""News: given up after four minutes, so that the next try carries the newest state."""

READ_AT_MOST = timedelta(minutes=2)
READ = ActivityConfig(
    task_queue=Queue.CHANGES,
    start_to_close_timeout=timedelta(seconds=20),
    schedule_to_close_timeout=READ_AT_MOST,
    schedule_to_start_timeout=timedelta(minutes=1),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_attempts=4, non_retryable_error_types=_NEVER
    ),
)
"""What stands there before a change."""

CHANGE = ActivityConfig(
    task_queue=Queue.CHANGES,
    schedule_to_start_timeout=timedelta(minutes=1),
    heartbeat_timeout=timedelta(seconds=10),
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=2), maximum_attempts=4, non_retryable_error_types=_NEVER
    ),
)
"""A change to production: every attempt after the first looks before it acts.

Its outcome is always waited for."""

TELL = ActivityConfig(
    task_queue=Queue.PROBES,
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=5)
    ),
)
"""A word to every incident: while it holds, said again to those that open."""

DOCUMENT = ActivityConfig(
    task_queue=Queue.PROBES,
    start_to_close_timeout=timedelta(seconds=30),
    schedule_to_close_timeout=timedelta(minutes=5),
    heartbeat_timeout=timedelta(seconds=8),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=8),
)
"""The report: a file that can be written again."""

SUMMARY = ActivityConfig(
    task_queue=Queue.PROBES,
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(seconds=20),
    schedule_to_start_timeout=timedelta(seconds=5),
    retry_policy=RetryPolicy(maximum_attempts=1),
)
"""Words that nobody waits for: tried once."""


def said(effort: ActivityConfig, summary: str) -> ActivityConfig:
    """Give *effort* the plain words that people read in the Temporal UI.

    The server refuses a workflow task for a summary over 400 bytes, again and again.
    """
    return {**effort, "summary": cut(" ".join(summary.split()), _MOST_SUMMARY)}


def probe(seconds: float) -> ActivityConfig:
    """A read-only check with its own short time-out, tried twice."""
    return ActivityConfig(
        task_queue=Queue.PROBES,
        start_to_close_timeout=timedelta(seconds=seconds),
        schedule_to_close_timeout=timedelta(seconds=2 * seconds + 1),
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_attempts=2),
    )


def watch(every: timedelta, window: timedelta) -> ActivityConfig:
    """A verification: one attempt a look, no slot held in between."""
    return ActivityConfig(
        task_queue=Queue.PROBES,
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=2 * window + timedelta(minutes=5),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(
            initial_interval=every, backoff_coefficient=1.0, maximum_interval=every
        ),
    )
