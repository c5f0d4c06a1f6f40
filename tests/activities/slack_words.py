"""What the tests of Slack say, and how they try."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.messages import (
    Entry,
    Glance,
)
from activities.slack import PostEntry, PostRoot, UpdateRoot
from activities.slack_history import Posted
from activities.words import Severity
from deploy.gameday.standins.faults import outage

AMBIGUOUS, UNAVAILABLE, THROTTLED = "Ambiguous", "Unavailable", "Throttled"
POST = "chat.postMessage"
TOKEN = "xoxb-for-tests"
BEGAN = datetime.now(UTC) - timedelta(minutes=5)
GLANCE = Glance(
    key="HighErrorRate-api-1/run/root",
    channel="incidents",
    severity=Severity.CRITICAL,
    title="API experiencing high error rates",
    service="api",
    environment="production",
    impact="All users see errors when loading the dashboard",
    status="Error rate at 45 %, since 5 minutes, after a deployment",
)


async def attempt(number: int, activity: Any, order: Any) -> Any:
    """Run an activity as its *number*-th attempt."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=number)
    return await environment.run(activity, order)


async def until_posted(activity: Any, order: Any, *, most: int = 5) -> tuple[Posted, list[str]]:
    """Try as Temporal does, without its waiting; also tell how each failed attempt failed."""
    failures: list[str] = []
    for number in range(1, most + 1):
        try:
            return await attempt(number, activity, order), failures
        except ApplicationError as error:
            if error.non_retryable:
                raise
            failures.append(error.type or "")
    raise AssertionError(failures)


def root(glance: Glance = GLANCE, *, read_back: bool = False) -> PostRoot:
    return PostRoot(glance=glance, oldest=BEGAN, read_back=read_back)


def entry(posted: Posted, key: str = "i/1/seen", **more: Any) -> PostEntry:
    read_back = more.pop("read_back", False)
    return PostEntry(
        channel_id=posted.channel_id,
        thread_ts=posted.ts,
        entry=Entry(key=key, title="Seen", **more),
        oldest=BEGAN,
        read_back=read_back,
    )


def update(posted: Posted, glance: Glance = GLANCE) -> UpdateRoot:
    return UpdateRoot(channel_id=posted.channel_id, ts=posted.ts, glance=glance)


def objection(code: str, method: str = POST) -> Any:
    body = json.dumps({"ok": False, "error": code})
    kind = {"content-type": "application/json"}
    return outage(200, method=method).model_copy(update={"body": body, "headers": kind})


def missing_scope(method: str) -> Any:
    body = (
        '{"ok":false,"error":"missing_scope","needed":"channels:history","provided":"chat:write"}'
    )
    kind = {"content-type": "application/json"}
    return outage(200, method=method).model_copy(update={"body": body, "headers": kind})
