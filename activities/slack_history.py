"""Finds what an earlier attempt may have posted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from temporalio import activity

from activities.errors import Refused, Unavailable
from activities.messages import fitted
from activities.slack_api import SlackApi
from activities.words import Answer

EVENT_TYPE = "ir_message"
_MOST_PAGES = 10
_PAGE = 100
_READ_SECONDS = 30.0
"""Less, by a page and the message itself, than an attempt has."""
_LEEWAY_SECONDS = 60
"""Our clock and Slack's may differ by so much."""

Message = dict[str, Any]


class Posted(Answer):
    """Where a message stands."""

    channel_id: str
    ts: str
    """Names the message within its channel; blank when Slack did not say (files)."""
    said: str = ""
    """What was not as ordered, in words for the timeline."""


async def find(
    api: SlackApi,
    channel: str,
    thread_ts: str | None,
    *,
    oldest: datetime,
    same: Callable[[Message], bool],
) -> tuple[Message | None, str]:
    """Look for a message; a note says when the look was not thorough.

    A long look is broken off in time, and gone on with by the next attempt.

    A look that is refused (a missing scope, a channel that the bot may write to but not read) does
    not keep the message back: during an incident said twice is better than never.
    """
    ask = {
        "channel": channel,
        "oldest": f"{oldest.timestamp() - _LEEWAY_SECONDS:.6f}",
        "inclusive": "true",
        "include_all_metadata": "true",
        "limit": str(_PAGE),
    }
    method = "conversations.history"
    if thread_ts is not None:
        method, ask["ts"] = "conversations.replies", thread_ts
    broke_off = _where_it_broke_off()
    page, cursor = 0, ""
    ends = time.monotonic() + _READ_SECONDS
    while page < _MOST_PAGES:
        activity.heartbeat(f"reading back, page {page + 1}", page, cursor)
        if page and time.monotonic() > ends:
            raise Unavailable(f"Slack is slow: {page} pages were read back, and it goes on there")
        try:
            answer = await api.call(method, ask, form=True, changes=thread_ts is not None)
        except Refused as refused:
            return None, f"It may stand twice: {refused}."
        for message in answer.get("messages") or []:
            if same(message):
                return message, ""
        page, cursor = (
            page + 1,
            str((answer.get("response_metadata") or {}).get("next_cursor") or ""),
        )
        if not cursor:
            return None, ""
        if broke_off:
            # The first page is read each time: a message of the attempt before may be on it.
            (page, cursor), broke_off = broke_off, None
        ask["cursor"] = cursor
    return None, f"It may stand twice: only {_MOST_PAGES * _PAGE} messages were looked through."


def _where_it_broke_off() -> tuple[int, str] | None:
    """Give the page, and the cursor to it, that the attempt before had come to."""
    match activity.info().heartbeat_details:
        case [str(), int(page), str(cursor)] if cursor:
            return page, cursor
        case _:
            return None


def metadata(key: str) -> Message:
    """Wrap a key as the metadata of a message."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": fitted(key)}}


def keyed(wanted: Mapping[str, Any]) -> Callable[[Message], bool]:
    """Make the test for a message that carries the metadata *wanted*."""
    key = wanted["event_payload"]["key"]

    def same(message: Message) -> bool:
        stands = message.get("metadata") or {}
        payload = stands.get("event_payload") or {}
        return stands.get("event_type") == EVENT_TYPE and payload.get("key") == key

    return same
