"""Finds what an earlier attempt may have posted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from temporalio import activity

from activities.errors import Refused
from activities.messages import fitted
from activities.slack_api import SlackApi
from activities.words import Answer

EVENT_TYPE = "ir_message"
_MOST_PAGES = 10
_PAGE = 100
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
    for page in range(_MOST_PAGES):
        activity.heartbeat(f"reading back, page {page + 1}")
        try:
            answer = await api.call(method, ask, form=True, changes=thread_ts is not None)
        except Refused as refused:
            return None, f"It may stand twice: {refused}."
        for message in answer.get("messages") or []:
            if same(message):
                return message, ""
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return None, ""
        ask["cursor"] = cursor
    return None, f"It may stand twice: only {_MOST_PAGES * _PAGE} messages were looked through."


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
